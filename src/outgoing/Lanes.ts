import type { SendRecord, SendTable } from '../store/sends.js';
import type { Clock } from '../system/clock.js';

interface Lane {
  conversation: string;
  /** How many texts of each priority (0–4) are in the lane. */
  waiting: number[];
  /** The first text, once it has been read. */
  head: SendRecord | undefined;
}

export type NextSend = { kind: 'now'; send: SendRecord } | { kind: 'later'; inMs: number } | { kind: 'none' };

/** Pauses are short; remembering the last text of so many conversations is enough. */
const REMEMBERED_PAUSES = 1000;

/** A wait longer than any that we give means that the wall clock was set back. */
const LONGEST_BACKOFF_MS = 60_000;

/**
 * Who sends next. Texts of one conversation keep their order; conversations do not wait for each other, the one with the
 * most urgent text goes first. A mirror of the ledger in memory: `reload` makes it true again.
 */
export class Lanes {
  private readonly lanes = new Map<string, Lane>();
  private readonly lastSentAt = new Map<string, number>();

  constructor(
    private readonly sends: SendTable,
    private readonly clock: Clock,
  ) {}

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
    this.laneOf(conversation).head = undefined;
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
    for (const lane of this.lanes.values()) {
      lane.head ??= this.sends.head(lane.conversation);
      const { head } = lane;
      if (head === undefined || head.state !== 'queued') continue;
      const wait = this.waitOf(head);
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
    const backoff = head.notBefore - this.clock.now();
    return Math.max(pause, backoff > LONGEST_BACKOFF_MS ? 0 : backoff);
  }

  private laneOf(conversation: string): Lane {
    let lane = this.lanes.get(conversation);
    if (lane === undefined) {
      lane = { conversation, waiting: [0, 0, 0, 0, 0], head: undefined };
      this.lanes.set(conversation, lane);
    }
    return lane;
  }
}

function isBefore(urgency: number, send: SendRecord, otherUrgency: number, other: SendRecord): boolean {
  if (urgency !== otherUrgency) return urgency < otherUrgency;
  return send.place !== other.place ? send.place < other.place : send.seq < other.seq;
}
