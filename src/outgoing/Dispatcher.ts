import { describeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import type { AttemptResult, MessageSender, SendRecord, SendTarget, SentRows } from '../model/sending.js';
import { orderOf } from '../store/cursor.js';
import { diskFault } from '../store/diskFault.js';
import type { Store } from '../store/Store.js';
import { sendTrace } from '../store/sendRecord.js';
import type { Clock, Timer } from '../system/clock.js';
import { randomHex } from '../system/random.js';
import { AttemptEnds, type BegunAttempt } from './AttemptEnds.js';
import type { ConversationQueues, NextSend } from './ConversationQueues.js';
import { saidMeanwhile } from './DuplicatePairing.js';
import { MachineGate, type NewRecipients, type Pace } from './limits.js';
import type { OutcomeRecorder } from './OutcomeRecorder.js';
import { notDelivered, outcomeOf } from './OutcomeRecorder.js';
import type { UndecidedTexts } from './SendVerifier.js';
import { type Evidence, isReply, type SentEvidence } from './SentEvidence.js';

type RowPosition = NonNullable<ReturnType<SentRows['position']>>;

export type StartListener = (send: SendRecord) => void;

/** A write that failed when an attempt had ended is tried again so often; the slot stays taken meanwhile. */
const STORE_RETRY_MS = 2_000;

/** A text of a time of which the ledger is not complete waits so long for a chat.db that cannot be read, or a row that settles. */
const UNREADABLE_RETRY_MS = 5_000;

/** The message for a text with an unknown outcome that a forgotten agent had begun to send. */
const BEGUN =
  'The store was restored; an agent that ran after the backup had begun to send this text, which did not appear in chat.db.';

/** Why a text that was to be sent again is not. */
const NOT_AGAIN =
  'It is not known whether the first attempt was sent; meanwhile the same words were sent for the same message.';

/** Why a text of such a time is not sent, though no row proves it. */
const DOUBT = {
  answered: 'The store was restored, and chat.db has a different answer to this message.',
  doubtful: 'The store was restored, and chat.db has a text with the same words that may be this one.',
  withheld:
    'The store was restored; this text fell due before that and was not sent then, so it may have been cancelled.',
} as const;

/**
 * Hands texts to osascript, one at a time in all. The ledger says "attempting" before osascript is started; what it
 * answered is stored in one write with everything that follows, and with the next attempt.
 */
export class Dispatcher {
  private current: BegunAttempt | undefined;
  private open = false;
  private timer: Timer | undefined;
  private rereading: Timer | undefined;
  private idle: (() => void)[] = [];
  /**
   * It caused an internal error when it was its turn, in any write, and is set aside before another one
   * begins.
   */
  private odd: { send: SendRecord; fault: unknown } | undefined;
  /** While there is one: when it is set aside, or that it is being set aside. */
  private settingAside: Timer | undefined;
  /** What keeps every text from its beginning. */
  private held: Promise<unknown> | undefined;
  private readonly machine: MachineGate;
  private readonly ends: AttemptEnds;
  /** Since when (Unix ms) texts wait because chat.db does not show whether they were sent, by their seq. */
  private readonly unsettled = new Map<number, number>();
  private readonly startListeners: StartListener[] = [];

  constructor(
    private readonly store: Store,
    private readonly lanes: ConversationQueues,
    private readonly sender: MessageSender,
    private readonly rows: SentRows,
    private readonly settlement: OutcomeRecorder,
    private readonly clock: Clock,
    private readonly log: Logger,
    private readonly limits: { pace: Pace; newRecipients: NewRecipients },
    private readonly evidence: SentEvidence,
    private readonly attemptEnded: () => void,
  ) {
    this.machine = new MachineGate(clock);
    this.ends = new AttemptEnds(store, lanes, rows, settlement, clock, log, this.machine);
    store.onRollback(() => {
      // In no write: the one that failed may be tried again by then, without this text.
      if (this.odd !== undefined) this.settingAside ??= this.clock.after(0, () => this.setOddAside());
      this.reread();
    });
  }

  /** Memory becomes as the ledger is. Where that cannot be read, the store asks again before it writes. */
  private reread(): void {
    const { store, current } = this;
    if (!store.isOpen) return;
    try {
      if (current !== undefined && store.sends.get(current.send.seq)?.tag !== current.tag)
        this.current = undefined;
      this.limits.newRecipients.reload();
      this.lanes.reload();
    } catch (fault) {
      this.rereading?.cancel();
      // What waits may go out all the same, whether or not anything is written meanwhile.
      this.rereading = this.clock.after(STORE_RETRY_MS, () => {
        store.tryRead(() => this.reread());
        this.pump();
      });
      throw fault;
    }
  }

  /** Called right after each text was passed to osascript; `send` is its state before the attempt. */
  onStarted(listener: StartListener): void {
    this.startListeners.push(listener);
  }

  /**
   * Texts that wait because chat.db does not show yet whether they were sent before the store was restored.
   */
  undecided(): UndecidedTexts {
    for (const seq of this.unsettled.keys())
      if (this.store.sends.get(seq)?.state !== 'queued') this.unsettled.delete(seq);
    return { texts: this.unsettled.size, since: Math.min(...this.unsettled.values()) };
  }

  /** From here on texts go out. */
  start(): void {
    this.open = true;
    this.pump();
  }

  /** No further text is sent; resolves when the current one has ended. */
  stop(): Promise<void> {
    this.open = false;
    for (const timer of [this.timer, this.rereading, this.settingAside]) timer?.cancel();
    if (this.current === undefined) return Promise.resolve();
    return new Promise((resolve) => this.idle.push(resolve));
  }

  /** Sends what is due, in a separate write if there is anything. */
  pump(): void {
    if (!this.open || this.current !== undefined) return;
    const next = this.store.tryRead(() => this.next())?.value;
    if (next !== undefined && next.kind !== 'now') this.arm(next);
    else if (next === undefined || !this.claimed()) this.arm({ kind: 'later', inMs: STORE_RETRY_MS });
  }

  /** False if the disk did not take it. */
  private claimed(): boolean {
    try {
      return this.store.tryWrite(() => this.claim());
    } catch (fault) {
      if (this.odd === undefined) throw fault;
      return true;
    }
  }

  /** Outside a write: the text that cannot be processed becomes unknown, and its conversation continues. */
  private setOddAside(): void {
    const { odd } = this;
    if (odd === undefined || !this.store.isOpen) return;
    // Where it came in the write that failed, it may have been stored again since, or not at all.
    const send = this.store.tryRead(() => this.store.sends.findById(odd.send.id) ?? null)?.value;
    const isOver = send === null || (send !== undefined && send.state !== 'queued');
    if (!isOver && (send === undefined || !this.setAside(send, odd.fault))) {
      this.settingAside = this.clock.after(STORE_RETRY_MS, () => this.setOddAside());
      return;
    }
    this.settingAside = undefined;
    this.odd = undefined;
    this.pump();
  }

  /** Outside a write. False if the disk did not take it all. */
  private setAside(send: SendRecord, fault: unknown): boolean {
    const cause = describeError(fault);
    this.log.error('A text could not be processed; set aside', { ...sendTrace(send), cause });
    return this.settlement.setAside(send, cause);
  }

  /** Inside a write: takes the text whose turn it is, if the slot is free; it is started after the commit. */
  readonly claim = (): void => {
    if (!this.open || this.current !== undefined || this.odd !== undefined) return;
    for (;;) {
      const next = this.next();
      if (next.kind !== 'now') {
        this.store.afterCommit(() => this.arm(next));
        return;
      }
      if (this.tryBegin(next.send)) return;
    }
  };

  /** All data from chat.db is of one instant. */
  private tryBegin(send: SendRecord): boolean {
    let isBegun = false;
    try {
      this.rows.whole(() => {
        isBegun = this.begin(send);
      });
      return isBegun;
    } catch (fault) {
      if (diskFault(fault) === undefined) this.odd ??= { send, fault };
      throw fault;
    }
  }

  private next(): NextSend {
    const next = this.lanes.next();
    if (next.kind !== 'now') return next;
    const inMs = this.machine.opensInMs();
    if (inMs > 0) return { kind: 'later', inMs };
    const hold = this.sender.hold?.();
    if (hold === undefined) return next;
    this.pumpAfter(hold);
    return { kind: 'none' };
  }

  private pumpAfter(hold: Promise<unknown>): void {
    if (this.held === hold) return;
    this.held = hold;
    void hold.then(() => {
      if (this.held === hold) this.held = undefined;
      this.pump();
    });
  }

  /** False if the text could not even be tried and was settled. */
  private begin(send: SendRecord): boolean {
    const known = this.sender.targets(send.conversation, send.threadId, send.chatGuid);
    if (known === undefined) {
      this.waitForChatDb(send);
      return false;
    }
    const worked = this.store.targetForms.get(send.conversation);
    const targets = inOrder(known, worked);
    const target = targets[Math.min(send.form, targets.length - 1)];
    if (target === undefined) {
      const missing = `Messages has no conversation ${send.threadId} that may be used.`;
      const message = this.sender.needsSms?.(send.conversation, send.threadId)
        ? `${missing} With outgoing.sms_fallback: never, SMS conversations are not used.`
        : missing;
      this.settlement.settle(send, { kind: 'failed', errorCode: 'send_refused', message });
      return false;
    }
    if (this.ends.hasRow(send)) {
      this.ends.awaitRow(send, null);
      this.store.afterCommit(() => this.attemptEnded());
      return false;
    }
    if (this.isSaidAlready(send)) return false;
    // Read before the rows are compared: rows that arrive meanwhile come after it.
    const position = this.rows.position();
    const evidence = this.evidence.of(send);
    if (evidence.kind === 'unsettled') {
      if (!this.unsettled.has(send.seq)) this.unsettled.set(send.seq, this.clock.now());
      this.waitForChatDb(send);
      return false;
    }
    this.unsettled.delete(send.seq);
    if (evidence.kind !== 'none') {
      this.heed(send, evidence, position);
      return false;
    }
    this.countRecipient(send, known, position);
    const tag = tagOf(send);
    this.store.sends.begin(send.seq, { tag, ...placeOf(send, position) });
    this.noteBegun(send);
    this.lanes.changed(send.conversation);
    const isBest = target.form === known[0]?.form;
    const attempt = { send, tag, form: target.form, isBest, formCount: targets.length, worked };
    this.current = attempt;
    this.store.afterCommit(() => {
      const ended = this.sender.start({ tag, text: send.text, file: send.file, target });
      ended.then((result) => this.ended(attempt, result));
      this.lanes.dispatched(send.conversation);
      this.limits.pace.note(send.conversation);
      this.store.report(() => {
        for (const listener of this.startListeners) listener(send);
        this.log.debug('Passed a text to osascript', { ...sendTrace(send), form: target.form, tag });
      });
    });
    return true;
  }

  /**
   * Inside a write: while this text waited, a row turned out to be a copy, so this text and another one that
   * was (or may have been) sent answer one message in the same words. This text ends as a duplicate of the
   * other; it waits until that one has an outcome. If it is a first bubble, its message counts as begun to be
   * answered. A text with an unknown outcome that was to be sent again stays unknown.
   */
  private isSaidAlready(send: SendRecord): boolean {
    const said = saidMeanwhile(this.store, send);
    if (said === undefined) return false;
    const outcome = outcomeOf(said, this.store.sends);
    if (outcome === undefined) {
      this.waitForChatDb(send);
      return true;
    }
    if (send.resends > 0) {
      this.settlement.settle(send, { kind: 'unknown', message: NOT_AGAIN });
      return true;
    }
    if (isReply(send)) this.store.lineage.beginAnswer(this.store.incoming.find(send.answers));
    this.settlement.settleAsDuplicate(send, said, outcome);
    return true;
  }

  /** Inside a write: the ledger may have lost the record of this text, and chat.db has something to say of it. It is not sent. */
  private heed(
    send: SendRecord,
    evidence: Exclude<Evidence, { kind: 'none' | 'unsettled' }>,
    position: RowPosition | undefined,
  ): void {
    if (evidence.kind === 'begun') {
      this.takeUp(send, position, evidence.firstRow);
      return;
    }
    if (evidence.kind === 'sent') {
      const { guid, service, error } = evidence.row;
      this.evidence.noteProof(send, evidence.row);
      this.log.warn(
        'chat.db already has this text, although the store does not have it as sent; it is not sent again',
        sendTrace(send),
      );
      if (error === 0)
        this.settlement.settle(send, { kind: 'sent', confirmed: true, guid, service, late: false });
      else
        this.settlement.settle(send, {
          kind: 'failed',
          errorCode: 'not_delivered',
          message: notDelivered(error),
          guid,
        });
      return;
    }
    this.log.warn('It is not known whether a text was sent before the store was restored; it is not sent', {
      ...sendTrace(send),
      why: evidence.kind,
    });
    this.settlement.settle(send, { kind: 'unknown', message: DOUBT[evidence.kind] });
  }

  /**
   * Inside a write: an agent that the store forgot had begun to send it. It is as after a crash: its row is looked for, and the ack says
   * within seconds whether it came.
   */
  private takeUp(send: SendRecord, position: RowPosition | undefined, firstRow: number | null): void {
    if (position === undefined) {
      this.waitForChatDb(send);
      return;
    }
    this.log.warn('An agent with another store was killed while it sent this text; its row is looked for', {
      ...sendTrace(send),
    });
    const rowId = firstRow === null ? position.rowId : firstRow - 1;
    this.store.sends.begin(send.seq, { tag: tagOf(send), ...placeOf(send, { ...position, rowId }) });
    this.evidence.takeUp(send);
    this.noteBegun(send);
    this.ends.endAttempt(send, BEGUN);
    this.store.afterCommit(() => this.attemptEnded());
  }

  /** Inside a write: without chat.db nothing is known of this text's chat or row. It keeps its place. */
  private waitForChatDb(send: SendRecord): void {
    const { form, attempts, errorCode, error } = send;
    const notBefore = this.lanes.putOff(UNREADABLE_RETRY_MS);
    this.store.sends.requeue(send.seq, { form, attempts, notBefore, errorCode, error });
    this.lanes.changed(send.conversation);
  }

  /**
   * Inside a write: an older copy of the store would not know that it was begun, nor that its message was begun to be answered. A reflex
   * is no answer: the reply follows it, whatever it says.
   */
  private noteBegun(send: SendRecord): void {
    const { lineage, incoming } = this.store;
    lineage.beginAttempt();
    if (isReply(send)) lineage.beginAnswer(incoming.find(send.answers));
  }

  /** Inside a write: counts for the limit who is written to, which has let it pass. */
  private countRecipient(
    { conversation }: SendRecord,
    targets: readonly SendTarget[],
    position: RowPosition | undefined,
  ): void {
    const hasChat = position === undefined ? undefined : targets.some(({ form }) => form === 'chat');
    this.limits.newRecipients.note(conversation, hasChat);
  }

  private ended(attempt: BegunAttempt, result: AttemptResult): void {
    this.machine.note(result);
    if (this.machine.failures > 0) this.limits.pace.takeBack(attempt.send.conversation);
    this.storeEnd(attempt, result);
  }

  private storeEnd(attempt: BegunAttempt, result: AttemptResult): void {
    if (!this.isEndStored(attempt, result)) {
      this.current = attempt;
      if (this.store.isOpen) this.clock.after(STORE_RETRY_MS, () => this.storeEnd(attempt, result));
      return;
    }
    this.sender.forget(attempt.tag);
    this.attemptEnded();
    this.pump();
    if (this.current === undefined) for (const resolve of this.idle.splice(0)) resolve();
  }

  /**
   * False if the disk could not store it. An outcome that causes an internal error does not affect other
   * texts.
   */
  private isEndStored(attempt: BegunAttempt, result: AttemptResult): boolean {
    const conclude = () => {
      this.current = undefined;
      this.ends.conclude(attempt, result);
    };
    try {
      return this.store.tryWrite(() => {
        conclude();
        this.store.beforeCommit(this.claim);
      });
    } catch {
      // It may be the next text that tripped, whose turn came in the same write.
      const faults: unknown[] = [];
      if (!this.store.tryEach([attempt], conclude, (_, fault) => void faults.push(fault))) return false;
      return faults.every((fault) => this.setAside(attempt.send, fault));
    }
  }

  private arm(next: { kind: 'later'; inMs: number } | { kind: 'none' } | { kind: 'now' }): void {
    this.timer?.cancel();
    this.timer = undefined;
    if (next.kind === 'later' && this.open) this.timer = this.clock.after(next.inMs, () => this.pump());
  }
}

/** Behind which row its own one comes. One that an earlier attempt left may come late: it counts from where the first one began. */
function placeOf(
  send: SendRecord,
  position: RowPosition | undefined,
): { generation: string | null; afterRow: number | null } {
  const generation = position === undefined ? null : orderOf(position);
  const isRetry = send.afterRow !== null && send.generation === generation;
  return { generation, afterRow: isRetry ? send.afterRow : (position?.rowId ?? null) };
}

function tagOf({ seq, attempts, form }: SendRecord): string {
  return `${seq}-${attempts}${form}-${randomHex(6)}`;
}

/**
 * The ways to address a conversation in the order in which they are tried: the one that worked lately before the others,
 * which keep their order.
 */
function inOrder(targets: readonly SendTarget[], worked: string | undefined): readonly SendTarget[] {
  if (worked === undefined || targets[0]?.form === worked) return targets;
  const best = targets.filter(({ form }) => form === worked);
  return best.length === 0 ? targets : [...best, ...targets.filter(({ form }) => form !== worked)];
}
