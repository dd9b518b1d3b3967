import type { SendRecord } from '../model/sending.js';

/** A row of chat.db as far as it may be that of a text of the ledger. `text` is empty for one of files alone. */
interface LedgerCandidate {
  rowId: number;
  text: string;
}

/**
 * How a row relates to a text of the ledger. `whole`: it has the very text, or is a file's while the send is one. `part`: its
 * text is a piece of the send's, as Messages may write a link in a text as a row of its own.
 */
export type Kinship = 'whole' | 'part' | 'none';

/**
 * The one comparison of a row with a text of ours, for proving, for reading and for a person's own answers. `normalise` levels
 * what Messages changes on the way. Conversation and time are the caller's: they differ by what is asked. A row without a text is a
 * file's; which one, only its files tell.
 */
export function kinshipOf(
  send: Pick<SendRecord, 'text' | 'file'>,
  { text }: Pick<LedgerCandidate, 'text'>,
  normalise: (text: string) => string,
): Kinship {
  const said = normalise(text);
  if (send.file !== null) return said === '' ? 'whole' : 'none';
  if (said === '') return 'none';
  const ours = normalise(send.text);
  if (ours === said) return 'whole';
  return ours.includes(said) ? 'part' : 'none';
}

/** The chat.db that is open, and when its ROWIDs were last found given out anew (Unix ms). */
export interface RowOrder {
  generation: string | null;
  movedAt: number | null;
}

/** Names an order of ROWIDs, which is what a send keeps of it (`generation`): another one each time they are given out anew. */
export function orderOf({ generation, movedAt }: RowOrder): string | null {
  return generation === null || movedAt === null ? generation : `${generation} ${movedAt}`;
}

/** Whether ROWIDs were given out anew since the attempt, so that its place among them says nothing. No clock tells that. */
export function isMoved({ generation }: SendRecord, order: string | null): boolean {
  return generation !== order;
}

/** Before any row of it can have been written (Unix ms): a repeated one may be proven by the row of an earlier attempt. */
export function beganAt({ attemptedAt, createdAt, attempts, form, resends }: SendRecord): number | null {
  return attempts + form + resends > 0 ? createdAt : attemptedAt;
}

/**
 * Whether a row was written when the attempt of a send began or later: by its place behind the row that was newest then, and where
 * ROWIDs were given out anew since, by its date. True where the place is not known.
 */
export function isOfAttempt(
  send: SendRecord,
  { rowId, sentAt }: Pick<LedgerCandidate, 'rowId'> & { sentAt: number | null },
  order: string | null,
): boolean {
  if (send.afterRow === null) return true;
  if (!isMoved(send, order)) return rowId > send.afterRow;
  const began = beganAt(send);
  return sentAt !== null && began !== null && sentAt >= began;
}
