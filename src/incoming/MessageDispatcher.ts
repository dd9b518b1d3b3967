import { describeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import type { MessageRequest } from '../model/agentBodies.js';
import type { IncomingMessage, PostResult } from '../model/incoming.js';
import type { TextQueue } from '../model/sending.js';
import { PAST_ITS_AGE } from '../store/incoming.js';
import type { IncomingRecord } from '../store/incomingRecord.js';
import type { Store } from '../store/Store.js';
import { Circuit } from '../system/Circuit.js';
import type { Clock, Timer } from '../system/clock.js';
import { steadyNow } from '../system/clock.js';
import type { Random } from '../system/random.js';
import { messageBody } from './messageBody.js';
import type { MessagePosting } from './ports.js';
import {
  AnswersToOthers,
  isDue,
  LONGEST_WAIT_AT_START_MS,
  PostHistory,
  PostsInFlight,
  retryOf,
  WaitingConversations,
} from './posts.js';
import type { PrivacyFilter } from './privacy.js';
import { HeldReplies, parseReply, type Reply, textsOf } from './reply.js';

const STORE_RETRY_MS = 2_000;

/** A message whose post was committed and has its number. */
type Claimed = IncomingRecord & { readonly sequence: number };

interface MessageDispatcherOptions {
  store: Store;
  backend: MessagePosting;
  /** Of the backend as a whole: while it is open, one post at a time shows whether that is back. */
  circuit?: Circuit;
  replies: TextQueue;
  clock: Clock;
  random: Random;
  log: Logger;
  /** Whether a message that was sent then (Unix ms) is still worth an answer. */
  worthAnswering: (sentAt: number) => boolean;
  settings: () => { bubbleDelayMs: number };
  /** What takes private things out of a message before it leaves; where it gives none, everything is sent. */
  filter?: () => PrivacyFilter | undefined;
  /** Calls its argument at the end of this turn of the loop, so that what was answered in it is one commit; at once if left out. */
  atTurnEnd?: (work: () => void) => void;
  /** Called for a message that is given up because of its age, inside that write. */
  onExpired?: (message: IncomingMessage) => void;
  /** Called if the stored reply to a message (its guid) is damaged and was dropped unsent, inside the write that drops it. */
  onReplyDamaged?: (guid: string, conversation: string) => void;
  /** Called for a message that is set aside because it cannot be delivered to the backend, inside that write. */
  onSetAside?: (message: IncomingMessage) => void;
}

/**
 * Posts incoming messages to the backend and puts its replies into the outgoing lanes. Messages of a conversation one
 * by one (`PostsInFlight`), conversations independently and by turns; a message stays open until it is answered,
 * refused permanently, or too old. Messages that were posted before go first: nothing overtakes a message that is
 * posted again. While posts fail in all conversations, one is posted at a time (`Circuit`), and the waiting ones cost
 * nothing. The reply's bubbles and the mark "answered" are stored in one write, or the reply as held (`HeldReplies`).
 */
export class MessageDispatcher {
  /** So that a clock that is set puts no retry off. */
  private readonly now: () => number;
  private readonly waiting: WaitingConversations;
  private readonly flights: PostsInFlight;
  private readonly held: HeldReplies;
  /** How posts ended, whichever message it was. */
  readonly history: PostHistory;
  private readonly answers = new AnswersToOthers();
  private readonly circuit: Circuit;
  /**
   * Messages whose failed post requested no specific wait; true: the backend accepted another one since, so they need
   * not wait.
   */
  private readonly putOff = new Map<number, boolean>();
  /** In the write that is open. */
  private readonly claimed: Claimed[] = [];
  /** In a write that is stored: they are posted next. */
  private readonly due: Claimed[] = [];
  /** Conversations that were looked at in the write that is open. */
  private readonly looked = new Set<string>();
  private running = false;
  /** When the first answer came in the turn of the loop that runs, monotonic ms. */
  private turnBegan: number | undefined;
  private storeRetry: Timer | undefined;
  private outage = false;
  private emptied: (() => void)[] = [];
  /** Undo what became of posts under way and held replies in the write that is open. */
  private undos: (() => void)[] = [];
  private readonly postListeners: ((record: IncomingRecord) => void)[] = [];

  constructor(private readonly options: MessageDispatcherOptions) {
    const { store, clock, random, circuit } = options;
    this.now = steadyNow(clock);
    this.circuit = new Circuit({ clock, random, ...(circuit === undefined ? {} : { within: circuit }) });
    this.circuit.onProbe(() => {
      if (!this.waiting.isAnyReady) this.waiting.wakeFirst();
      this.pump();
    });
    this.circuit.onRecovery(() => {
      for (const seq of this.putOff.keys()) this.putOff.set(seq, true);
      this.waiting.wakeDelayed();
      this.pump();
    });
    this.history = new PostHistory(clock);
    this.waiting = new WaitingConversations(clock, this.now, () => this.pump());
    this.flights = new PostsInFlight(clock, (conversation) => {
      this.waiting.wake(conversation);
      this.pump();
    });
    this.held = new HeldReplies({
      store,
      clock,
      enqueue: (message, reply) => this.enqueue(message, reply),
      onDamaged: (guid, conversation) => {
        options.log.error('A stored reply is damaged; it cannot be sent', { trace: guid });
        options.onReplyDamaged?.(guid, conversation);
      },
    });
    store.incoming.onOpen((conversation) => {
      this.waiting.wake(conversation);
      store.beforeCommit(this.claim);
    });
    store.incoming.onWithdrawn((conversation) => {
      this.held.release(conversation);
      this.waiting.wake(conversation);
      store.beforeCommit(this.claim);
    });
    store.onRekeyed((moves) => {
      for (const [from, to] of moves) {
        this.undos.push(this.flights.move(from, to), this.held.move(from, to));
        // The old one too: it is found to be empty, unless the write fails.
        this.waiting.wake(from);
        this.waiting.wake(to);
      }
      store.beforeCommit(this.claim);
    });
    store.pauses.afterChange(() => {
      this.waiting.wakeAll();
      this.pump();
    });
    store.onCommit(() => this.keepWrite());
    store.onRollback(() => this.forgetWrite());
  }

  /** Called right before each post of a message. */
  onPost(listener: (record: IncomingRecord) => void): void {
    this.postListeners.push(listener);
  }

  start(): void {
    this.running = true;
    const { store } = this.options;
    store.tryWrite(() => store.incoming.retryBy(this.now() + LONGEST_WAIT_AT_START_MS));
    this.outage = store.outages.isOpen('backend');
    for (const conversation of store.incoming.openConversations()) this.waiting.wake(conversation);
    this.held.start();
    this.pump();
  }

  /** Posts no further message; resolves when those in flight have ended. */
  stop(): Promise<void> {
    this.running = false;
    this.storeRetry?.cancel();
    this.circuit.stop();
    this.waiting.stop();
    this.held.stop();
    if (this.flights.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.emptied.push(resolve));
  }

  /** The backend seems to answer again: a post that failed is tried now. */
  retryNow(): void {
    this.circuit.hint();
  }

  private pump(): void {
    if (!this.running || !this.waiting.isAnyReady || !this.hasRoom()) return;
    if (!this.options.store.tryWrite(this.claim)) this.retryStore();
  }

  private hasRoom(): boolean {
    return this.flights.hasRoom() && this.circuit.mayBegin();
  }

  private retryStore(): void {
    this.storeRetry?.cancel();
    if (this.running) this.storeRetry = this.options.clock.after(STORE_RETRY_MS, () => this.pump());
  }

  /** Inside a write: marks every message whose turn it is as being posted; they are posted after the commit. */
  private readonly claim = (): void => {
    if (!this.running) return;
    for (const conversation of this.waiting) {
      if (!this.hasRoom()) break;
      this.looked.add(conversation);
      this.claimIn(conversation);
    }
    this.options.store.afterCommit(this.launch);
  };

  private readonly launch = (): void => {
    for (const record of this.due.splice(0)) void this.post(record);
  };

  private keepWrite(): void {
    this.due.push(...this.claimed.splice(0));
    this.undos = [];
    this.looked.clear();
  }

  /** The write changed nothing: neither what was claimed in it nor what was concluded from it is so. */
  private forgetWrite(): void {
    const { store } = this.options;
    for (const record of this.claimed.splice(0)) this.flights.end(record.seq);
    for (const undo of this.undos.splice(0).toReversed()) undo();
    for (const conversation of this.looked) this.waiting.wake(conversation);
    if (this.looked.size > 0) this.retryStore();
    this.looked.clear();
    if (store.isOpen) this.outage = store.outages.isOpen('backend');
  }

  /** Claims the conversation's next message if it may be posted now; else says what the conversation waits for. */
  private claimIn(conversation: string): void {
    const { store } = this.options;
    const room = this.flights.roomFor(conversation);
    // It stays ready: any post that ends may make room.
    if (room === 'share') return;
    if (room === 'turn' || store.pauses.holdsIncoming(conversation)) {
      this.waiting.rest(conversation);
      return;
    }
    const next = this.nextOf(conversation);
    if (next === undefined) {
      this.waiting.forget(conversation);
      return;
    }
    if (!isDue(next.retryAt, this.now()) && !this.needNotWait(next.seq)) {
      this.waiting.rest(conversation, next.retryAt);
      return;
    }
    const sequence = store.incoming.postStarted(next.seq, store.sends.newest());
    this.flights.begin(next.seq, conversation);
    this.circuit.began();
    this.claimed.push({ ...next, sequence, attempts: next.attempts + 1 });
    this.waiting.rest(conversation);
  }

  /** Whether a message may be posted before its time: to show whether the backend is back, or as that has shown. */
  private needNotWait(seq: number): boolean {
    return this.putOff.get(seq) === true || (this.putOff.has(seq) && this.circuit.isOpen);
  }

  /** The first message that is not under way; those that are past their age are given up on the way to it. */
  private nextOf(conversation: string): IncomingRecord | undefined {
    for (;;) {
      const records = this.options.store.incoming.open(conversation, this.flights.lookahead(conversation));
      const idle = records.filter(({ seq }) => !this.flights.has(seq));
      const next = idle.find((record) => !this.expire(record));
      if (next !== undefined || idle.length === 0) return next;
    }
  }

  private expire(record: IncomingRecord): boolean {
    const { store, worthAnswering, onExpired, log } = this.options;
    const { guid, sentAt } = record.message;
    if (worthAnswering(sentAt)) return false;
    store.incoming.settle(record.seq, 'expired', PAST_ITS_AGE);
    store.afterCommit(() => this.forget(record.seq));
    this.held.release(record.message.conversation);
    onExpired?.(record.message);
    log.warn('A message could not be delivered to the backend in time; it is not answered', { trace: guid });
    return true;
  }

  private async post(record: Claimed): Promise<void> {
    const { backend, store } = this.options;
    const { message } = record;
    for (const listener of this.postListeners) listener(record);
    const made = this.bodyOf(record);
    if (made.kind === 'unusable') {
      this.conclude(record, made);
      return;
    }
    this.answers.began(record.seq);
    this.putOff.delete(record.seq);
    const result = await backend.postMessage(made.body, message.guid, {
      onWritten: () => this.flights.written(record.seq),
      onResend: () => {
        this.flights.unwritten(record.seq);
        // Stored before it is sent: the reflex of the second reading may arrive before the end of the post.
        store.tryWrite(() => store.incoming.postResent(record.seq));
      },
    });
    if (result.kind !== 'retry') this.flights.answered(record.seq);
    this.conclude(record, result);
  }

  /** A message that causes an internal error must not crash the agent or hold up others. */
  private bodyOf({
    message,
    sequence,
  }: Claimed): { kind: 'made'; body: MessageRequest } | { kind: 'unusable'; detail: string } {
    const { store, filter } = this.options;
    const made = store.setAside.attempt('message', message.guid, () => ({
      ...messageBody(message, store.contexts.get(message.conversation), filter?.()),
      sequence,
    }));
    return made.kind === 'done'
      ? { kind: 'made', body: made.value }
      : { kind: 'unusable', detail: describeError(made.error) };
  }

  /** An answer that nothing can be made of sets its message aside. */
  private conclude(posted: IncomingRecord, result: PostResult): void {
    const { clock, store, atTurnEnd } = this.options;
    this.turnBegan ??= clock.monotonic();
    if (atTurnEnd !== undefined) store.togetherUntil(atTurnEnd);
    store.share({
      take: () => this.take(posted, result),
      ended: (end) => {
        this.turnEnded();
        if (end.kind === 'failed' && result.kind !== 'unusable')
          this.conclude(posted, { kind: 'unusable', detail: describeError(end.fault) });
        else if (end.kind !== 'stored' && this.running)
          clock.after(STORE_RETRY_MS, () => this.conclude(posted, result));
        else {
          if (end.kind !== 'stored') this.flights.end(posted.seq);
          if (this.flights.size === 0) for (const resolve of this.emptied.splice(0)) resolve();
        }
      },
    });
  }

  private turnEnded(): void {
    if (this.turnBegan === undefined) return;
    this.flights.turnTook(this.options.clock.monotonic() - this.turnBegan);
    this.turnBegan = undefined;
  }

  /** Inside a write: the post is over. */
  private take(posted: IncomingRecord, result: PostResult): void {
    const { store } = this.options;
    // Its conversation may have been found to be part of another one meanwhile.
    const conversation = this.flights.conversationOf(posted.seq) ?? posted.message.conversation;
    const record = { ...posted, message: { ...posted.message, conversation } };
    this.trackOutage(result);
    this.settle(record, result);
    this.held.release(conversation);
    this.flights.end(record.seq);
    this.undos.push(() => this.flights.begin(record.seq, conversation));
    this.waiting.wake(conversation);
    store.beforeCommit(this.claim);
  }

  private settle(record: IncomingRecord, result: PostResult): void {
    const { store, log } = this.options;
    const trace = record.message.guid;
    const { conversation } = record.message;
    const note = (isUsable: boolean) => {
      if (result.kind === 'retry' || !isUsable) this.flights.failed();
      store.afterCommit(() => {
        this.history.note(conversation, result, isUsable);
        this.reportToCircuit(conversation, result, isUsable);
      });
    };
    if (result.kind !== 'answered') note(true);
    switch (result.kind) {
      case 'answered': {
        const parsed = parseReply(result.body);
        note(parsed.kind === 'reply');
        if (parsed.kind === 'reply') this.answer(record, parsed.reply);
        else {
          if (record.attempts === 1)
            log.error('The backend answered a message in an unknown form', { trace });
          this.retry(record, { kind: 'retry', cause: 'server', ...parsed.fault });
        }
        return;
      }
      case 'known':
        store.incoming.settle(record.seq, 'answered');
        store.afterCommit(() => this.answers.answered(record.seq));
        return;
      case 'rejected':
        this.setAside(record, reasonOf(result));
        log.error('The backend refused a message; set aside', { trace, status: result.status });
        return;
      case 'unusable':
        this.setAside(record, result.detail);
        store.setAside.note('message', trace, result.detail);
        log.error('A message cannot be processed; set aside', { trace, cause: result.detail });
        return;
      case 'retry':
        this.retry(record, result);
    }
  }

  private reportToCircuit(source: string, result: PostResult, isUsable: boolean): void {
    // Nothing was learnt of the backend.
    if (result.kind === 'unusable' || (result.kind === 'retry' && result.cause === 'aborted')) return;
    if (result.kind !== 'retry' && isUsable) {
      this.circuit.taken();
      return;
    }
    const retryAfterMs = result.kind === 'retry' ? result.retryAfterMs : undefined;
    const isUnread = result.kind === 'retry' && result.unread === true;
    this.circuit.failed({ source, isUnread, retryAfterMs });
  }

  private answer(record: IncomingRecord, reply: Reply): void {
    const { store, log } = this.options;
    const { guid } = record.message;
    store.incoming.settle(record.seq, 'answered');
    const isHeld = this.held.take(record, reply);
    store.afterCommit(() => {
      this.answers.answered(record.seq);
      if (reply.dropped !== undefined)
        log.error('A reply has more bubbles than are sent', { trace: guid, dropped: reply.dropped });
      log.info('The backend answered a message', { trace: guid, bubbles: reply.bubbles.length });
      if (isHeld) log.info('The reply waits for the reply to an earlier message', { trace: guid });
    });
  }

  private enqueue(message: IncomingMessage, reply: Reply): void {
    const { replies, settings } = this.options;
    for (const text of textsOf(message, reply, settings().bubbleDelayMs)) replies.enqueue(text);
  }

  private retry(record: IncomingRecord, result: Extract<PostResult, { kind: 'retry' }>): void {
    const { store, random, log } = this.options;
    const proof = {
      isAnother: this.answers.any(record.seq),
      within: (ms: number, mostFailures: number) => store.incoming.answeredWithin(ms, mostFailures),
    };
    const next = retryOf(record, result, this.now(), proof, random);
    const trace = record.message.guid;
    if (next.kind === 'set_aside') {
      this.setAside(record, reasonOf(result));
      log.error('A message keeps failing while others succeed; set aside', {
        trace,
        cause: result.cause,
        ...(result.status === undefined ? {} : { status: result.status }),
      });
      return;
    }
    store.afterCommit(() => {
      this.answers.failed(record.seq);
      if (result.retryAfterMs === undefined) this.putOff.set(record.seq, false);
    });
    const isUnread = result.unread === true;
    store.incoming.postFailed(record.seq, { ...next, isUnread, error: reasonOf(result) });
    if (record.attempts === 1) {
      log.warn('A message could not be delivered to the backend; will retry', {
        trace,
        cause: result.cause,
      });
    }
  }

  /** The operator can post it again or drop it; its conversation continues. */
  private setAside(record: IncomingRecord, why: string): void {
    const { store, onSetAside } = this.options;
    store.afterCommit(() => this.forget(record.seq));
    // An unsent message is already reported as such.
    if (store.incoming.settle(record.seq, 'parked', why)) onSetAside?.(record.message);
  }

  private forget(seq: number): void {
    this.answers.forget(seq);
    this.putOff.delete(seq);
  }

  /** While the backend is down, messages do not age. */
  private trackOutage(result: PostResult): void {
    const { store, clock } = this.options;
    // Cut by ourselves: nothing was learnt.
    if (result.kind === 'retry' && result.cause === 'aborted') return;
    if (result.kind === 'unusable') return;
    const isDown = result.kind === 'retry' && result.cause !== 'busy';
    if (isDown === this.outage) return;
    this.outage = isDown;
    if (isDown) store.outages.begin('backend', clock.now());
    else store.outages.finish('backend', clock.now());
  }
}

/** Why a message was not taken, for the operator who looks at it. */
function reasonOf({ detail, words }: { readonly detail: string; readonly words?: string }): string {
  return words === undefined ? detail : `${detail}: ${words}`;
}
