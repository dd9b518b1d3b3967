import type { HeldReplyRecord, IncomingRecord } from '../store/incomingRecord.js';
import type { Store } from '../store/Store.js';
import type { Clock, Timer } from '../system/clock.js';
import { type Reply, readStoredReply } from './reply.js';

/** How long the reply to a message waits for the replies to earlier messages of its conversation. */
export const LONGEST_HOLD_MS = 10_000;
const STORE_RETRY_MS = 2_000;

/**
 * Which held replies of a conversation go out now, in their order. One goes when no earlier message is unanswered
 * (`oldestUnanswered`: the lowest number of one), or when it has waited long enough (`isDue`); those to messages before a
 * due one go with it.
 */
export function repliesToRelease<Held extends { readonly sequence: number; readonly isDue: boolean }>(
  held: readonly Held[],
  oldestUnanswered: number | null,
): Held[] {
  const inOrder = held.toSorted((a, b) => a.sequence - b.sequence);
  const lastDue = inOrder.findLastIndex(({ isDue }) => isDue);
  return inOrder.filter(
    ({ sequence }, index) => index <= lastDue || oldestUnanswered === null || sequence < oldestUnanswered,
  );
}

interface HeldRepliesOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** Puts the texts of a reply into their queue; called inside a write. */
  readonly enqueue: (message: IncomingRecord['message'], reply: Reply) => void;
  /** Called inside a write: the stored reply to this message is damaged. It is dropped; nothing of it went out. */
  readonly onDamaged: (guid: string, conversation: string) => void;
}

/**
 * Lets the replies of a conversation go out in the order of its messages where their answers arrive in another one: that
 * to a later message is held, in the store, while an earlier message that was posted is unanswered, for 10 s at most.
 */
export class HeldReplies {
  /** When the hold of each reply ends, by its message's seq: monotonic ms. */
  private readonly ends = new Map<number, { at: number; conversation: string }>();
  private timer: Timer | undefined;
  private isRunning = false;

  constructor(private readonly options: HeldRepliesOptions) {}

  /** Takes up what the last run left. It is held as long as if it had come now: by no clock is it known how long it was held. */
  start(): void {
    this.isRunning = true;
    const { store } = this.options;
    for (const conversation of store.incoming.heldConversations()) {
      for (const held of store.incoming.heldReplies(conversation)) this.note(held.seq, conversation);
      this.tryRelease(conversation);
    }
    this.arm();
  }

  stop(): void {
    this.isRunning = false;
    this.timer?.cancel();
    this.timer = undefined;
  }

  /** Inside the write that marks the message as answered: sends the reply on its way, or holds it. True if it is held. */
  take(record: IncomingRecord, reply: Reply): boolean {
    const { store, enqueue } = this.options;
    const { conversation } = record.message;
    if (reply.bubbles.length === 0) return false;
    const oldest = store.incoming.oldestNumbered(conversation);
    if (record.sequence === null || oldest === null || record.sequence < oldest) {
      enqueue(record.message, reply);
      return false;
    }
    store.incoming.holdReply(record.seq, JSON.stringify(reply));
    this.note(record.seq, conversation);
    store.afterCommit(() => this.arm());
    return true;
  }

  /** Inside a write, after a message of the conversation was settled: lets go what need not wait any more. */
  release(conversation: string): void {
    if (this.ends.size === 0) return;
    const { store, clock, enqueue, onDamaged } = this.options;
    const records = store.incoming.heldReplies(conversation);
    if (records.length === 0) return;
    const now = clock.monotonic();
    const held = records.map((record) => ({
      ...record,
      isDue: (this.ends.get(record.seq)?.at ?? now) <= now,
    }));
    const released = repliesToRelease(held, store.incoming.oldestNumbered(conversation));
    for (const { seq, guid, message, reply: stored } of released) {
      const reply = readStoredReply(stored);
      // In this order: while it is held, its message is known to the pairing of duplicates, however long ago it was answered.
      if (message === null || reply === undefined) onDamaged(guid, conversation);
      else enqueue(message, reply);
      store.incoming.holdReply(seq, null);
    }
    store.afterCommit(() => this.forget(released));
  }

  /** What is held in `from` is of `to`, for the two are one. Returns what undoes that. */
  move(from: string, to: string): () => void {
    const moved = [...this.ends].filter(([, { conversation }]) => conversation === from);
    for (const [seq, end] of moved) this.ends.set(seq, { ...end, conversation: to });
    return () => {
      for (const [seq, end] of moved) if (this.ends.has(seq)) this.ends.set(seq, end);
    };
  }

  private forget(released: readonly HeldReplyRecord[]): void {
    for (const { seq } of released) this.ends.delete(seq);
  }

  private note(seq: number, conversation: string): void {
    this.ends.set(seq, { at: this.options.clock.monotonic() + LONGEST_HOLD_MS, conversation });
  }

  private arm(): void {
    if (!this.isRunning || this.timer !== undefined || this.ends.size === 0) return;
    const first = Math.min(...[...this.ends.values()].map(({ at }) => at));
    this.timer = this.options.clock.after(first - this.options.clock.monotonic(), () => this.fire());
  }

  private fire(): void {
    this.timer = undefined;
    const now = this.options.clock.monotonic();
    for (const [seq, { at, conversation }] of [...this.ends]) {
      if (at > now || !this.ends.has(seq)) continue;
      const released = this.tryRelease(conversation);
      // Whatever is left of it went with a rollback, or is tried again.
      if (released) this.ends.delete(seq);
      else this.ends.set(seq, { at: now + STORE_RETRY_MS, conversation });
    }
    this.arm();
  }

  private tryRelease(conversation: string): boolean {
    return this.options.store.tryWrite(() => this.release(conversation));
  }
}
