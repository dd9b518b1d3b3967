import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { isAfterAttempt, kinshipOf } from '../store/rowOfSend.js';
import type { Store } from '../store/Store.js';
import type { SendRecord } from '../store/sendRecord.js';
import type { SentFile, SentRow, SentRows } from './ports.js';

export interface Matches {
  /** The row that proves each send, by the send's seq. */
  proofs: ReadonlyMap<number, SentRow>;
  /** Sends with a row that may be theirs, of which chat.db does not say yet that it went out. None of them has a proof. */
  undecided: ReadonlySet<number>;
  /** Sends whose only trace is a ghost row. */
  ghosts: ReadonlySet<number>;
}

/** What is known of a row already: another send's proof, or stored as a person's message. */
export interface KnownRows {
  isClaimed(guid: string): boolean;
  isPersons(guid: string): boolean;
}

/** Known rows as the store has them. */
export function knownRows(store: Store): KnownRows {
  return {
    isClaimed: (guid) => store.sends.isClaimed(guid),
    isPersons: (guid) => store.incoming.find(guid) !== undefined,
  };
}

/**
 * Finds for each send the first unclaimed outgoing row after the one that was newest at its attempt, in the same
 * conversation, with the same text, or with the same file and no text. One row proves one send; of equal texts the older send
 * gets the older row. A row whose direction is not settled proves nothing; but it keeps its place: where a later row fits two
 * sends, it proves the one that no such row may belong to.
 */
export function matchRows(sends: readonly SendRecord[], rows: SentRows, known: KnownRows): Matches {
  const proofs = new Map<number, SentRow>();
  const undecided = new Set<number>();
  const ghosts = new Set<number>();
  const position = rows.position();
  const open = sends
    .filter((send) => send.afterRow !== null && send.generation === position?.generation)
    .toSorted((a, b) => a.seq - b.seq);
  const from = open.reduce((least, send) => Math.min(least, send.afterRow ?? least), Infinity);
  if (position === undefined || from >= position.rowId) return { proofs, undecided, ghosts };
  for (const row of rows.after(from)) {
    if (known.isClaimed(row.guid) || (row.isUndecided && known.isPersons(row.guid))) continue;
    for (const send of open)
      if (isAfterAttempt(send, row) && row.ghostOf === send.conversation) ghosts.add(send.seq);
    const files = lazily(() => rows.filesOf(row.rowId));
    const fitting = open.filter((send) => !proofs.has(send.seq) && isRowOf(send, row, rows, files));
    const free = fitting.find((send) => !undecided.has(send.seq));
    if (row.isUndecided) {
      if (free !== undefined) undecided.add(free.seq);
      continue;
    }
    const proven = free ?? fitting[0];
    if (proven === undefined) continue;
    proofs.set(proven.seq, row);
    undecided.delete(proven.seq);
  }
  return { proofs, undecided, ghosts };
}

function isRowOf(send: SendRecord, row: SentRow, rows: SentRows, files: () => readonly SentFile[]): boolean {
  if (!isAfterAttempt(send, row) || !isInConversation(send, row)) return false;
  if (kinshipOf(send, row, (text) => rows.normalise(text)) !== 'whole') return false;
  if (send.file === null || row.isUndecided) return true;
  return files().some((file) => isFileOf(send, file));
}

/** The chat of a row that is just being written may come after its text. */
function isInConversation({ conversation }: SendRecord, row: SentRow): boolean {
  return row.conversation === conversation || (row.isUndecided === true && row.conversation === null);
}

/** By its name, or by its size where Messages gave it another name. */
function isFileOf(send: SendRecord, { name, sizeBytes }: SentFile): boolean {
  const path = send.file ?? '';
  if (name !== null && name.normalize('NFC') === basename(path).normalize('NFC')) return true;
  return sizeBytes > 0 && sizeBytes === statSync(path, { throwIfNoEntry: false })?.size;
}

function lazily<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
