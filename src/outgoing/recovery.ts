import type { Logger } from '../logging/Logger.js';
import type { MessageSender, SentRows } from '../model/sending.js';
import type { Store } from '../store/Store.js';
import { rowWatchedMs, sendTrace } from '../store/sendRecord.js';
import { type Clock, sleep } from '../system/clock.js';
import { knownRows, matchRows } from './SendVerifier.js';

/** What could not be stored (disk full) is tried again so soon. */
const STORE_RETRY_MS = 2_000;
/** Names, among the small facts of the store, the boot in which all attempts were made that are not settled. */
const BOOT = 'boot';

/**
 * Settles the attempts of an earlier run: waits for an osascript that is still running, until its deadline.
 * An attempt that ended without dispatching and has no row in chat.db is provably not started and is queued
 * again; for any other, the agent looks for the row. `boot` identifies the current boot (`bootId`); if the
 * machine was restarted since the attempt, or that is not known, nothing is proven. It is stored once no
 * attempt of an earlier boot is left.
 */
export async function recoverAttempts(
  store: Store,
  sender: MessageSender,
  rows: SentRows,
  clock: Clock,
  log: Logger,
  boot: string | undefined,
): Promise<void> {
  const isSameBoot = boot !== undefined && store.meta.get(BOOT) === boot;
  for (const send of store.sends.attempting()) {
    const tag = send.tag ?? '';
    const end = await sender.settle(tag, isSameBoot);
    if (end === undefined) return;
    const { proofs, undecided } = matchRows([send], rows, knownRows(store), clock.now());
    const isKnown = end.dispatched || proofs.has(send.seq) || undecided.has(send.seq);
    // Of a copy that was put back, what it has of the attempt is from before the attempt ended.
    const dispatched = isKnown || store.lineage.isForgotten(send);
    const settle = () => {
      if (dispatched) {
        const error = 'The agent was killed while the text was being sent; it did not appear in chat.db.';
        store.sends.ended(send.seq, clock.now() + rowWatchedMs(send), {
          errorCode: 'outcome_unknown',
          error,
        });
        store.lineage.takeUpAttempt(send);
      } else {
        const { form, attempts } = send;
        store.sends.requeue(send.seq, { form, attempts, notBefore: 0, errorCode: null, error: null });
      }
    };
    if (!(await stored(store, clock, settle))) return;
    sender.forget(tag);
    log.info('Resolved a text that was being sent when the agent was killed', {
      ...sendTrace(send),
      dispatched,
    });
  }
  if (!isSameBoot && boot !== undefined) await stored(store, clock, () => store.meta.set(BOOT, boot));
}

/** Resolves when `write` is stored; false if the store was closed before. */
async function stored(store: Store, clock: Clock, write: () => void): Promise<boolean> {
  while (!store.tryWrite(write)) {
    if (!store.isOpen) return false;
    await sleep(clock, STORE_RETRY_MS);
  }
  return true;
}
