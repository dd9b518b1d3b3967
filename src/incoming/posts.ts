import type { PostResult } from '../model/incoming.js';
import type { PostFailures } from '../model/vitalSigns.js';
import type { IncomingRecord, Others } from '../store/incomingRecord.js';
import type { Clock, Timer } from '../system/clock.js';
import type { Random } from '../system/random.js';

const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 60_000;
/** Failures of one message, each with proof that others got through. */
export const LEAST_STRIKES = 3;
const LEAST_ATTEMPTS = 5;
/** From the first strike to the one that sets the message aside. A backend that comes and goes must not add up to a verdict. */
const LEAST_SPAN_MS = 15_000;
/** "Later" is an answer: the backend has this long to keep its word. */
const LEAST_BUSY_SPAN_MS = 600_000;

type PostRetry =
  | { kind: 'retry'; retryAt: number; strikes: number; firstStrikeAt: number | null }
  | { kind: 'set_aside' };

/** Failures that may be caused by the message itself: the request was received and not accepted. */
function isAboutMessage(result: Extract<PostResult, { kind: 'retry' }>): boolean {
  return result.unread !== true && result.cause !== 'aborted';
}

/** What the answers to other messages prove. */
interface Proof {
  /** Another message was answered since this one failed last (at first, since its post began). */
  readonly isAnother: boolean;
  /** Those that were answered within so many ms, none with more failures than that. */
  readonly within: (ms: number, mostFailures: number) => Others;
}

/**
 * When a message that could not be posted is posted again, or that it is set aside because it must not block its conversation.
 * One rule, whatever the reason is: the failure of a post is a strike if another message was answered since this one failed
 * last. Three strikes 15 s or more apart (10 minutes where the backend asks to come later), and five attempts, set it aside, if so
 * many are more than what befalls messages that are answered in the end (`isOwnFault`). Nothing but an answer to a message is
 * proof: while no message is answered, none collects strikes, however long that lasts and whatever else works.
 */
export function retryOf(
  record: Pick<IncomingRecord, 'attempts' | 'strikes' | 'firstStrikeAt'>,
  result: Extract<PostResult, { kind: 'retry' }>,
  now: number,
  proof: Proof,
  random: Random,
): PostRetry {
  const isStrike = proof.isAnother && isAboutMessage(result);
  const strikes = record.strikes + (isStrike ? 1 : 0);
  const firstStrikeAt = isStrike ? Math.min(record.firstStrikeAt ?? now, now) : record.firstStrikeAt;
  const span = firstStrikeAt === null ? 0 : now - firstStrikeAt;
  const leastSpan = result.cause === 'busy' ? LEAST_BUSY_SPAN_MS : LEAST_SPAN_MS;
  const isEnough = strikes >= LEAST_STRIKES && record.attempts >= LEAST_ATTEMPTS && span >= leastSpan;
  // What was answered meanwhile: how the backend was before says nothing about how it is now.
  if (isStrike && isEnough && isOwnFault(strikes, proof.within(span, strikes))) return { kind: 'set_aside' };
  const backoff = Math.min(FIRST_DELAY_MS * 2 ** Math.min(record.attempts, 10), LONGEST_DELAY_MS);
  const jittered = (backoff / 2) * (1 + random());
  return {
    kind: 'retry',
    retryAt: now + Math.max(result.retryAfterMs ?? 0, jittered),
    strikes,
    firstStrikeAt,
  };
}

/**
 * What shows that the backend takes messages: the answers to other messages since a message's last failure. Kept in memory
 * alone; after a restart the proof begins again, to the benefit of the message.
 */
export class AnswersToOthers {
  private answers = 0;
  /** How many answers there were at the last failure of a message, or when its first post began. */
  private readonly seenBy = new Map<number, number>();

  /** A message is posted; what was answered before it began is no proof. */
  began(seq: number): void {
    if (!this.seenBy.has(seq)) this.seenBy.set(seq, this.answers);
  }

  /** Whether another message was answered since this one's last failure. */
  any(seq: number): boolean {
    return this.answers > (this.seenBy.get(seq) ?? this.answers);
  }

  /** A post of the message failed: the next failure needs new evidence. */
  failed(seq: number): void {
    this.seenBy.set(seq, this.answers);
  }

  /** The message was answered, by a reply or as known: the backend takes messages. */
  answered(seq: number): void {
    this.answers += 1;
    this.seenBy.delete(seq);
  }

  /** The message is not posted again. */
  forget(seq: number): void {
    this.seenBy.delete(seq);
  }
}

/** How improbable it must be that one without a fault collects so many strikes. Ten times less than what may happen (1 in 1 000), as `others` is an estimate. */
const LEAST_CHANCE = 0.0001;

/**
 * Whether so many strikes show that the item itself is at fault, and not a backend that fails at random. How often an attempt at an
 * item without a fault fails, those show that were answered meanwhile (by the rule of succession, so that few of them prove
 * little). None but these count: an item that is never answered says nothing about the backend.
 */
function isOwnFault(strikes: number, others: Others): boolean {
  const chance = (others.failures + 1) / (others.failures + others.answered + 2);
  return chance ** strikes < LEAST_CHANCE;
}

/** How posts of messages ended, whichever message it was. Kept in memory: what an earlier life saw proves nothing now. */
export class PostHistory {
  private answered: number | null = null;
  private taken: number | null = null;
  private inARow: Omit<PostFailures, 'conversations'> | null = null;
  private readonly unanswered = new Set<string>();

  constructor(private readonly clock: Clock) {}

  /** `isUsable`: false for an answer that is no reply. */
  note(conversation: string, result: PostResult, isUsable: boolean): void {
    // Nothing was learnt of the backend.
    if (result.kind === 'unusable' || (result.kind === 'retry' && result.cause === 'aborted')) return;
    const now = this.clock.now();
    const isAnswer = result.kind === 'answered' || result.kind === 'known';
    const isTaken = isAnswer || (result.status ?? 600) < 300;
    if (isTaken) this.taken = now;
    if (isAnswer && isUsable) {
      this.answered = now;
      this.inARow = null;
      this.unanswered.clear();
      return;
    }
    this.unanswered.add(conversation);
    this.inARow = {
      since: this.inARow?.since ?? now,
      lastAt: now,
      posts: (this.inARow?.posts ?? 0) + 1,
      detail: 'detail' in result ? result.detail : 'an answer in an unknown form',
      isRejected: result.kind === 'rejected',
      isTaken,
    };
  }

  /** When a message was last answered, Unix ms; null: none since the start. */
  get answeredAt(): number | null {
    return this.answered;
  }

  /** When the backend last took one, whatever it answered. */
  get takenAt(): number | null {
    return this.taken;
  }

  get failing(): PostFailures | null {
    return this.inARow && { ...this.inARow, conversations: this.unanswered.size };
  }
}

/** A post that was fully written for this long without an answer no longer holds back the next one of its conversation. */
export const OVERLAP_AFTER_MS = 2_000;
/** Posts that began within the last `OVERLAP_AFTER_MS`: so many at first, and up to so many while the backend answers soon. */
const FRESH = { least: 8, most: 24 };
/** So many posts in a row that were each answered within this time allow one more. */
const SOON = { ms: 250, posts: 4 };
/** A turn of our loop with answers, their commit and the next posts that takes longer halves how many may be fresh: commands wait for it. */
const LONG_TURN_MS = 12;
/** All posts, those that hang included. */
const MOST_IN_FLIGHT = 64;
/**
 * Above this number, a conversation with a post in progress starts no other: hanging conversations leave capacity for
 * the rest.
 */
const MOST_OVERLAPPING = 32;
const MOST_IN_CONVERSATION = 8;

/** A timer may fire up to 1 ms early. */
const TIMER_TOLERANCE_MS = 1;

interface Flight {
  conversation: string;
  /** Monotonic ms. */
  begunAt: number;
  /** Began within the last `OVERLAP_AFTER_MS`. */
  isFresh: boolean;
  /** When all of it was written to an established connection, monotonic ms. */
  writtenAt: number | undefined;
  /** The next post of its conversation need not wait for it. */
  hasYielded: boolean;
  timer: Timer | undefined;
}

/**
 * The posts under way, and the rules for one more:
 * - the posts of a conversation start one after the other: the next one when each before it has ended, or was fully
 *   written 2 s ago;
 * - 8 fresh posts at a time, and up to 24 while the backend answers each soon: then our commits are what takes time, and what
 *   comes together is one. After 2 s a post counts against a higher limit alone (64), so that a few that hang do not
 *   keep everything else from being posted; half of that is kept for conversations with no post under way.
 */
export class PostsInFlight {
  private readonly flights = new Map<number, Flight>();
  private readonly byConversation = new Map<string, Set<Flight>>();
  private fresh = 0;
  private mostFresh = FRESH.least;
  /** So many posts in a row were answered soon. */
  private soon = 0;

  constructor(
    private readonly clock: Clock,
    /** Called when others no longer need to wait for a post. */
    private readonly onYield: (conversation: string) => void,
  ) {}

  get size(): number {
    return this.flights.size;
  }

  has(seq: number): boolean {
    return this.flights.has(seq);
  }

  /** Whether any conversation may start a post. */
  hasRoom(): boolean {
    return this.fresh < this.mostFresh && this.flights.size < MOST_IN_FLIGHT;
  }

  /**
   * Whether this conversation may start one. `turn`: one of its own posts must give way first. `share`: conversations
   * with a post in progress wait until fewer posts hang.
   */
  roomFor(conversation: string): 'yes' | 'turn' | 'share' {
    const own = this.byConversation.get(conversation);
    if (own === undefined) return 'yes';
    if (own.size >= MOST_IN_CONVERSATION) return 'turn';
    if ([...own].some((flight) => !flight.hasYielded)) return 'turn';
    return this.flights.size < MOST_OVERLAPPING ? 'yes' : 'share';
  }

  /** How many of the conversation's open messages have to be looked at to find one that is not under way. */
  lookahead(conversation: string): number {
    return (this.byConversation.get(conversation)?.size ?? 0) + 1;
  }

  /** A post begins; one of this message that was under way is over. */
  begin(seq: number, conversation: string): void {
    this.end(seq);
    const flight: Flight = {
      conversation,
      begunAt: this.clock.monotonic(),
      isFresh: true,
      writtenAt: undefined,
      hasYielded: false,
      timer: undefined,
    };
    this.flights.set(seq, flight);
    const own = this.byConversation.get(conversation) ?? new Set();
    this.byConversation.set(conversation, own.add(flight));
    this.fresh += 1;
    this.arm(flight, OVERLAP_AFTER_MS);
  }

  /** All of it was written. */
  written(seq: number): void {
    const flight = this.flights.get(seq);
    if (flight === undefined || flight.writtenAt !== undefined) return;
    flight.writtenAt = this.clock.monotonic();
    if (flight.timer === undefined) this.arm(flight, OVERLAP_AFTER_MS);
  }

  /** It has to be written again. */
  unwritten(seq: number): void {
    const flight = this.flights.get(seq);
    if (flight === undefined) return;
    flight.writtenAt = undefined;
    flight.hasYielded = false;
  }

  /** The backend answered. `SOON.posts` that it answers soon allow one more fresh post; one that takes longer allows one less. */
  answered(seq: number): void {
    const flight = this.flights.get(seq);
    if (flight === undefined) return;
    const isSoon = this.clock.monotonic() - flight.begunAt <= SOON.ms;
    this.soon = isSoon ? this.soon + 1 : 0;
    if (!isSoon) this.mostFresh = Math.max(this.mostFresh - 1, FRESH.least);
    else if (this.soon % SOON.posts === 0) this.mostFresh = Math.min(this.mostFresh + 1, FRESH.most);
  }

  /** A post failed, or has no answer within `OVERLAP_AFTER_MS`: that resets the limit to the minimum. */
  failed(): void {
    this.mostFresh = FRESH.least;
    this.soon = 0;
  }

  /** What came in one turn of the loop was stored, and what follows from it was done, within so many ms. */
  turnTook(ms: number): void {
    if (ms <= LONG_TURN_MS) return;
    this.mostFresh = Math.max(Math.floor(this.mostFresh / 2), FRESH.least);
    this.soon = 0;
  }

  end(seq: number): void {
    const flight = this.flights.get(seq);
    if (flight === undefined) return;
    this.flights.delete(seq);
    if (flight.isFresh) this.fresh -= 1;
    flight.timer?.cancel();
    const own = this.byConversation.get(flight.conversation);
    own?.delete(flight);
    if (own?.size === 0) this.byConversation.delete(flight.conversation);
  }

  /** The conversation to which a post under way belongs by now. */
  conversationOf(seq: number): string | undefined {
    return this.flights.get(seq)?.conversation;
  }

  /** Moves the posts in progress of `from` to `to`, because the two are one conversation. Returns the undo function. */
  move(from: string, to: string): () => void {
    const moved = from === to ? [] : [...(this.byConversation.get(from) ?? [])];
    for (const flight of moved) this.assign(flight, to);
    return () => {
      for (const flight of moved) if (flight.conversation === to) this.assign(flight, from);
    };
  }

  private assign(flight: Flight, conversation: string): void {
    const before = this.byConversation.get(flight.conversation);
    // It has ended meanwhile.
    if (before?.delete(flight) !== true) return;
    if (before.size === 0) this.byConversation.delete(flight.conversation);
    flight.conversation = conversation;
    const own = this.byConversation.get(conversation) ?? new Set();
    this.byConversation.set(conversation, own.add(flight));
  }

  private arm(flight: Flight, inMs: number): void {
    flight.timer = this.clock.after(inMs, () => this.ripen(flight));
  }

  private ripen(flight: Flight): void {
    flight.timer = undefined;
    if (flight.isFresh) {
      flight.isFresh = false;
      this.fresh -= 1;
      this.failed();
    }
    if (flight.writtenAt !== undefined) {
      const left = flight.writtenAt + OVERLAP_AFTER_MS - this.clock.monotonic();
      if (left > TIMER_TOLERANCE_MS) this.arm(flight, left);
      else flight.hasYielded = true;
    }
    this.onYield(flight.conversation);
  }
}

/** No retry is put off for longer, by Retry-After either. */
const LONGEST_WAIT_MS = 3_600_000;
/**
 * A retry scheduled by an earlier run is tried at the latest this long after the start, because it is not known by
 * which clock it was scheduled.
 */
export const LONGEST_WAIT_AT_START_MS = 60_000;

/**
 * The conversations with messages that are not settled. One is *ready* when it may have a message whose turn it is; it is
 * looked at once and then rests until something happens to it. Ready ones take turns: first in, first out.
 */
export class WaitingConversations {
  private readonly ready = new Set<string>();
  private readonly resting = new Set<string>();
  /** When a resting one has to be looked at again, Unix ms. */
  private readonly retries = new Map<string, number>();
  private armedFor = Infinity;
  private timer: Timer | undefined;

  constructor(
    private readonly clock: Clock,
    /** The time by which retries are put off: Unix ms that do not jump when the clock is set. */
    private readonly now: () => number,
    private readonly onDue: () => void,
  ) {}

  get isAnyReady(): boolean {
    return this.ready.size > 0;
  }

  /** In the order of their turns. What becomes ready meanwhile comes last. */
  [Symbol.iterator](): IterableIterator<string> {
    return this.ready.values();
  }

  /** It has something new, or what it rested for has come. */
  wake(conversation: string): void {
    this.resting.delete(conversation);
    this.retries.delete(conversation);
    this.ready.add(conversation);
  }

  wakeAll(): void {
    for (const conversation of [...this.resting]) this.wake(conversation);
  }

  /** Those that rest until a time need not. */
  wakeDelayed(): void {
    for (const conversation of [...this.retries.keys()]) this.wake(conversation);
  }

  /** The one of them whose time comes first need not. */
  wakeFirst(): void {
    let first: readonly [string, number] | undefined;
    for (const one of this.retries) if (first === undefined || one[1] < first[1]) first = one;
    if (first !== undefined) this.wake(first[0]);
  }

  /** Nothing can be posted there before something happens, or until `retryAt` (Unix ms). */
  rest(conversation: string, retryAt?: number): void {
    this.ready.delete(conversation);
    this.resting.add(conversation);
    if (retryAt === undefined) return;
    this.retries.set(conversation, retryAt);
    this.arm(retryAt);
  }

  /** Nothing waits there. */
  forget(conversation: string): void {
    this.ready.delete(conversation);
    this.resting.delete(conversation);
    this.retries.delete(conversation);
  }

  stop(): void {
    this.timer?.cancel();
    this.armedFor = Infinity;
  }

  private arm(at: number): void {
    if (at >= this.armedFor) return;
    this.timer?.cancel();
    this.armedFor = at;
    this.timer = this.clock.after(Math.max(at - this.now(), 0), () => this.fire());
  }

  private fire(): void {
    this.armedFor = Infinity;
    let next = Infinity;
    for (const [conversation, at] of this.retries) {
      if (isDue(at, this.now())) this.wake(conversation);
      else next = Math.min(next, at);
    }
    if (next !== Infinity) this.arm(next);
    if (this.isAnyReady) this.onDue();
  }
}

/** Whether a retry may be made now. */
export function isDue(retryAt: number, now: number): boolean {
  const wait = retryAt - now;
  return wait <= 0 || wait > LONGEST_WAIT_MS;
}
