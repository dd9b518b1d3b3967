import type { Clock, Timer } from '../system/clock.js';

/** No retry is put off for longer, by Retry-After either. */
const LONGEST_WAIT_MS = 3_600_000;
/**
 * What an earlier life of the agent put off is tried at the latest so long after the start: nothing tells by which clock it was
 * put off.
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
