/*
 * The rules by which every soak is judged, whatever it soaks: each gives what was not kept, in words.
 */

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

/** No text twice, none lost but those whose outcome is told as unknown, none that nobody asked for. */
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

/** Of each of these lists the texts that went out once did so in their order. */
export function judgeLanes(lanes: readonly (readonly string[])[], sent: readonly string[]): string[] {
  const counts = tally(sent);
  const place = new Map(sent.map((text, index) => [text, index]));
  return lanes.flatMap((texts) => {
    const once = texts.filter((text) => counts.get(text) === 1);
    return once.flatMap((text, index) => {
      const before = once[index - 1];
      const isWrong = before !== undefined && (place.get(before) ?? 0) > (place.get(text) ?? 0);
      return isWrong ? [`order: “${text}” went out before “${before}”`] : [];
    });
  });
}

/** Posts of one conversation that may be on their way at the same time, and so overtake one another (protocol, "HTTP"). */
const IN_FLIGHT = 3;

/** No message of a conversation (in the order of writing) is posted before one that is older by more than may be on their way. */
export function judgeArrivals<T extends { guid: string }>(
  conversation: readonly T[],
  arrivalOf: (message: T) => number,
  isNeeded: (message: T) => boolean = () => true,
): string[] {
  return conversation.flatMap((message, index) => {
    const mine = arrivalOf(message);
    const older = conversation.slice(0, Math.max(0, index - IN_FLIGHT + 1));
    const passed = older.find((other) => isNeeded(other) && arrivalOf(other) > mine);
    return passed === undefined ? [] : [`order: message ${message.guid} was posted before ${passed.guid}`];
  });
}

/** Each text went to where its conversation is; one that nobody asked for is the concern of `judgeCounts`. */
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
