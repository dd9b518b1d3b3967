import type { PostResult } from '../model/incoming.js';
import type { PostFailures } from '../model/vitalSigns.js';
import type { Clock } from '../system/clock.js';

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
