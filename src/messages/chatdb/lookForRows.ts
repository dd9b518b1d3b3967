import { type Gathered, gather, type PendingRow } from './incomingBatch.js';
import { type Anchor, anchor, type ReadingPosition } from './readingPosition.js';
import type { MessageRows } from './rows.js';

/** So many rows are read in one go. */
const BATCH = 200;

/** Where the reading stands, what waits, and what is to be read. */
export interface Place {
  known: ReadingPosition | undefined;
  pending: readonly PendingRow[];
  /** The guids of the messages that we have, the newest first. */
  newestKnown: () => readonly string[];
  beside: Parameters<typeof gather>[4];
}

/** Nothing is gathered unless the database is the one that was read last. */
export interface Look {
  anchored: Anchor;
  gathered: Gathered;
}

/** Finds the place in the database that is open and reads on from there. Throws SqliteError. */
export function lookForRows(place: Place, rows: MessageRows, generation: string): Look {
  const { known, pending, newestKnown, beside } = place;
  const anchored = anchor(known, rows, generation, newestKnown);
  const { position } = anchored;
  const gathered =
    anchored.kind === 'same'
      ? gather(rows, position, pending, BATCH, beside)
      : { rows: [], position, full: false };
  return { anchored, gathered };
}
