/** In characters, of texts and what was made of them together. */
const MOST_REMEMBERED = 1_000_000;

/**
 * The same filter, which answers at once for the newest of the texts that it was asked about: a message is filtered at
 * each attempt to post it, and so is the caption of each of its images. A text that is longer than what may be
 * remembered is filtered anew each time.
 */
export function filterOnce<Filtered extends { text: string }>(
  filter: (text: string) => Filtered,
): (text: string) => Filtered {
  const known = new Map<string, Filtered>();
  let size = 0;
  return (text) => {
    const remembered = known.get(text);
    if (remembered !== undefined) return remembered;
    const filtered = filter(text);
    known.set(text, filtered);
    size += sizeOf(text, filtered);
    for (const [oldest, made] of known) {
      if (size <= MOST_REMEMBERED) break;
      known.delete(oldest);
      size -= sizeOf(oldest, made);
    }
    return filtered;
  };
}

/** An entry costs something beyond its characters. */
function sizeOf(text: string, { text: made }: { text: string }): number {
  return text.length + made.length + 100;
}
