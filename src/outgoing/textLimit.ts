/** One argument of a process cannot exceed 128 KiB on Linux (MAX_ARG_STRLEN); this leaves room on every system. */
export const MAX_TEXT_BYTES = 100_000;

/** Why a text is too long to be sent, naming the limit; undefined if it is not. Lengths are in characters and bytes. */
export function textFault(text: string, maxCharacters: number): string | undefined {
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_TEXT_BYTES) return `The text has ${bytes} bytes; the limit is ${MAX_TEXT_BYTES} bytes.`;
  if (text.length <= maxCharacters) return undefined;
  const characters = [...text].length;
  if (characters <= maxCharacters) return undefined;
  return `The text has ${characters} characters; the limit is ${maxCharacters} characters (outgoing.max_text_length).`;
}
