import type { SendRecord } from '../model/sending.js';
import type { SendTable } from '../store/sends.js';
import { type Clock, SteadyTime } from '../system/clock.js';

/** Things in an order, of which the first is always at hand: adding and taking cost the logarithm of how many there are. */
class PriorityHeap<Item> {
  private items: Item[] = [];

  constructor(private readonly isBefore: (one: Item, other: Item) => boolean) {}

  get size(): number {
    return this.items.length;
  }

  first(): Item | undefined {
    return this.items[0];
  }

  clear(): void {
    this.items = [];
  }

  /** Drops all others. */
  keep(isKept: (item: Item) => boolean): void {
    const kept = this.items.filter(isKept);
    this.items = [];
    for (const item of kept) this.add(item);
  }

  add(item: Item): void {
    const { items } = this;
    let at = items.length;
    items.push(item);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const other = items[above];
      if (other === undefined || !this.isBefore(item, other)) break;
      items[at] = other;
      at = above;
    }
    items[at] = item;
  }

  /** Takes the first one out. */
  take(): Item | undefined {
    const { items } = this;
    const first = items[0];
    const last = items.pop();
    if (last !== undefined && items.length > 0) this.sink(last);
    return first;
  }

  private sink(item: Item): void {
    const { items } = this;
    let at = 0;
    for (;;) {
      const [left, right] = [items[2 * at + 1], items[2 * at + 2]];
      if (left === undefined) break;
      const isRight = right !== undefined && this.isBefore(right, left);
      const below = isRight ? right : left;
      if (!this.isBefore(below, item)) break;
      items[at] = below;
      at = 2 * at + (isRight ? 2 : 1);
    }
    items[at] = item;
  }
}

interface Lane {
  conversation: string;
  /** How many texts of each priority (0–4) are in the lane. */
  waiting: number[];
  /** The first text, once it has been read. */
  head: SendRecord | undefined;
  /** Whether the recipient is new to chat.db, once that was checked, and when (monotonic). */
  isNew: boolean | undefined;
  askedAt: number;
  /** The one entry that counts of those that the heaps have of it; none while nothing of it can go out. */
  entry: ReadyLane | WaitingLane | undefined;
}

/** A lane whose first text may go out. */
interface ReadyLane {
  lane: Lane;
  head: SendRecord;
  urgency: number;
}

/** A lane whose first text has to wait until then (monotonic ms). */
interface WaitingLane {
  lane: Lane;
  due: number;
}

/** How fast texts may go out; asked at each `next`. Waits are in ms, 0 is none. */
interface QueueLimits {
  /** How long the next text of a conversation has to wait for the ones before it. */
  waitOf(conversation: string): number;
  /** How long until a text to a new recipient is allowed. */
  newOpensInMs(): number;
  isNew(conversation: string, threadId: string): boolean;
}

/** Texts that limits hold back: those to new recipients, and those of conversations that are too fast. */
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

/** A heap is not worth clearing for fewer entries that do not count any more. */
const SPARE_ENTRIES = 64;

/** chat.db is asked about so many conversations in one look; the others' turn comes a moment later. */
const MOST_ASKED = 50;
const NEXT_ASK_MS = 5;
/** A recipient who waits as new may have become known meanwhile. */
const ASKED_ANEW_MS = 60_000;

/**
 * Decides which text is sent next. Texts of one conversation keep their order; conversations do not wait for
 * each other, and the one with the most urgent text goes first. This is an in-memory mirror of the ledger;
 * `reload` restores it. A lane is checked only when it changes or its wait is over, so the cost of a text
 * does not depend on the number of waiting conversations. While no new recipients are allowed, each lane is
 * checked.
 */
export class ConversationQueues {
  private readonly lanes = new Map<string, Lane>();
  private readonly lastSentAt = new Map<string, number>();
  /** To be looked at before the next text is chosen. */
  private readonly changedLanes = new Set<Lane>();
  /** Looked at while nothing may go out there. */
  private readonly pausedLanes = new Set<Lane>();
  private readonly readyLanes = new PriorityHeap<ReadyLane>(isBefore);
  private readonly waitingLanes = new PriorityHeap<WaitingLane>((one, other) => one.due < other.due);
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
    const lanes = this.sends.lanes();
    this.lanes.clear();
    this.changedLanes.clear();
    this.pausedLanes.clear();
    this.readyLanes.clear();
    this.waitingLanes.clear();
    for (const { conversation, priority, waiting } of lanes) {
      this.laneOf(conversation).waiting[priority] = waiting;
    }
  }

  /** A text takes its place in its lane, which may be before others. */
  joined(send: { conversation: string; priority: number }): void {
    const lane = this.laneOf(send.conversation);
    count(lane, send.priority, 1);
    lane.head = undefined;
  }

  /** A text that is new comes behind all others of its lane. */
  appended(send: SendRecord): void {
    const known = this.lanes.get(send.conversation);
    if (known === undefined) {
      const lane = this.laneOf(send.conversation);
      count(lane, send.priority, 1);
      lane.head = send;
    } else if (known.head === undefined || send.priority < urgencyOf(known)) this.joined(send);
    else count(known, send.priority, 1);
  }

  left(send: { conversation: string; priority: number }): void {
    const lane = this.laneOf(send.conversation);
    count(lane, send.priority, -1);
    lane.head = undefined;
    if (lane.waiting.every((count) => count === 0)) this.remove(lane);
  }

  /** The lane's first text changed its state. */
  changed(conversation: string): void {
    const lane = this.laneOf(conversation);
    lane.head = undefined;
    lane.isNew = undefined;
  }

  /** Limits are others than they were. */
  limitsChanged(): void {
    for (const lane of this.lanes.values()) this.changedLanes.add(lane);
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
    const newOpensInMs = this.limits.newOpensInMs();
    if (newOpensInMs > 0) return this.nextOfAll(newOpensInMs);
    const now = this.clock.monotonic();
    for (const lane of this.pausedLanes) if (!this.isPaused(lane.conversation)) this.changedLanes.add(lane);
    for (let first = this.waitingLanes.first(); first !== undefined; first = this.waitingLanes.first()) {
      if (first.lane.entry === first && first.due > now) break;
      this.waitingLanes.take();
      if (first.lane.entry === first) this.changedLanes.add(first.lane);
    }
    for (const lane of this.changedLanes) this.place(lane);
    this.changedLanes.clear();
    for (let first = this.readyLanes.first(); first !== undefined; first = this.readyLanes.first()) {
      const { lane, head } = first;
      // A pause or a limit may have come since it was looked at.
      if (lane.entry === first && !this.isPaused(lane.conversation) && this.waitOf(head) === 0)
        return { kind: 'now', send: head };
      this.readyLanes.take();
      if (lane.entry === first) this.place(lane);
    }
    const soonest = this.waitingLanes.first();
    return soonest === undefined ? { kind: 'none' } : { kind: 'later', inMs: soonest.due - now };
  }

  /** What the lane waits for, or that it waits for nothing. */
  private place(lane: Lane): void {
    lane.entry = undefined;
    this.pausedLanes.delete(lane);
    if (this.lanes.get(lane.conversation) !== lane) return;
    if (this.isPaused(lane.conversation)) {
      this.pausedLanes.add(lane);
      return;
    }
    lane.head ??= this.sends.head(lane.conversation);
    const { head } = lane;
    if (head === undefined && urgencyOf(lane) < 0) this.lanes.delete(lane.conversation);
    if (head === undefined || head.state !== 'queued') return;
    const wait = this.waitOf(head);
    if (wait > 0) {
      lane.entry = { lane, due: this.clock.monotonic() + wait };
      this.waitingLanes.add(lane.entry);
    } else {
      lane.entry = { lane, head, urgency: urgencyOf(lane) };
      this.readyLanes.add(lane.entry);
    }
    this.dropOverhang(this.readyLanes);
    this.dropOverhang(this.waitingLanes);
  }

  /** Entries that do not count any more go when their turn comes, or once they are most of a heap. */
  private dropOverhang<Entry extends ReadyLane | WaitingLane>(heap: PriorityHeap<Entry>): void {
    if (heap.size > 2 * this.lanes.size + SPARE_ENTRIES) heap.keep((entry) => entry.lane.entry === entry);
  }

  /** The same while no new recipients are allowed. */
  private nextOfAll(newOpensInMs: number): NextSend {
    let best: ReadyLane | undefined;
    let soonest = Infinity;
    const asks = { left: MOST_ASKED };
    for (const lane of this.lanes.values()) {
      if (this.isPaused(lane.conversation)) continue;
      lane.head ??= this.sends.head(lane.conversation);
      const { head } = lane;
      if (head === undefined || head.state !== 'queued') continue;
      const wait = this.waitOf(head) || this.waitOfNew(lane, head, newOpensInMs, asks);
      if (wait > 0) {
        soonest = Math.min(soonest, wait);
        continue;
      }
      const ready = { lane, head, urgency: urgencyOf(lane) };
      if (best === undefined || isBefore(ready, best)) best = ready;
    }
    if (best !== undefined) return { kind: 'now', send: best.head };
    return soonest === Infinity ? { kind: 'none' } : { kind: 'later', inMs: soonest };
  }

  private waitOf(head: SendRecord): number {
    const lastSentAt = this.lastSentAt.get(head.conversation);
    const pause = lastSentAt === undefined ? 0 : lastSentAt + head.pauseMs - this.clock.monotonic();
    const backoff = this.steady.left(head.notBefore, LONGEST_BACKOFF_MS);
    const pace = this.limits.waitOf(head.conversation);
    return Math.max(0, pause, pace, backoff);
  }

  /** While no new recipients are allowed: how long this lane waits for that. */
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

  /** For callers that change the lane: it is checked before the next text is chosen. */
  private laneOf(conversation: string): Lane {
    let lane = this.lanes.get(conversation);
    if (lane === undefined) {
      lane = {
        conversation,
        waiting: [0, 0, 0, 0, 0],
        head: undefined,
        isNew: undefined,
        askedAt: 0,
        entry: undefined,
      };
      this.lanes.set(conversation, lane);
    }
    this.changedLanes.add(lane);
    return lane;
  }

  private remove(lane: Lane): void {
    this.lanes.delete(lane.conversation);
    this.changedLanes.delete(lane);
    this.pausedLanes.delete(lane);
    lane.entry = undefined;
  }
}

function count({ waiting }: Lane, priority: number, change: 1 | -1): void {
  waiting[priority] = Math.max(0, (waiting[priority] ?? 0) + change);
}

/** The priority of its most urgent text. */
function urgencyOf({ waiting }: Lane): number {
  return waiting.findIndex((count) => count > 0);
}

function isBefore(one: ReadyLane, other: ReadyLane): boolean {
  if (one.urgency !== other.urgency) return one.urgency < other.urgency;
  const [send, before] = [one.head, other.head];
  return send.place !== before.place ? send.place < before.place : send.seq < before.seq;
}
