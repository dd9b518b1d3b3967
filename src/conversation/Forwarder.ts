import type { Logger } from '../logging/Logger.js';
import type { IncomingMessage, IncomingRecord } from '../store/incomingRecord.js';
import type { Store } from '../store/Store.js';
import type { TextQueue } from '../store/textRequest.js';
import type { Clock, Timer } from '../system/clock.js';
import type { Random } from '../system/random.js';
import { messageBody } from './messageBody.js';
import type { MessagePosting, PostResult } from './ports.js';
import { retryOf } from './postRetry.js';
import type { PrivacyFilter } from './privacy.js';
import { parseReply, type Reply } from './reply.js';
import { textsOf } from './replyTexts.js';

const MOST_IN_FLIGHT = 8;
const MOST_IN_CONVERSATION = 3;
const STORE_RETRY_MS = 2_000;
/** No retry is put off for longer, by Retry-After either: a longer wait means that the wall clock was set back. */
const LONGEST_WAIT_MS = 3_600_000;

export interface ForwarderOptions {
  store: Store;
  backend: MessagePosting;
  replies: TextQueue;
  clock: Clock;
  random: Random;
  log: Logger;
  /** Whether a message that was sent then (Unix ms) is still worth an answer. */
  worthAnswering: (sentAt: number) => boolean;
  settings: () => { bubbleDelayMs: number };
  /** What takes private things out of a message before it leaves; where it gives none, everything is sent. */
  filter?: () => PrivacyFilter | undefined;
  /** Told of a message that is given up because of its age, inside the write that does. */
  onExpired?: (message: IncomingMessage) => void;
}

/**
 * Brings incoming messages to the backend and its replies to the outgoing lanes. Oldest first within a conversation,
 * conversations independently; a message stays open until it was answered, refused for good, or is past answering.
 * The reply's bubbles and the mark "answered" are stored in one write.
 */
export class Forwarder {
  private readonly waiting = new Set<string>();
  private readonly inFlight = new Map<number, string>();
  private claimed: IncomingRecord[] = [];
  private running = false;
  private timer: Timer | undefined;
  private outage = false;
  private emptied: (() => void)[] = [];
  private readonly postListeners: ((record: IncomingRecord) => void)[] = [];

  constructor(private readonly options: ForwarderOptions) {
    const { store } = options;
    store.incoming.onAdded((conversation) => {
      this.waiting.add(conversation);
      store.beforeCommit(this.claim);
    });
    store.onRekeyed((moves) => {
      for (const conversation of moves.values()) this.waiting.add(conversation);
      store.beforeCommit(this.claim);
    });
    store.pauses.onChanged(() => this.pump());
    store.onRollback(() => {
      for (const record of this.claimed) this.inFlight.delete(record.seq);
      this.claimed = [];
      if (store.isOpen) this.outage = store.outages.isOpen('backend');
    });
  }

  /** Told right before each message is posted, each time it is. */
  onPost(listener: (record: IncomingRecord) => void): void {
    this.postListeners.push(listener);
  }

  start(): void {
    this.running = true;
    this.outage = this.options.store.outages.isOpen('backend');
    for (const conversation of this.options.store.incoming.openConversations())
      this.waiting.add(conversation);
    this.pump();
  }

  /** Posts no further message; resolves when those in flight have ended. */
  stop(): Promise<void> {
    this.running = false;
    this.timer?.cancel();
    if (this.inFlight.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.emptied.push(resolve));
  }

  /** The backend answers again: what waits for a retry is tried now. */
  retryNow(): void {
    if (!this.running || this.waiting.size === 0) return;
    this.options.store.tryWrite(() => {
      this.options.store.incoming.retryNow();
      this.options.store.beforeCommit(this.claim);
    });
  }

  private pump(): void {
    if (!this.running) return;
    const stored = this.options.store.tryWrite(() => this.claim());
    if (!stored) this.arm(STORE_RETRY_MS);
  }

  /** Inside a write: marks every message whose turn it is as being posted; they are posted after the commit. */
  private readonly claim = (): void => {
    if (!this.running) return;
    const { store, clock } = this.options;
    let retryAt = Infinity;
    for (const conversation of this.waiting) {
      if (this.inFlight.size >= MOST_IN_FLIGHT) break;
      retryAt = Math.min(retryAt, this.claimIn(conversation));
    }
    store.afterCommit(() => {
      for (const record of this.claimed.splice(0)) void this.post(record);
      if (retryAt !== Infinity) this.arm(retryAt - clock.now());
    });
  };

  /** Returns when the conversation's next retry is due (Unix ms). */
  private claimIn(conversation: string): number {
    const { store, clock } = this.options;
    if (store.pauses.holdsIncoming(conversation)) return Infinity;
    const records = store.incoming.open(conversation, MOST_IN_CONVERSATION * 2);
    if (records.length === 0) this.waiting.delete(conversation);
    let busy = records.filter((record) => this.inFlight.has(record.seq)).length;
    let retryAt = Infinity;
    // A message that is posted again, for whatever reason, is not overtaken by a first post: it might fail once more.
    let isRepeating = records.some(({ seq, attempts }) => attempts > 1 && this.inFlight.has(seq));
    for (const record of records) {
      if (this.inFlight.has(record.seq)) continue;
      if (busy >= MOST_IN_CONVERSATION || this.inFlight.size >= MOST_IN_FLIGHT) break;
      if (this.expire(record)) continue;
      const wait = record.retryAt - clock.now();
      if (wait > 0 && wait <= LONGEST_WAIT_MS) retryAt = Math.min(retryAt, record.retryAt);
      else if (record.attempts > 0 || (retryAt === Infinity && !isRepeating)) {
        isRepeating ||= record.attempts > 0;
        store.incoming.postStarted(record.seq, store.sends.newest());
        this.inFlight.set(record.seq, conversation);
        this.claimed.push({ ...record, attempts: record.attempts + 1 });
        busy += 1;
      }
    }
    return retryAt;
  }

  private expire(record: IncomingRecord): boolean {
    const { store, worthAnswering, onExpired, log } = this.options;
    const { guid, sentAt } = record.message;
    if (worthAnswering(sentAt)) return false;
    store.incoming.settle(record.seq, 'expired', 'past its age');
    onExpired?.(record.message);
    log.warn('A message could not be brought to the backend in time; it is not answered', { trace: guid });
    return true;
  }

  private async post(record: IncomingRecord): Promise<void> {
    const { backend, store } = this.options;
    const { message } = record;
    const context = store.contexts.get(message.conversation);
    for (const listener of this.postListeners) listener(record);
    const result = await backend.postMessage(
      messageBody(message, context, this.options.filter?.()),
      message.guid,
      // Stored before it goes out: the reflex of the second reading may come before the end of the post.
      () => void store.tryWrite(() => store.incoming.postResent(record.seq)),
    );
    this.conclude(record, result);
  }

  private conclude(record: IncomingRecord, result: PostResult): void {
    const { store, clock } = this.options;
    const stored = store.tryWrite(() => {
      this.trackOutage(result);
      this.settle(record, result);
      this.inFlight.delete(record.seq);
      store.beforeCommit(this.claim);
    });
    if (!stored && this.running) {
      this.inFlight.set(record.seq, record.message.conversation);
      clock.after(STORE_RETRY_MS, () => this.conclude(record, result));
      return;
    }
    if (this.inFlight.size === 0) for (const resolve of this.emptied.splice(0)) resolve();
  }

  private settle(record: IncomingRecord, result: PostResult): void {
    const { store, log } = this.options;
    const trace = record.message.guid;
    switch (result.kind) {
      case 'answered': {
        const parsed = parseReply(result.body);
        if (parsed.kind === 'reply') this.answer(record, parsed.reply);
        else {
          log.error('The backend answered a message in a form that is not known', { trace });
          this.retry(record, { kind: 'retry', cause: 'server', detail: parsed.message });
        }
        return;
      }
      case 'known':
        store.incoming.settle(record.seq, 'answered');
        return;
      case 'rejected':
        store.incoming.settle(record.seq, 'parked', `${result.status}: ${result.detail}`);
        log.error('The backend refused a message; it is parked', { trace, status: result.status });
        return;
      case 'retry':
        this.retry(record, result);
    }
  }

  private answer(record: IncomingRecord, reply: Reply): void {
    const { store, replies, settings, log } = this.options;
    const { guid } = record.message;
    store.incoming.settle(record.seq, 'answered');
    for (const text of textsOf(record.message, reply, settings().bubbleDelayMs)) replies.enqueue(text);
    store.afterCommit(() =>
      log.info('The backend answered a message', { trace: guid, bubbles: reply.bubbles.length }),
    );
  }

  private retry(record: IncomingRecord, result: Extract<PostResult, { kind: 'retry' }>): void {
    const { store, clock, backend, random, log } = this.options;
    const next = retryOf(record, result, clock.now(), backend.lastSuccessAt(), random);
    const trace = record.message.guid;
    if (next.kind === 'park') {
      store.incoming.settle(record.seq, 'parked', result.detail);
      log.error('A message fails again and again while others succeed; it is parked', { trace });
      return;
    }
    const isUnread = result.unread === true;
    store.incoming.postFailed(record.seq, { ...next, isUnread, error: result.detail });
    if (record.attempts === 1) {
      log.warn('A message could not be brought to the backend; it is tried again', {
        trace,
        cause: result.cause,
      });
    }
  }

  /** While the backend is down, messages do not age. */
  private trackOutage(result: PostResult): void {
    const { store, clock } = this.options;
    const isDown = result.kind === 'retry' && result.cause !== 'busy';
    if (isDown === this.outage) return;
    this.outage = isDown;
    if (isDown) store.outages.begin('backend', clock.now());
    else store.outages.finish('backend', clock.now());
  }

  private arm(inMs: number): void {
    this.timer?.cancel();
    this.timer = this.options.clock.after(Math.max(inMs, 0), () => this.pump());
  }
}
