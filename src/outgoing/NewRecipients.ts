import type { NewRecipientTable } from '../store/recipients.js';
import type { Clock } from '../system/clock.js';

const WINDOW_MS = 3_600_000;

interface Acquaintance {
  /** Whether chat.db has a chat of the conversation; undefined while it cannot be read. */
  readonly hasChat: (conversation: string, threadId: string) => boolean | undefined;
  /** Whether our own store shows that they wrote to us, or that a text of ours reached Messages' list: the answer without chat.db. */
  readonly isInStore: (conversation: string) => boolean;
}

/**
 * To how many people who never wrote with us we may begin to write: so many within any hour, because Apple takes more for
 * spam and closes accounts. Somebody counted once is free for the hour. The limit does not depend on chat.db: while that
 * cannot be read, a person whom the store does not know either counts as new. Durable; a mirror in memory, which
 * `reload` makes true again.
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
    const since = this.clock.now() - WINDOW_MS;
    this.written = new Map(this.table.since(since).map((one) => [one.conversation, one.writtenAt]));
  }

  /** How long until somebody new may be written to, in ms; 0: now. Costs nothing while the limit is off. */
  opensInMs(): number {
    const most = this.maxPerHour();
    if (most === 0 || this.written.size < most) return 0;
    const now = this.clock.now();
    for (const [conversation, at] of this.written) {
      // A clock that was set back: it was now, at the latest.
      if (at > now) this.written.set(conversation, now);
      else if (now - at < WINDOW_MS) break;
      else this.written.delete(conversation);
    }
    if (this.written.size < most) return 0;
    const decisive = [...this.written.values()].at(-most) ?? now;
    return Math.max(1, decisive + WINDOW_MS - now);
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
    this.table.add({ conversation, writtenAt }, writtenAt - WINDOW_MS);
    this.written.set(conversation, writtenAt);
  }

  private isKnown(conversation: string, hasChat: boolean | undefined): boolean {
    return hasChat ?? this.acquaintance.isInStore(conversation);
  }
}
