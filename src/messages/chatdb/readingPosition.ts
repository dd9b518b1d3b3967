import type { MessageRows } from './rows.js';

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
 * the newest row. Deleted messages do not make another database.
 */
export function anchor(
  known: ReadingPosition | undefined,
  rows: Pick<MessageRows, 'newest' | 'rowIdOf' | 'guidOf' | 'highestIssued'>,
  generation: string,
  newestKnown: () => readonly string[],
): Anchor {
  if (known === undefined)
    return { kind: 'first', position: behindNewest(rows, generation), keepsPending: false };
  if (known.generation === generation && rows.highestIssued() >= known.rowId && isSameRow(known, rows)) {
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

/** A backup copied over the file gives our ROWID to another message; a row that is gone was only deleted. */
function isSameRow({ rowId, guid }: ReadingPosition, rows: Pick<MessageRows, 'guidOf'>): boolean {
  if (guid === null) return true;
  const there = rows.guidOf(rowId);
  return there === undefined || there === guid;
}

function behindNewest(rows: Pick<MessageRows, 'newest'>, generation: string): ReadingPosition {
  const newest = rows.newest();
  return { generation, rowId: newest?.rowId ?? 0, guid: newest?.guid ?? null };
}
