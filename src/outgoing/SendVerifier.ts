import type { Logger } from '../logging/Logger.js';
import type { SendRecord, SentRow, SentRows } from '../model/sending.js';
import type { Store } from '../store/Store.js';
import { sendTrace } from '../store/sendRecord.js';
import type { Clock, Timer } from '../system/clock.js';
import { SteadyTime } from '../system/SteadyTime.js';
import { knownRows, matchRows } from './matchRows.js';
import type { OutcomeRecorder } from './OutcomeRecorder.js';
import { notDelivered } from './outcome.js';

/** How long after osascript ended the ack may wait for the row. */
const ROW_EXPECTED_MS = 10_000;
/** The same for a file, which Messages copies first. */
const FILE_ROW_EXPECTED_MS = 30_000;
/** How long the row is looked for in all; Messages has been seen to send up to 124 s late. */
const ROW_WATCHED_MS = 180_000;
/** The same for a file; other senders wait as long (docs/facts.md#proof). */
const FILE_ROW_WATCHED_MS = 20 * 60_000;
/** While a row that may be its own is not settled, a verdict that is due is looked at again so soon. */
const UNDECIDED_LOOK_MS = 1_000;
/** A verdict that could not be stored is tried again so soon. */
const STORE_RETRY_MS = 2_000;
/** A text with an unknown outcome is sent again at most so often, where the operator asked for that. */
const MOST_RESENDS = 1;

/** How long the row of a send is looked for after osascript ended, in ms. */
export function rowWatchedMs(send: Pick<SendRecord, 'file'>): number {
  return send.file === null ? ROW_WATCHED_MS : FILE_ROW_WATCHED_MS;
}

function rowExpectedMs(send: Pick<SendRecord, 'file'>): number {
  return send.file === null ? ROW_EXPECTED_MS : FILE_ROW_EXPECTED_MS;
}

interface SendVerifierOptions {
  store: Store;
  rows: SentRows;
  settlement: OutcomeRecorder;
  clock: Clock;
  log: Logger;
  /** Whether the operator wants texts with an unknown outcome sent again. */
  resendUnknown: () => boolean;
  /** Called at the end of a write that settled something: the lane may go on. */
  settled: () => void;
  /** A text is to go out again. */
  requeued: (send: SendRecord) => void;
}

/**
 * Proves texts by their rows in chat.db. Without a row after 10 s a text is reported as unknown; its row is looked for
 * until 180 s and, if it comes, corrects the report. A row with an error has these 10 s too: Messages may send it by SMS.
 */
export class SendVerifier {
  private timer: Timer | undefined;
  private whenIdle: (() => void)[] = [];
  /** Monotonic deadlines of the verdicts, so that a wall clock that is set cannot hold a lane or cut a wait short. */
  private readonly verdicts = new Map<string, number>();
  /** Until when (monotonic) the verdict on a send waits for a row whose direction is not settled. */
  private readonly undecidedUntil = new Map<string, number>();
  private readonly steady: SteadyTime;

  constructor(private readonly options: SendVerifierOptions) {
    this.steady = new SteadyTime(options.clock);
  }

  /** Looks now; call it when chat.db changed and when an attempt ended. Cheap when nothing is watched. */
  look(): void {
    const watched = this.options.store.sends.watched();
    const stored = watched.length === 0 || this.examine(watched);
    this.arm(stored ? 0 : STORE_RETRY_MS);
    if (this.isIdle()) for (const resolve of this.whenIdle.splice(0)) resolve();
  }

  /** Resolves when no ack waits for a row any more. */
  idle(): Promise<void> {
    if (this.isIdle()) return Promise.resolve();
    return new Promise((resolve) => this.whenIdle.push(resolve));
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  private isIdle(): boolean {
    return !this.options.store.sends.watched().some((send) => send.state === 'confirming');
  }

  /** False if what was found could not be stored. */
  private examine(watched: readonly SendRecord[]): boolean {
    const { store, rows, clock } = this.options;
    const { proofs, undecided, ghosts } = matchRows(watched, rows, knownRows(store), clock.now());
    const now = clock.monotonic();
    const isDue = (send: SendRecord) => this.verdictAt(send) <= now;
    const proven = watched.flatMap((send) => {
      const row = proofs.get(send.seq);
      return row === undefined || (mayRecover(send, row) && !isDue(send)) ? [] : [{ send, row }];
    });
    const due = watched.filter((send) => {
      if (proofs.has(send.seq) || !isDue(send)) return false;
      return !undecided.has(send.seq) || !this.waitsLonger(send);
    });
    if (proven.length === 0 && due.length === 0) return true;
    return store.tryWrite(() => {
      for (const { send, row } of proven) this.prove(send, row);
      for (const send of due) {
        if (send.state === 'unknown') this.endWatch(send, undecided.has(send.seq));
        else this.giveUp(send, ghosts.has(send.seq));
      }
      this.options.settled();
    });
  }

  /**
   * A row that may be its own is there, and chat.db does not say yet whether it went out: the verdict waits for that, as long as
   * a row is looked for in all.
   */
  private waitsLonger(send: SendRecord): boolean {
    const { clock } = this.options;
    const key = verdictKey(send);
    const now = clock.monotonic();
    const end = this.undecidedUntil.get(key) ?? now + rowWatchedMs(send) - rowExpectedMs(send);
    this.undecidedUntil.set(key, end);
    if (now >= end) return false;
    this.verdicts.set(key, Math.min(now + UNDECIDED_LOOK_MS, end));
    return true;
  }

  private prove(send: SendRecord, row: SentRow): void {
    const { settlement, log } = this.options;
    if (row.error !== 0) {
      const message = notDelivered(row.error);
      settlement.settle(send, { kind: 'failed', errorCode: 'not_delivered', message, guid: row.guid });
      return;
    }
    const late = send.state === 'unknown';
    if (late) log.info('A text whose outcome was unknown has arrived', sendTrace(send));
    const { guid, service } = row;
    settlement.settle(send, { kind: 'sent', confirmed: true, guid, service, late });
  }

  private giveUp(send: SendRecord, isGhost: boolean): void {
    const { settlement, log } = this.options;
    if (isGhost) {
      const message = 'Messages left an empty row that belongs to no chat: the text was not sent.';
      settlement.settle(send, { kind: 'failed', errorCode: 'not_delivered', message });
    } else {
      const message = send.error ?? 'Messages accepted the text, but it did not appear in chat.db.';
      settlement.settle(send, { kind: 'unknown', message }, send.watchUntil);
      log.warn('The outcome of a text is unknown; it is not sent again', sendTrace(send));
    }
  }

  /** `mayBeSent`: a row that may be its own is there, so that sending it again could be sending it twice. */
  private endWatch(send: SendRecord, mayBeSent: boolean): void {
    const { store, log, resendUnknown, requeued } = this.options;
    store.sends.unwatch(send.seq);
    if (mayBeSent || !resendUnknown() || send.resends >= MOST_RESENDS) return;
    log.warn('A text with an unknown outcome is sent again, as outgoing.on_unknown says', sendTrace(send));
    store.sends.resend(send.seq);
    requeued(send);
  }

  private arm(leastMs: number): void {
    this.timer?.cancel();
    this.timer = undefined;
    const watched = this.options.store.sends.watched();
    if (watched.length === 0) {
      this.verdicts.clear();
      this.undecidedUntil.clear();
      return;
    }
    const { clock } = this.options;
    const next = Math.min(...watched.map((send) => this.verdictAt(send)));
    this.timer = clock.after(Math.max(next - clock.monotonic(), leastMs) + 1, () => this.look());
  }

  /** When the next verdict on a watched send falls, on the monotonic clock. */
  private verdictAt(send: SendRecord): number {
    const key = verdictKey(send);
    const known = this.verdicts.get(key);
    if (known !== undefined) return known;
    const { clock } = this.options;
    const window = send.state === 'confirming' ? rowExpectedMs(send) : rowWatchedMs(send);
    const since = send.state === 'confirming' ? (send.endedAt ?? 0) : (send.watchUntil ?? 0) - window;
    const verdict = clock.monotonic() + Math.max(window - this.steady.waited(since), 0);
    this.verdicts.set(key, verdict);
    return verdict;
  }
}

function verdictKey({ seq, state }: SendRecord): string {
  return `${seq} ${state}`;
}

/** Whether an error may yet be gone when the ack is due; nobody waits for a file, which takes longer. */
function mayRecover(send: SendRecord, row: SentRow): boolean {
  return row.error !== 0 && send.state === 'confirming' && send.file === null;
}
