import { EdgeError } from '../../errors.js';
import type { Clock } from '../../system/clock.js';
import type { Urgency } from './GatewayDatabase.js';

interface Waiting {
  readonly since: number;
  readonly go: () => void;
}

/**
 * Allocates the connections to the database: a fixed number at once, urgent work before normal work, each in order of
 * arrival. One more is reserved for leases, which must not wait.
 */
export class ConnectionTurns {
  private readonly soon: Waiting[] = [];
  private readonly usual: Waiting[] = [];
  private inUse = 0;
  private isLeaseAtWork = false;

  constructor(
    private readonly clock: Clock,
    private readonly most: number,
    /** How long one waits at most, in ms. */
    private readonly patienceMs: number,
  ) {}

  /** How long the usual one has waited that waits the longest, in ms. */
  get waitingMs(): number {
    const [first] = this.usual;
    return first === undefined ? 0 : this.clock.monotonic() - first.since;
  }

  /** Resolves once the caller may use a connection, with what ends that. Rejects with EdgeError `storage_unavailable`. */
  async take(urgency: Urgency): Promise<() => void> {
    if (urgency === 'lease' && !this.isLeaseAtWork) {
      this.isLeaseAtWork = true;
      return once(() => {
        this.isLeaseAtWork = false;
      });
    }
    if (this.inUse < this.most) this.inUse += 1;
    else await this.wait(urgency === 'usual' ? this.usual : this.soon);
    return once(() => this.passOn());
  }

  private wait(queue: Waiting[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting = {
        since: this.clock.monotonic(),
        go: () => {
          timer.cancel();
          resolve();
        },
      };
      const timer = this.clock.after(this.patienceMs, () => {
        queue.splice(queue.indexOf(waiting), 1);
        reject(
          new EdgeError('storage_unavailable', 'All connections to the database were in use for too long.'),
        );
      });
      queue.push(waiting);
    });
  }

  private passOn(): void {
    const next = this.soon.shift() ?? this.usual.shift();
    if (next === undefined) this.inUse -= 1;
    else next.go();
  }
}

function once(end: () => void): () => void {
  let isOver = false;
  return () => {
    if (!isOver) end();
    isOver = true;
  };
}
