/* The rules by which every soak is judged, whatever it soaks: each returns what was not kept, as text. */

/** How often a text is to be seen. */
export interface Expected {
  least: number;
  most: number;
}

export function tally(texts: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return counts;
}

/** No text twice, none lost except those whose outcome is reported as unknown, none that was not requested. */
export function judgeCounts(
  expected: ReadonlyMap<string, Expected>,
  sentTexts: readonly string[],
  unknown: ReadonlyMap<string, number> = new Map(),
): string[] {
  const sent = tally(sentTexts);
  return [...new Set([...expected.keys(), ...sent.keys()])].flatMap((text) => {
    const { least, most } = expected.get(text) ?? { least: 0, most: 0 };
    const found = sent.get(text) ?? 0;
    if (found > most) return [`twice: “${text}” went out ${found} times instead of ${most}`];
    if (found < least - (unknown.get(text) ?? 0))
      return [`lost: “${text}” went out ${found} times instead of ${least}`];
    return [];
  });
}

/**
 * Of each of these lists the texts that were sent once were sent in order. One reported as unknown is not waited for:
 * it may come later, or by another command with the same text.
 */
export function judgeLanes(
  lanes: readonly (readonly string[])[],
  sent: readonly string[],
  unknown: ReadonlyMap<string, number> = new Map(),
): string[] {
  const counts = tally(sent);
  const place = new Map(sent.map((text, index) => [text, index]));
  return lanes.flatMap((texts) => {
    const once = texts.filter((text) => counts.get(text) === 1 && !unknown.has(text));
    return once.flatMap((text, index) => {
      const before = once[index - 1];
      const isWrong = before !== undefined && (place.get(before) ?? 0) > (place.get(text) ?? 0);
      return isWrong ? [`order: “${text}” went out before “${before}”`] : [];
    });
  });
}

/** Each text was sent to its conversation; unrequested ones are the concern of `judgeCounts`. */
export function judgeTargets(
  dispatches: readonly { text: string; target: string }[],
  conversations: ReadonlyMap<string, ReadonlySet<string>>,
  targets: ReadonlyMap<string, ReadonlySet<string>>,
): string[] {
  return dispatches.flatMap(({ text, target }) => {
    const allowed = [...(conversations.get(text) ?? [])].flatMap((id) => [...(targets.get(id) ?? [])]);
    return allowed.length === 0 || allowed.includes(target) ? [] : [`target: “${text}” went to ${target}`];
  });
}
