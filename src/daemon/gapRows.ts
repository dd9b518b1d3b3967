import type { ChatDb } from '../messages/chatdb/ChatDb.js';
import type { LedgerGap } from '../store/ledgerGap.js';
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
 * know. To be called before chat.db is read on. False: there is one to be noted and chat.db cannot be read, so nothing is noted,
 * nothing that may be of the gap goes out, and no row may be read either: it would count as one that the store knows.
 */
export function noteGap(
  store: Store,
  chatDb: Pick<ChatDb, 'generation' | 'highestRowId' | 'rowsOfSendsSince' | 'whole'>,
  clock: Pick<Clock, 'now'>,
): boolean {
  const gap = store.lineage.gap();
  if (gap === undefined || (gap.areRowsNoted && gap.untilRow !== null)) return true;
  const found = chatDb.whole(() => ({
    isSame: gap.generation === chatDb.generation(),
    rowId: chatDb.highestRowId() ?? 0,
    rows: gap.areRowsNoted ? [] : unknownRows(store, chatDb, startOf(gap, clock.now())),
  }));
  if (found === undefined) return false;
  if (gap.areRowsNoted && !found.isSame) return true;
  store.write(() => {
    if (!gap.areRowsNoted) store.lineage.noteGapRows(found.rows);
    if (found.isSame) store.lineage.endGapAt(found.rowId);
  });
  return true;
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
