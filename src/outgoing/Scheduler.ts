import { describeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import type { ErrorCode } from '../model/errorCodes.js';
import type { OutgoingFile, TextQueue } from '../model/sending.js';
import { diskFault } from '../store/diskFault.js';
import type { Store } from '../store/Store.js';
import type { ScheduledText, ScheduleState } from '../store/schedule.js';
import { type GoneOut, type SentTexts, tooLateVerdict, type WantedText } from '../store/sendRecord.js';
import type { Clock, Timer } from '../system/clock.js';
import { freshId } from '../system/random.js';

/** What the command that scheduled a text is acked with. */
type ScheduleVerdict =
  | { kind: 'completed'; result?: Record<string, unknown> }
  | { kind: 'failed'; code: ErrorCode | null; message: string; result?: Record<string, unknown> };

/** Acks commands; called inside a write. */
interface ScheduleAcks {
  give(commandId: string, verdict: ScheduleVerdict): void;
}

interface SchedulerOptions {
  store: Store;
  texts: TextQueue & SentTexts;
  acks: ScheduleAcks;
  clock: Clock;
  log: Logger;
  /** How old, in ms, an instant (Unix ms) of the backend's clock is; by this machine's clock if left out. */
  ageOf?: (at: number) => number;
  /** Whether the backend has said in this life what time it is by its clock; true if left out. */
  knowsBackendTime?: () => boolean;
  settings: () => { maxLatenessMs: number; acks: 'stored' | 'sent' | 'both' };
}

const BATCH = 100;
/** The same if each has a separate write. */
const WATCHED_BATCH = 10;
/** A timer runs by another clock than the wall's: until the next text is due, the wall's is looked at so often. */
const LOOK_EVERY_MS = 60_000;
/** A due text that could not be stored as being sent is tried again so soon. */
const STORE_RETRY_MS = 2_000;
/** A text that is too late by this machine's clock alone waits so long for what the backend's says, and is looked at so often. */
const SECOND_CLOCK_MS = 10 * 60_000;
const SECOND_CLOCK_LOOK_MS = 2_000;

/** What became of a wish to take a scheduled text back. */
export type Cancellation =
  | { kind: 'cancelled'; scheduleId: string }
  | { kind: 'refused'; state: ScheduleState }
  | { kind: 'notFound' };

/** Inside a write: takes back a text that is not being sent yet, and acks that where `ackWhen` says so. Needs no running agent. */
export function cancelScheduled(
  { store, acks, ackWhen }: { store: Store; acks: ScheduleAcks; ackWhen: 'stored' | 'sent' | 'both' },
  id: string,
  cancelledBy: string,
): Cancellation {
  const text = store.schedule.find(id);
  if (text === undefined) return { kind: 'notFound' };
  if (text.state !== 'pending') return { kind: 'refused', state: text.state };
  store.schedule.setState(text.scheduleId, 'cancelled', `cancelled by ${cancelledBy}`);
  if (ackWhen !== 'stored') {
    acks.give(text.commandId, {
      kind: 'failed',
      code: null,
      message: `cancelled by ${cancelledBy}`,
      result: { outcome: 'not_sent', retry_safe: true, schedule_id: text.scheduleId },
    });
  }
  return { kind: 'cancelled', scheduleId: text.scheduleId };
}

/**
 * Sends texts at their time, by this machine's wall clock: sleep and clock changes can only delay them.
 * Survives restarts. A text that is overdue by more than the operator allows fails instead of surprising a
 * person, if it is overdue by the backend's clock too. After a start it waits up to 10 min until that is
 * known.
 */
export class Scheduler {
  private timer: Timer | undefined;
  private running = false;
  private readonly startedAt: number;

  constructor(private readonly options: SchedulerOptions) {
    this.startedAt = options.clock.monotonic();
  }

  start(): void {
    this.running = true;
    this.run();
  }

  stop(): void {
    this.running = false;
    this.timer?.cancel();
  }

  /** The clock may have jumped (sleep, wake): looks at once at what is due. */
  clockChanged(): void {
    this.run();
  }

  /** Inside a write: stores a text for later, and acks that. */
  add(text: {
    commandId: string;
    conversation: string;
    threadId: string;
    text: string;
    priority: number;
    sendAt: number;
    files?: readonly OutgoingFile[];
  }):
    | { kind: 'scheduled'; scheduleId: string }
    | { kind: 'tooLate'; byMs: number; goneOut: 'no' | 'unreadable' } {
    const { store, acks, settings } = this.options;
    const byMs = this.lateMs(text.sendAt);
    const goneOut = this.goneOutIfLate(text, byMs);
    if (goneOut !== 'maybe') return { kind: 'tooLate', byMs, goneOut };
    const scheduleId = freshId('sched');
    store.schedule.add({ ...text, scheduleId });
    if (settings().acks !== 'sent') {
      acks.give(text.commandId, { kind: 'completed', result: { schedule_id: scheduleId } });
    }
    store.afterCommit(this.run);
    return { kind: 'scheduled', scheduleId };
  }

  /** Inside a write: takes back a text that is not being sent yet. */
  readonly cancel = (id: string, cancelledBy: string): Cancellation => {
    const { store, acks, settings } = this.options;
    const outcome = cancelScheduled({ store, acks, ackWhen: settings().acks }, id, cancelledBy);
    if (outcome.kind === 'cancelled') store.afterCommit(this.run);
    return outcome;
  };

  /** Scheduled texts as a backend sees them, the earliest first, at most 1000. */
  list(status: string | undefined): Record<string, unknown>[] {
    return this.options.store.schedule.list(status as ScheduleState | undefined, 1000).map((text) => ({
      schedule_id: text.scheduleId,
      command_id: text.commandId,
      thread_id: text.threadId,
      message_text: text.text,
      send_at: new Date(text.sendAt).toISOString(),
      status: text.state,
      error: text.error,
    }));
  }

  /**
   * Inside the write that stores its outcome: a scheduled text has ended, in all its parts; `verdict` is how a send is
   * acked.
   */
  textEnded(send: { commandId: string | null; scheduleId: string | null }, verdict: ScheduleVerdict): void {
    if (send.scheduleId === null || send.commandId === null) return;
    const failed = verdict.kind === 'failed';
    this.options.store.schedule.setState(
      send.scheduleId,
      failed ? 'failed' : 'sent',
      failed ? verdict.message : null,
    );
    if (this.options.settings().acks === 'stored') return;
    const result = { ...verdict.result, schedule_id: send.scheduleId };
    this.options.acks.give(send.commandId, { ...verdict, result });
  }

  private readonly run = (): void => {
    if (!this.running) return;
    this.timer?.cancel();
    const { store, clock } = this.options;
    const inMs = store.tryRead(() => this.sendSlice());
    if (inMs === undefined) this.timer = clock.after(STORE_RETRY_MS, () => this.run());
    else if (inMs.value !== undefined) this.timer = clock.after(inMs.value, () => this.run());
  };

  /** Sends a slice of what is due, and returns in how many ms there is more to do; undefined: nothing is scheduled. */
  private sendSlice(): number | undefined {
    const { store, clock, settings } = this.options;
    const now = clock.now();
    // What is too late by this clock alone waits, and holds up no other.
    const from = this.mayJudge() ? Number.NEGATIVE_INFINITY : now - settings().maxLatenessMs;
    const due = store.schedule.due(now, store.setAside.isWatching ? WATCHED_BATCH : BATCH, from);
    // Others get their turn between two slices, however many texts are due.
    if (due.length > 0) return this.sendAll(due) ? 0 : STORE_RETRY_MS;
    const first = store.schedule.nextDueAt();
    if (first === undefined) return undefined;
    const next = store.schedule.nextDueAt(from) ?? Number.POSITIVE_INFINITY;
    return Math.min(next - now, first < from ? SECOND_CLOCK_LOOK_MS : LOOK_EVERY_MS);
  }

  /** By the clock by which it is less late: if they differ, it is not known which one is wrong. */
  private lateMs(sendAt: number): number {
    const { clock, ageOf } = this.options;
    const byThisClock = clock.now() - sendAt;
    return Math.min(byThisClock, ageOf?.(sendAt) ?? byThisClock);
  }

  /** Whether a text may be called too late: this clock may have been wrong at the start, until the backend's is known. */
  private mayJudge(): boolean {
    const { clock, knowsBackendTime } = this.options;
    return (knowsBackendTime?.() ?? true) || clock.monotonic() - this.startedAt >= SECOND_CLOCK_MS;
  }

  /**
   * `maybe`: it is not known to be too late, or chat.db shows its outcome. Otherwise it is too late, and this
   * is known about it.
   */
  private goneOutIfLate(text: WantedText & { sendAt: number; commandId: string }, lateMs: number): GoneOut {
    const { store, texts, settings } = this.options;
    if (lateMs <= settings().maxLatenessMs || !this.mayJudge()) return 'maybe';
    const madeAt = store.commands.madeAt(text.commandId);
    return texts.mayHaveGoneOut(text, { at: text.sendAt, clock: 'own', madeAt });
  }

  /** False if the disk did not take it. A text that cannot be handed on fails alone. */
  private sendAll(due: readonly ScheduledText[]): boolean {
    const { store } = this.options;
    if (!store.setAside.isWatching) {
      try {
        return store.tryWrite(() => {
          for (const text of due) this.sendOrFail(text);
        });
      } catch {
        // Which of them it was is found below, where each has a separate write.
      }
    }
    return due.every((text) => {
      const sent = store.setAside.attempt('scheduled', text.scheduleId, () =>
        store.tryWrite(() => this.sendOrFail(text)),
      );
      return sent.kind === 'done' ? sent.value : this.giveUp(text, sent.error);
    });
  }

  private giveUp(text: ScheduledText, fault: unknown): boolean {
    const { store, acks, settings, log } = this.options;
    if (diskFault(fault) !== undefined) return false;
    const cause = describeError(fault);
    const message = `The agent could not handle this text: ${cause}`;
    log.error('A scheduled text could not be processed; set aside', { schedule: text.scheduleId, cause });
    return store.tryWrite(() => {
      store.schedule.setState(text.scheduleId, 'failed', `internal: ${message}`);
      store.setAside.note('scheduled', text.scheduleId, cause);
      if (settings().acks === 'stored') return;
      const result = { outcome: 'not_sent', retry_safe: true, schedule_id: text.scheduleId };
      acks.give(text.commandId, { kind: 'failed', code: 'internal', message, result });
    });
  }

  private sendOrFail(text: ScheduledText): void {
    const { store, texts, acks, settings, log } = this.options;
    if (text.isDamaged) throw new Error('its files in the store are damaged');
    const lateMs = this.lateMs(text.sendAt);
    const goneOut = this.goneOutIfLate(text, lateMs);
    if (goneOut !== 'maybe') {
      const late = `The text was due ${Math.round(lateMs / 1000)} s ago (schedule.max_lateness_seconds).`;
      const verdict = tooLateVerdict(late, goneOut);
      store.schedule.setState(text.scheduleId, 'failed', `${verdict.code}: ${verdict.message}`);
      if (settings().acks !== 'stored') {
        acks.give(text.commandId, {
          ...verdict,
          result: { ...verdict.result, schedule_id: text.scheduleId },
        });
      }
      store.report(() =>
        log.warn('A scheduled text was too late to be sent', {
          trace: text.commandId,
          schedule: text.scheduleId,
        }),
      );
      return;
    }
    store.schedule.setState(text.scheduleId, 'sending');
    texts.enqueue({
      id: `schedule:${text.scheduleId}`,
      conversation: text.conversation,
      threadId: text.threadId,
      text: text.text,
      role: 'message',
      priority: text.priority,
      pauseMs: 0,
      commandId: text.commandId,
      scheduleId: text.scheduleId,
      ...(text.files === undefined ? {} : { files: text.files }),
    });
    store.report(() =>
      log.info('A scheduled text is due', { trace: text.commandId, schedule: text.scheduleId }),
    );
  }
}
