import type { IncomingMessage, MessagePart } from '../model/incoming.js';

/** A stored message with the history of its posting. Times are Unix ms. */
export interface IncomingRecord {
  seq: number;
  message: IncomingMessage;
  seenAt: number;
  /** Its number within its conversation, from its first post on; the same in every repeat. */
  sequence: number | null;
  attempts: number;
  firstPostedAt: number | null;
  /** The newest send when this message was first posted: a later reflex may answer it, an earlier one cannot. */
  sendsBefore: number | null;
  retryAt: number;
  strikes: number;
  firstStrikeAt: number | null;
}

/** The same as SQLite has it. */
export type IncomingRow = Omit<IncomingRecord, 'message'> & { guid: string; message: string };

/** A message that the backend may have read. */
export interface PostedMessage {
  guid: string;
  isOpen: boolean;
  /** How often the backend may have read it. */
  posts: number;
  sendsBefore: number;
}

/** The same as SQLite has it. */
export interface PostedRow extends Omit<PostedMessage, 'isOpen'> {
  isOpen: 0 | 1;
}

/** What became of others while one failed: how many were answered, and how many posts of these had failed. */
export interface Others {
  readonly answered: number;
  readonly failures: number;
}

/**
 * A message that was answered, with a reply that has not been sent yet. `reply` is unvalidated JSON. `message` is null
 * if its record cannot be read.
 */
export interface HeldReplyRecord {
  seq: number;
  guid: string;
  message: IncomingMessage | null;
  sequence: number;
  reply: string;
}

/** How a message ended. The store and the published status spell the state of a dead letter `parked`. */
export type IncomingEnd = 'answered' | 'parked' | 'expired';

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
