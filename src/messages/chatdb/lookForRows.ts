import type { AttachmentRow, ChatRow } from './chatRow.js';
import type { DateLook, DatePage, LookState } from './DateLook.js';
import { type Gathered, gather, type PendingRow } from './incomingBatch.js';
import { type Anchor, anchor, type ReadingPosition } from './readingPosition.js';
import type { MessageRows, RowPosition } from './rows.js';

/** So many rows are read in one go. */
const BATCH = 200;
/** So many of the rows before the cursor are remembered when reading begins: those of about two days on a busy Mac. */
const SEEDS = 2000;

/** Where the reading stands, what waits, and what is to be read. */
interface Place {
  known: ReadingPosition | undefined;
  pending: readonly PendingRow[];
  /** The guids of the messages that we have, the newest first. */
  newestKnown: () => readonly string[];
  beside: Parameters<typeof gather>[4];
  /** Rows that were read before, which tell whether ROWIDs are still the same. */
  samples: readonly RowPosition[];
  /** The rows before the cursor are not remembered yet. */
  needsSeeds: boolean;
  /** A page of rows by date is to be read, instead of those behind the position. */
  byDate: { look: DateLook; state: LookState; isSeen: (guid: string) => boolean } | undefined;
}

/** A row that was passed before rows were remembered. */
export interface Seed {
  row: ChatRow;
  attachments: readonly AttachmentRow[];
}

/** Nothing is gathered unless the database is the one that was read last. */
interface Look {
  anchored: Anchor;
  gathered: Gathered;
  page: DatePage | undefined;
  seeds: readonly Seed[];
}

/** Finds the place in the database that is open and reads on from there. Throws SqliteError. */
export function lookForRows(place: Place, rows: MessageRows, generation: string): Look {
  const { known, pending, newestKnown, beside, byDate } = place;
  const anchored = anchor(known, rows, generation, newestKnown, place.samples);
  const { position, kind } = anchored;
  const isSame = kind === 'same';
  const needsSeeds = kind === 'first' || (isSame && place.needsSeeds);
  const seeds = needsSeeds ? seedsBefore(position, pending, rows) : [];
  if (!isSame) return { anchored, gathered: { rows: [], position, full: false }, page: undefined, seeds };
  const page = byDate?.look.read(byDate.state, { rows, isSeen: byDate.isSeen });
  return { anchored, gathered: gather(rows, position, pending, BATCH, beside, page?.rows), page, seeds };
}

function seedsBefore(
  { rowId }: ReadingPosition,
  pending: readonly PendingRow[],
  rows: MessageRows,
): readonly Seed[] {
  const waiting = new Set(pending.map((row) => row.rowId));
  return rows
    .rowsAfter(rowId - SEEDS, SEEDS)
    .filter((row) => row.rowId <= rowId && !waiting.has(row.rowId))
    .map((row) => ({ row, attachments: row.hasAttachments === 1 ? rows.attachments(row.rowId) : [] }));
}
