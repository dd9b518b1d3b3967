import { EdgeError } from '../../errors.js';
import type { Clock, Timer } from '../../system/clock.js';
import type { Urgency } from './GatewayDatabase.js';

interface Patience {
  /** How long one holder is waited for, in ms. */
  lockMs: number;
  /** The maximum wait, in ms. */
  turnMs: number;
}

/** So many of the usual ones wait for one key at most: a rush on one agent must not fill what all have. */
const MOST_WAITING = 300;

interface KeyQueue {
  /** The urgent ones go first. */
  readonly soon: (() => void)[];
  readonly usual: (() => void)[];
  /** When it was last taken, by the monotonic clock. */
  takenAt: number;
}

/**
 * Those of this process that want the same key, one after the other: the urgent before the usual, each in the order in which they came. Who waits here holds no
 * connection to the database, so that a rush on one key leaves the connections to the others.
 */
export class KeyTurns {
  private readonly queues = new Map<string, KeyQueue>();

  constructor(
    private readonly clock: Clock,
    private readonly patience: Patience,
  ) {}

  /** Resolves once it is the caller's turn, with what ends that. Rejects with EdgeError `storage_unavailable` where it does not come. */
  async take(key: string, urgency: Urgency = 'usual'): Promise<() => void> {
    const queue = this.queues.get(key);
    if (urgency === 'usual' && (queue?.usual.length ?? 0) >= MOST_WAITING)
      throw new EdgeError('storage_unavailable', 'Too many transactions wait for one agent.');
    if (queue === undefined) this.queues.set(key, { soon: [], usual: [], takenAt: this.clock.monotonic() });
    else await this.wait(queue, urgency === 'usual' ? queue.usual : queue.soon);
    let isOver = false;
    return () => {
      if (!isOver) this.passOn(key);
      isOver = true;
    };
  }

  private wait(queue: KeyQueue, waiting: (() => void)[]): Promise<void> {
    const { clock, patience } = this;
    const cameAt = clock.monotonic();
    return new Promise((resolve, reject) => {
      let timer: Timer | undefined;
      const go = () => {
        timer?.cancel();
        resolve();
      };
      const check = () => {
        const end = Math.min(Math.max(cameAt, queue.takenAt) + patience.lockMs, cameAt + patience.turnMs);
        const left = end - clock.monotonic();
        if (left > 0) {
          timer = clock.after(left, check);
          return;
        }
        waiting.splice(waiting.indexOf(go), 1);
        reject(
          new EdgeError('storage_unavailable', 'Other transactions blocked a transaction for too long.'),
        );
      };
      waiting.push(go);
      check();
    });
  }

  private passOn(key: string): void {
    const queue = this.queues.get(key);
    const next = queue?.soon.shift() ?? queue?.usual.shift();
    if (queue === undefined || next === undefined) {
      this.queues.delete(key);
      return;
    }
    queue.takenAt = this.clock.monotonic();
    next();
  }
}
