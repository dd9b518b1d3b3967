import { statSync } from 'node:fs';
import { basename } from 'node:path';
import type { SendRecord, SentFile, SentRow, SentRows } from '../model/sending.js';
import { beganAt, isMoved, isOfAttempt, kinshipOf, orderOf } from '../store/rowOfSend.js';
import type { Store } from '../store/Store.js';

interface Matches {
  /** The row that proves each send, by the send's seq. */
  proofs: ReadonlyMap<number, SentRow>;
  /** Sends with a row that may be theirs, of which chat.db does not say yet that it went out. None of them has a proof. */
  undecided: ReadonlySet<number>;
  /** Sends whose only trace is a ghost row. */
  ghosts: ReadonlySet<number>;
}

/** What is known of a row already: another send's proof, stored as a person's message, or a row of before that iCloud wrote again. */
export interface KnownRows {
  isClaimed(guid: string): boolean;
  isPersons(guid: string): boolean;
  isCopy(row: SentRow, normalise: (text: string) => string): boolean;
}

/** Known rows as the store has them. */
export function knownRows(store: Store): KnownRows {
  return {
    isClaimed: (guid) => store.sends.isClaimed(guid),
    isPersons: (guid) => store.incoming.find(guid) !== undefined,
    isCopy(row, normalise) {
      if (store.cursor.seen.originalOf(row.guid) !== row.guid) return true;
      if (row.conversation === null || row.sentAt === null) return false;
      const proven = store.sends.provenAt(row.conversation, row.sentAt);
      return proven.some((send) => kinshipOf(send, row, normalise) === 'whole');
    },
  };
}

/**
 * A row that is dated so much before the attempt is an old one that iCloud wrote again, or brings late; the Mac dates rows by our own
 * clock. But where the attempt is dated in the future, the clock was set back since, and nobody knows how far.
 */
const CLOCK_SET_BACK_MS = 120_000;

/**
 * Finds for each send the first unclaimed outgoing row after the one that was newest at its attempt, in the same
 * conversation, with the same text, or with the same file and no text. Where ROWIDs were given out anew since the attempt, or
 * chat.db could not be read then, "after" goes by the date: a row that was written when the attempt began or later. One row proves one send; of equal texts the
 * older send gets the older row. A row whose direction is not settled proves nothing; but it keeps its place: where a later row
 * fits two sends, it proves the one that no such row may belong to. `now` is what our clock shows (Unix ms).
 */
export function matchRows(
  sends: readonly SendRecord[],
  rows: SentRows,
  known: KnownRows,
  now: number,
): Matches {
  const proofs = new Map<number, SentRow>();
  const undecided = new Set<number>();
  const ghosts = new Set<number>();
  const position = rows.position();
  if (position === undefined) return { proofs, undecided, ghosts };
  const open = sends.filter((send) => send.attemptedAt !== null).toSorted((a, b) => a.seq - b.seq);
  const order = orderOf(position);
  const moved = new Set(open.filter((send) => isMoved(send, order)));
  const isLater = (send: SendRecord, row: SentRow) =>
    moved.has(send)
      ? isDatedSince(send, row, now) && !isCopyOfOlder(send, row)
      : isOfAttempt(send, row, order) && !isFromBefore(send, row, isCopy, now);
  // Where the attempt's date is right, no row from before it is dated since.
  const isCopyOfOlder = (send: SendRecord, row: SentRow) => (beganAt(send) ?? 0) > now && isCopy(row);
  const isCopy = (row: SentRow) => known.isCopy(row, (text) => rows.normalise(text));
  for (const row of rowsFor(open, moved, position.rowId, rows, now)) {
    if (known.isClaimed(row.guid) || (row.isUndecided && known.isPersons(row.guid))) continue;
    const later = open.filter((send) => isLater(send, row));
    for (const send of later) if (row.ghostOf === send.conversation) ghosts.add(send.seq);
    const files = lazily(() => rows.filesOf(row.rowId));
    const fitting = later.filter((send) => !proofs.has(send.seq) && isRowOf(send, row, rows, files));
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
  if (!isInConversation(send, row)) return false;
  if (kinshipOf(send, row, (text) => rows.normalise(text)) !== 'whole') return false;
  if (send.file === null || row.isUndecided) return true;
  return files().some((file) => isFileOf(send, file));
}

/** The chat of a row that is just being written may come after its text. */
function isInConversation({ conversation }: SendRecord, row: SentRow): boolean {
  return row.conversation === conversation || (row.isUndecided === true && row.conversation === null);
}

function rowsFor(
  open: readonly SendRecord[],
  moved: ReadonlySet<SendRecord>,
  newest: number,
  rows: SentRows,
  now: number,
): readonly SentRow[] {
  const least = (values: readonly number[]) => values.reduce((a, b) => Math.min(a, b), Infinity);
  const from = least(open.flatMap((send) => (moved.has(send) ? [] : (send.afterRow ?? []))));
  const since = least([...moved].flatMap((send) => datedFrom(send, now) ?? []));
  const after = from < newest ? rows.after(from) : [];
  if (since === Infinity) return after;
  const known = new Set(after.map(({ guid }) => guid));
  return [...after, ...rows.since(since).filter(({ guid }) => !known.has(guid))];
}

/** Before any row of it can be dated. Of an attempt that is dated in the future the clock was set back since: of the last minutes. */
function datedFrom(send: SendRecord, now: number): number | null {
  const began = beganAt(send);
  return began === null || began <= now ? began : now - CLOCK_SET_BACK_MS;
}

function isDatedSince(send: SendRecord, { sentAt }: SentRow, now: number): boolean {
  const from = datedFrom(send, now);
  return sentAt !== null && from !== null && sentAt >= from;
}

/** Within the time that a clock may have been set back only a row that is known from before is one. */
function isFromBefore(
  send: SendRecord,
  row: SentRow,
  isCopy: (row: SentRow) => boolean,
  now: number,
): boolean {
  const began = beganAt(send);
  if (row.sentAt === null || began === null || row.sentAt >= began) return false;
  return (began <= now && row.sentAt < began - CLOCK_SET_BACK_MS) || isCopy(row);
}

/** By its name, or by its size where Messages gave it another name. */
export function isFileOf(send: SendRecord, { name, sizeBytes }: SentFile): boolean {
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
