import type { SendPartTable } from '../store/sendParts.js';
import type { Clock } from '../system/clock.js';

const WINDOW_MS = 60_000;
/** How far back in the ledger a start looks for what went out within the window. */
const LOOKED_AT = 1000;

/**
 * How fast texts of one conversation may follow each other: at most so many attempts within any 60 s. A start takes up
 * what the ledger tells of the last minute.
 */
export class Pace {
  /** When the conversation's latest texts were handed over, on the monotonic clock, the oldest first. */
  private readonly attempts = new Map<string, number[]>();
  private isSeeded = false;

  constructor(
    private readonly sends: SendPartTable,
    private readonly newest: () => number,
    private readonly clock: Clock,
    private readonly maxPerMinute: () => number,
  ) {}

  /** How long the conversation's next text has to wait, in ms; 0: not at all. */
  waitOf(conversation: string): number {
    const most = this.maxPerMinute();
    if (most === 0) return 0;
    this.seed();
    const times = this.attempts.get(conversation) ?? [];
    const decisive = times.at(-most);
    return decisive === undefined ? 0 : Math.max(0, decisive + WINDOW_MS - this.clock.monotonic());
  }

  /** A text of this conversation is handed over now. */
  note(conversation: string): void {
    if (this.maxPerMinute() === 0) return;
    this.seed();
    this.add(conversation, this.clock.monotonic());
  }

  /** The conversation's newest attempt never left this machine, so it does not count. */
  takeBack(conversation: string): void {
    this.attempts.get(conversation)?.pop();
  }

  private add(conversation: string, at: number): void {
    const since = this.clock.monotonic() - WINDOW_MS;
    const times = [...(this.attempts.get(conversation) ?? []).filter((time) => time > since), at];
    this.attempts.delete(conversation);
    this.attempts.set(conversation, times);
    // The map keeps the order of the latest text, so what is over stands in front.
    for (const [other, latest] of this.attempts) {
      if ((latest.at(-1) ?? 0) > since) return;
      this.attempts.delete(other);
    }
  }

  private seed(): void {
    if (this.isSeeded) return;
    this.isSeeded = true;
    const now = this.clock.now();
    for (const { conversation, attemptedAt } of this.sends.attemptedSince(
      this.newest() - LOOKED_AT,
      now - WINDOW_MS,
    )) {
      this.add(conversation, this.clock.monotonic() - Math.max(0, now - attemptedAt));
    }
  }
}
