import type { NewRecipientTable } from '../store/newRecipients.js';
import type { Clock } from '../system/clock.js';

const WINDOW_MS = 3_600_000;

/**
 * To how many people who never wrote with us we may begin to write: so many within any hour, as Apple takes more for
 * spam and closes accounts (macos-facts D.8). Somebody counted once is free for the hour. Durable; a mirror in memory, which
 * `reload` makes true again.
 */
export class NewRecipients {
  /** When each was first written to (Unix ms), the longest ago first. */
  private written = new Map<string, number>();

  constructor(
    private readonly table: NewRecipientTable,
    private readonly clock: Clock,
    private readonly maxPerHour: () => number,
    /** Whether chat.db has the conversation, or cannot be asked. */
    private readonly isKnown: (conversation: string, threadId: string) => boolean,
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

  /** Whether the limit is about this conversation: asks chat.db. */
  isNew(conversation: string, threadId: string): boolean {
    return !this.written.has(conversation) && !this.isKnown(conversation, threadId);
  }

  /** Inside a write: somebody new is written to now. */
  note(conversation: string): void {
    if (this.maxPerHour() === 0 || this.written.has(conversation)) return;
    const writtenAt = this.clock.now();
    this.table.add({ conversation, writtenAt }, writtenAt - WINDOW_MS);
    this.written.set(conversation, writtenAt);
  }
}
