import type { Logger } from '../logging/Logger.js';
import type { Store } from '../store/Store.js';
import { sendTrace } from '../store/sendRecord.js';
import { type Clock, sleep } from '../system/clock.js';
import { knownRows, matchRows } from './matchRows.js';
import type { MessageSender, SentRows } from './ports.js';
import { rowWatchedMs } from './SendVerifier.js';

/** What could not be stored (disk full) is tried again so soon. */
const STORE_RETRY_MS = 2_000;

/**
 * Settles the attempts of an earlier life: waits for an osascript that is still alive, to its deadline. One that ended
 * without dispatching, and of which chat.db has no row, is provably not started and is queued again; for any other the
 * row is looked for.
 */
export async function recoverAttempts(
  store: Store,
  sender: MessageSender,
  rows: SentRows,
  clock: Clock,
  log: Logger,
): Promise<void> {
  for (const send of store.sends.attempting()) {
    const tag = send.tag ?? '';
    const end = await sender.settle(tag, send.attemptedAt ?? send.createdAt);
    if (end === undefined) return;
    const { proofs, undecided } = matchRows([send], rows, knownRows(store));
    const dispatched = end.dispatched || proofs.has(send.seq) || undecided.has(send.seq);
    const settle = () => {
      if (dispatched) {
        const error = 'The agent died while the text was being sent; no row of it appeared in chat.db.';
        store.sends.ended(send.seq, clock.now() + rowWatchedMs(send), {
          errorCode: 'outcome_unknown',
          error,
        });
      } else {
        const { form, attempts } = send;
        store.sends.requeue(send.seq, { form, attempts, notBefore: 0, errorCode: null, error: null });
      }
    };
    while (!store.tryWrite(settle)) {
      if (!store.isOpen) return;
      await sleep(clock, STORE_RETRY_MS);
    }
    sender.forget(tag);
    log.info('Settled a text that was on its way when the agent died', { ...sendTrace(send), dispatched });
  }
}
