/**
 * Marks the seam between two texts of one message while a text is handed to a filter. U+FFFC, by which Messages marks the place
 * of a file: no text that is read from chat.db still has one.
 */
export const SEAM = '\ufffc';

/** One string for `splitAtSeams`; a mark that a text has itself becomes a space. */
export function joinAtSeams(texts: readonly string[]): string {
  return texts.map((text) => text.replaceAll(SEAM, ' ')).join(SEAM);
}

/** As many texts as were joined; none for none. */
export function splitAtSeams(joined: string): string[] {
  return joined === '' ? [] : joined.split(SEAM);
}

/** As a person reads the texts: each on its own lines. */
export function seamsAsLineBreaks(joined: string): string {
  return joined.replaceAll(SEAM, '\n');
}
