import type { MessageRows, RowPosition } from './rows.js';

/** How far a chat.db has been read: its generation, the last row's ROWID and, for finding it elsewhere, guid. */
export interface ReadingPosition {
  generation: string;
  rowId: number;
  guid: string | null;
}

/** `same`: go on. `first`: nothing was ever read. `found` and `lost`: another database than the one read last. */
export interface Anchor {
  kind: 'same' | 'first' | 'found' | 'lost';
  position: ReadingPosition;
  /** Whether rows that were waited for are still the same rows. */
  keepsPending: boolean;
}

/**
 * Where to read on in the database that is open. On the first start ever: behind its newest row, so that nothing
 * older is forwarded. In another database (other file, or ROWIDs were given out anew): behind the row with the
 * last guid; else behind the newest of the messages that we have (a restored copy lacks the last rows); else behind
 * the newest row. Deleted messages do not make another database. What lies below that place and was never read is found by date
 * (DateLook).
 */
export function anchor(
  known: ReadingPosition | undefined,
  rows: Pick<MessageRows, 'newest' | 'rowIdOf' | 'guidOf' | 'highestIssued'>,
  generation: string,
  newestKnown: () => readonly string[],
  samples: readonly RowPosition[] = [],
): Anchor {
  if (known === undefined)
    return { kind: 'first', position: behindNewest(rows, generation), keepsPending: false };
  if (
    known.generation === generation &&
    rows.highestIssued() >= known.rowId &&
    isSameRow(known, rows, newestKnown) &&
    areSameRows(samples, rows)
  ) {
    return { kind: 'same', position: known, keepsPending: true };
  }
  const rowId = known.guid === null ? undefined : rows.rowIdOf(known.guid);
  if (rowId !== undefined) {
    const position = { generation, rowId, guid: known.guid };
    return { kind: 'found', position, keepsPending: rowId === known.rowId };
  }
  for (const guid of newestKnown()) {
    const found = rows.rowIdOf(guid);
    if (found !== undefined)
      return { kind: 'found', position: { generation, rowId: found, guid }, keepsPending: false };
  }
  return { kind: 'lost', position: behindNewest(rows, generation), keepsPending: false };
}

/** So many of the messages that we have tell whether a database whose last row is gone is still the same. */
const ASKED = 20;

/**
 * A backup copied over the file, or ROWIDs given out anew, give our ROWID to another message or our message another ROWID; a row
 * that is gone was only deleted, unless a message that we have lies behind the place up to which we have read.
 */
function isSameRow(
  { rowId, guid }: ReadingPosition,
  rows: Pick<MessageRows, 'guidOf' | 'rowIdOf'>,
  newestKnown: () => readonly string[],
): boolean {
  if (guid === null) return true;
  const there = rows.guidOf(rowId);
  if (there !== undefined) return there === guid;
  if (rows.rowIdOf(guid) !== undefined) return false;
  return !newestKnown()
    .slice(0, ASKED)
    .some((known) => (rows.rowIdOf(known) ?? 0) > rowId);
}

/** One row may by chance have the ROWID that it had. */
function areSameRows(samples: readonly RowPosition[], rows: Pick<MessageRows, 'guidOf'>): boolean {
  return samples.every(({ rowId, guid }) => (rows.guidOf(rowId) ?? guid) === guid);
}

function behindNewest(rows: Pick<MessageRows, 'newest'>, generation: string): ReadingPosition {
  const newest = rows.newest();
  return { generation, rowId: newest?.rowId ?? 0, guid: newest?.guid ?? null };
}
