import type { MessagePart } from '../model/incoming.js';

/** The texts among the parts, in order. */
export function textsIn(parts: readonly MessagePart[]): string[] {
  return parts.flatMap((part) => (part.type === 'text' ? [part.text] : []));
}

/** The text of a message: a line break at each seam between two texts. */
export function textOf(parts: readonly MessagePart[]): string {
  return textsIn(parts).join('\n');
}

/** A message as it is stored. `parts` is missing where text and attachments say all of it, and in what older versions stored. */
interface Parted {
  text: string;
  parts?: readonly MessagePart[];
  attachments: readonly { guid: string }[];
}

/**
 * The parts of a stored message. Undefined where they are not known: an older version stored it with a text and files, and
 * which came first can no longer be found out.
 */
export function knownParts(message: Parted): readonly MessagePart[] | undefined {
  const { text, parts, attachments } = message;
  if (parts !== undefined && textOf(parts) === text) return parts;
  if (attachments.length > 0 && text !== '') return undefined;
  return wholeText(text);
}

/** The texts of a stored message, in order; the whole text where the parts are not known. */
export function textsOf(message: Parted): string[] {
  return textsIn(knownParts(message) ?? wholeText(message.text));
}

/** The field `parts` of a message to be stored: none where it would say nothing that text and attachments do not. */
export function storedParts(parts: MessagePart[], attachmentCount: number): { parts?: MessagePart[] } {
  const isPlain = attachmentCount === 0 && parts.length <= 1 && parts.every(({ type }) => type === 'text');
  return isPlain ? {} : { parts };
}

function wholeText(text: string): MessagePart[] {
  return text === '' ? [] : [{ type: 'text', text }];
}
