import type { ChatDb } from '../messages/chatdb/ChatDb.js';
import type { LedgerGap } from '../store/lineage.js';
import type { Store } from '../store/Store.js';
import { SEEN_KEPT_DAYS } from '../store/seenRows.js';
import type { Clock } from '../system/clock.js';

const DAY_MS = 86_400_000;
/** A clock may have been behind by so much when a row was written, in ms. */
const BEHIND_MS = DAY_MS;
/** Rows read in one go. */
const PAGE = 1000;

/**
 * What is in chat.db when a gap is found belongs to it: notes how far chat.db reaches, and the outgoing rows that the store does not
 * know. To be called before chat.db is read on; while it cannot be read, nothing is noted, and nothing that may be of the gap
 * goes out.
 */
export function noteGap(
  store: Store,
  chatDb: Pick<ChatDb, 'generation' | 'highestRowId' | 'rowsOfSendsSince'>,
  clock: Pick<Clock, 'now'>,
): void {
  const gap = store.lineage.gap();
  if (gap === undefined || (gap.areRowsNoted && gap.untilRow !== null)) return;
  const generation = chatDb.generation();
  const isSame = gap.generation === generation;
  if (generation === null || (gap.areRowsNoted && !isSame)) return;
  const rowId = chatDb.highestRowId();
  if (rowId === null) return;
  const rows = gap.areRowsNoted ? [] : unknownRows(store, chatDb, startOf(gap, clock.now()));
  // Where a read fails, there are no rows: that proves nothing.
  if (chatDb.highestRowId() === null) return;
  store.write(() => {
    if (!gap.areRowsNoted) store.lineage.noteGapRows(rows);
    if (isSame) store.lineage.endGapAt(rowId);
  });
}

/** From when on (Unix ms) a row of the gap may be dated, and rows that were judged are remembered. */
function startOf({ copiedAt }: LedgerGap, now: number): number {
  return Math.max((copiedAt ?? now) - BEHIND_MS, now - SEEN_KEPT_DAYS * DAY_MS);
}

/** Outgoing rows from then on that are neither judged nor the proof of a text, in the order of their dates. */
function unknownRows(
  store: Store,
  chatDb: Pick<ChatDb, 'rowsOfSendsSince'>,
  from: number,
): { guid: string; sentAt: number | null }[] {
  const read = new Map<string, { guid: string; sentAt: number | null }>();
  for (let since = from; ; ) {
    const page = chatDb.rowsOfSendsSince(since, PAGE).filter(({ guid }) => !read.has(guid));
    for (const { guid, sentAt } of page) read.set(guid, { guid, sentAt });
    const last = page.at(-1)?.sentAt ?? null;
    if (last === null) break;
    since = last;
  }
  return [...read.values()].filter(
    ({ guid }) => !store.cursor.seen.has(guid) && !store.sends.isClaimed(guid),
  );
}
