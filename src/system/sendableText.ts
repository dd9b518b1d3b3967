/**
 * A text as it can be handed to a process and comes back from chat.db: without NUL, which no argument can hold, and with
 * a replacement character for half of a surrogate pair, which is no character.
 */
export function sendableText(text: string): string {
  return text.replaceAll('\0', '').replaceAll(/\p{Surrogate}/gu, '\uFFFD');
}
