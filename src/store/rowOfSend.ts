import type { SendRecord } from './sendRecord.js';

/** A row of chat.db as far as it may be that of a text of the ledger. `text` is empty for one of files alone. */
export interface LedgerCandidate {
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

/** Whether a row came after the attempt of a send began, in the chat.db that it was made in; true where nothing tells. */
export function isAfterAttempt(
  { afterRow }: Pick<SendRecord, 'afterRow'>,
  { rowId }: LedgerCandidate,
): boolean {
  return afterRow === null || rowId > afterRow;
}
