import type { SendRecord } from '../model/sending.js';
import type { SendTable } from '../store/sends.js';
import type { Clock } from '../system/clock.js';
import { SteadyTime } from '../system/SteadyTime.js';

interface Lane {
  conversation: string;
  /** How many texts of each priority (0–4) are in the lane. */
  waiting: number[];
  /** The first text, once it has been read. */
  head: SendRecord | undefined;
  /** Whether it is somebody new to chat.db, once that was asked, and when (monotonic). */
  isNew: boolean | undefined;
  askedAt: number;
}

/** How fast texts may go out; asked at each `next`. Waits are in ms, 0 is none. */
interface QueueLimits {
  /** How long the next text of a conversation has to wait for the ones before it. */
  waitOf(conversation: string): number;
  /** How long until somebody new may be written to. */
  newOpensInMs(): number;
  isNew(conversation: string, threadId: string): boolean;
}

/** What limits hold back: texts to somebody new, and texts of conversations that are too fast. */
export interface HeldTexts {
  newRecipients: number;
  perMinute: number;
}

const NO_LIMITS: QueueLimits = { waitOf: () => 0, newOpensInMs: () => 0, isNew: () => false };

export type NextSend = { kind: 'now'; send: SendRecord } | { kind: 'later'; inMs: number } | { kind: 'none' };

/** Pauses are short; remembering the last text of so many conversations is enough. */
const REMEMBERED_PAUSES = 1000;

/** No text is put off for longer. */
const LONGEST_BACKOFF_MS = 60_000;

/** chat.db is asked about so many conversations in one look; the others' turn comes a moment later. */
const MOST_ASKED = 50;
const NEXT_ASK_MS = 5;
/** Somebody who waits as new may have become known meanwhile. */
const ASKED_ANEW_MS = 60_000;

/**
 * Who sends next. Texts of one conversation keep their order; conversations do not wait for each other, the one with the
 * most urgent text goes first. A mirror of the ledger in memory: `reload` makes it true again.
 */
export class ConversationQueues {
  private readonly lanes = new Map<string, Lane>();
  private readonly lastSentAt = new Map<string, number>();
  private readonly steady: SteadyTime;

  constructor(
    private readonly sends: SendTable,
    private readonly clock: Clock,
    /** Whether nothing may go out in a conversation now. Asked at each `next`. */
    private readonly isPaused: (conversation: string) => boolean = () => false,
    private readonly limits: QueueLimits = NO_LIMITS,
  ) {
    this.steady = new SteadyTime(clock);
  }

  /** What `notBefore` is to be of a text that is tried again in so many ms. */
  putOff(ms: number): number {
    return this.steady.now() + ms;
  }

  reload(): void {
    this.lanes.clear();
    for (const { conversation, priority, waiting } of this.sends.lanes()) {
      this.laneOf(conversation).waiting[priority] = waiting;
    }
  }

  joined(send: { conversation: string; priority: number }): void {
    const lane = this.laneOf(send.conversation);
    lane.waiting[send.priority] = (lane.waiting[send.priority] ?? 0) + 1;
    lane.head = undefined;
  }

  left(send: { conversation: string; priority: number }): void {
    const lane = this.laneOf(send.conversation);
    lane.waiting[send.priority] = Math.max(0, (lane.waiting[send.priority] ?? 0) - 1);
    lane.head = undefined;
    if (lane.waiting.every((count) => count === 0)) this.lanes.delete(send.conversation);
  }

  /** The lane's first text changed its state. */
  changed(conversation: string): void {
    const lane = this.laneOf(conversation);
    lane.head = undefined;
    lane.isNew = undefined;
  }

  /** Whether anything is in the conversation's lane. */
  has(conversation: string): boolean {
    return this.lanes.has(conversation);
  }

  /** How many texts no pause and no limit holds back. */
  ready(): number {
    let count = 0;
    for (const { conversation, waiting } of this.lanes.values()) {
      if (!this.isPaused(conversation)) count += waiting.reduce((sum, texts) => sum + texts, 0);
    }
    const { newRecipients, perMinute } = this.held();
    return Math.max(0, count - newRecipients - perMinute);
  }

  /** How many texts wait for a limit now. */
  held(): HeldTexts {
    const held = { newRecipients: 0, perMinute: 0 };
    const areNewHeld = this.limits.newOpensInMs() > 0;
    for (const lane of this.lanes.values()) {
      const count = lane.waiting.reduce((sum, waiting) => sum + waiting, 0);
      if (areNewHeld && lane.isNew === true) held.newRecipients += count;
      else if (lane.head?.state === 'queued' && this.limits.waitOf(lane.conversation) > 0)
        held.perMinute += count;
    }
    return held;
  }

  /** A text is on its way: the pause before the conversation's next one counts from here. */
  dispatched(conversation: string): void {
    this.lastSentAt.delete(conversation);
    this.lastSentAt.set(conversation, this.clock.monotonic());
    if (this.lastSentAt.size > REMEMBERED_PAUSES) {
      const [oldest] = this.lastSentAt.keys();
      if (oldest !== undefined) this.lastSentAt.delete(oldest);
    }
  }

  /** The text whose turn it is, or how long until one's turn comes. */
  next(): NextSend {
    let best: { send: SendRecord; urgency: number } | undefined;
    let soonest = Infinity;
    const newOpensInMs = this.limits.newOpensInMs();
    const asks = { left: MOST_ASKED };
    for (const lane of this.lanes.values()) {
      if (this.isPaused(lane.conversation)) continue;
      lane.head ??= this.sends.head(lane.conversation);
      const { head } = lane;
      if (head === undefined || head.state !== 'queued') continue;
      const wait =
        this.waitOf(head) || (newOpensInMs > 0 ? this.waitOfNew(lane, head, newOpensInMs, asks) : 0);
      if (wait > 0) {
        soonest = Math.min(soonest, wait);
        continue;
      }
      const urgency = lane.waiting.findIndex((count) => count > 0);
      if (best === undefined || isBefore(urgency, head, best.urgency, best.send))
        best = { send: head, urgency };
    }
    if (best !== undefined) return { kind: 'now', send: best.send };
    return soonest === Infinity ? { kind: 'none' } : { kind: 'later', inMs: soonest };
  }

  private waitOf(head: SendRecord): number {
    const lastSentAt = this.lastSentAt.get(head.conversation);
    const pause = lastSentAt === undefined ? 0 : lastSentAt + head.pauseMs - this.clock.monotonic();
    const backoff = this.steady.left(head.notBefore, LONGEST_BACKOFF_MS);
    const pace = this.limits.waitOf(head.conversation);
    return Math.max(0, pause, pace, backoff);
  }

  /** While nobody new may be written to: how long this lane waits for that. */
  private waitOfNew(lane: Lane, head: SendRecord, opensInMs: number, asks: { left: number }): number {
    const now = this.clock.monotonic();
    const mustAsk = lane.isNew === undefined || (lane.isNew && now - lane.askedAt >= ASKED_ANEW_MS);
    if (mustAsk && asks.left > 0) {
      asks.left -= 1;
      lane.isNew = this.limits.isNew(lane.conversation, head.threadId);
      lane.askedAt = now;
    }
    if (lane.isNew === undefined) return NEXT_ASK_MS;
    return lane.isNew ? Math.min(opensInMs, ASKED_ANEW_MS) : 0;
  }

  private laneOf(conversation: string): Lane {
    let lane = this.lanes.get(conversation);
    if (lane === undefined) {
      lane = { conversation, waiting: [0, 0, 0, 0, 0], head: undefined, isNew: undefined, askedAt: 0 };
      this.lanes.set(conversation, lane);
    }
    return lane;
  }
}

function isBefore(urgency: number, send: SendRecord, otherUrgency: number, other: SendRecord): boolean {
  if (urgency !== otherUrgency) return urgency < otherUrgency;
  return send.place !== other.place ? send.place < other.place : send.seq < other.seq;
}
