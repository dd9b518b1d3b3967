import type { AttemptResult } from '../model/sending.js';
import type { NewRecipientTable } from '../store/conversations.js';
import type { SendPartTable } from '../store/sendParts.js';
import type { Clock } from '../system/clock.js';
import { isMachineCode, machinePause } from '../system/failures.js';

const WINDOW_MS = 60_000;
/** How far back a start searches the ledger for texts sent within the window. */
const LOOKED_AT = 1000;

/**
 * How fast texts of one conversation may follow each other: at most so many attempts within any 60 s. A start
 * reads the last minute from the ledger.
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
    // The map keeps the order of the latest text, so expired entries are first.
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

const NEW_WITHIN_MS = 3_600_000;

interface Acquaintance {
  /** Whether chat.db has a chat of the conversation; undefined while it cannot be read. */
  readonly hasChat: (conversation: string, threadId: string) => boolean | undefined;
  /** Whether our own store shows that they wrote to us, or that a text of ours reached Messages' list: the answer without chat.db. */
  readonly isInStore: (conversation: string) => boolean;
}

/**
 * The limit on new recipients: this many people within any hour, because Apple treats more as spam and closes
 * accounts. A person counts once per hour. The limit does not depend on chat.db: while that cannot be read, a
 * person who is not in the store either counts as new. Durable; an in-memory mirror, which `reload` restores.
 */
export class NewRecipients {
  /** When each was first written to (Unix ms), the longest ago first. */
  private written = new Map<string, number>();

  constructor(
    private readonly table: NewRecipientTable,
    private readonly clock: Clock,
    private readonly maxPerHour: () => number,
    private readonly acquaintance: Acquaintance,
  ) {
    this.reload();
  }

  reload(): void {
    const since = this.clock.now() - NEW_WITHIN_MS;
    this.written = new Map(this.table.since(since).map((one) => [one.conversation, one.writtenAt]));
  }

  /**
   * How long until a text to a new recipient is allowed, in ms; 0: now. Costs nothing while the limit is off.
   */
  opensInMs(): number {
    const most = this.maxPerHour();
    if (most === 0 || this.written.size < most) return 0;
    const now = this.clock.now();
    for (const [conversation, at] of this.written) {
      // A clock that was set back: it was now, at the latest.
      if (at > now) this.written.set(conversation, now);
      else if (now - at < NEW_WITHIN_MS) break;
      else this.written.delete(conversation);
    }
    if (this.written.size < most) return 0;
    const decisive = [...this.written.values()].at(-most) ?? now;
    return Math.max(1, decisive + NEW_WITHIN_MS - now);
  }

  /** Whether the limit applies to this conversation: asks chat.db, or the store while that cannot be read. */
  isNew(conversation: string, threadId: string): boolean {
    if (this.written.has(conversation)) return false;
    return !this.isKnown(conversation, this.acquaintance.hasChat(conversation, threadId));
  }

  /** Inside a write: this conversation is written to now. `hasChat` as in Acquaintance. */
  note(conversation: string, hasChat: boolean | undefined): void {
    if (this.maxPerHour() === 0 || this.written.has(conversation)) return;
    if (this.isKnown(conversation, hasChat)) return;
    const writtenAt = this.clock.now();
    this.table.add({ conversation, writtenAt }, writtenAt - NEW_WITHIN_MS);
    this.written.set(conversation, writtenAt);
  }

  private isKnown(conversation: string, hasChat: boolean | undefined): boolean {
    return hasChat ?? this.acquaintance.isInStore(conversation);
  }
}

/**
 * Shut while this machine cannot start an attempt at all: then one text is tried now and again instead of
 * every conversation's. Opens fully with the first attempt that is not stopped by this machine.
 */
export class MachineGate {
  private inARow = 0;
  private shutUntil = 0;

  constructor(private readonly clock: Clock) {}

  /** How many attempts in a row this machine could not start. */
  get failures(): number {
    return this.inARow;
  }

  /** How long until the next attempt may be made, in ms; 0: now. */
  opensInMs(): number {
    return this.inARow === 0 ? 0 : Math.max(0, this.shutUntil - this.clock.monotonic());
  }

  /** An attempt ended. */
  note(result: AttemptResult): void {
    const isOurs = result.kind === 'notStarted' && isMachineCode(result.errorCode);
    this.inARow = isOurs ? this.inARow + 1 : 0;
    // Half of the failed text's wait: another conversation's text is tried in between, so that a single bad
    // text does not hold up the others.
    if (isOurs) this.shutUntil = this.clock.monotonic() + machinePause(this.inARow) / 2;
  }
}
