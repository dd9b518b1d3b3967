import { INPUT_LIMITS } from '../system/inputLimits.js';
import { PongBarrier } from './PongBarrier.js';
import type { Queue } from './settings.js';

/** Items on their way over one socket at a time; the rest follow as pongs come in. */
const WINDOW = 1_000;
const PAGE = 200;
/** Frames wait in the store rather than in memory while the kernel takes no more. */
const MAX_BACKLOG_BYTES = INPUT_LIMITS.socketBacklog;

interface OutboxPorts<Item> {
  readonly queue: Pick<Queue<Item>, 'after' | 'clear'>;
  readonly write: <T>(work: () => T) => T;
  readonly frame: (item: Item) => string;
  /** False if there is no live socket. */
  readonly send: (text: string) => boolean;
  readonly backlog: () => number;
  /** Asks for an early ping, so that what was sent is proven soon. */
  readonly hurry: () => void;
  /** Monotonic ms. */
  readonly now: () => number;
}

/**
 * Sends a durable queue over the socket, in its order, and clears an item only when the pong rule proves that the
 * backend read it. After a reconnect everything unproven is sent again.
 */
export class SocketOutbox<Item extends { readonly seq: number }> {
  private readonly barrier = new PongBarrier<{ readonly seq: number; readonly sentAt: number }>();
  private sentUpTo = 0;
  private open = false;

  constructor(private readonly ports: OutboxPorts<Item>) {}

  /** Another socket, not yet live: its pings count from here on. */
  reset(): void {
    this.barrier.reset();
    this.sentUpTo = 0;
    this.open = false;
  }

  /** The socket is live: everything unproven goes. */
  start(): void {
    this.open = true;
    this.pump();
  }

  stop(): void {
    this.open = false;
  }

  /** Sends what the queue has beyond what was sent; `all` ignores the window, for the drain's last words. */
  pump(all = false): void {
    if (!this.open) return;
    while (all || (this.barrier.size < WINDOW && this.ports.backlog() < MAX_BACKLOG_BYTES)) {
      const page = this.ports.queue.after(this.sentUpTo, PAGE);
      if (page.length === 0) break;
      for (const item of page) {
        if (!this.ports.send(this.ports.frame(item))) return;
        this.sentUpTo = item.seq;
        this.barrier.sent({ seq: item.seq, sentAt: this.ports.now() });
      }
    }
    if (this.barrier.waitsForPing) this.ports.hurry();
  }

  pinged(): void {
    this.barrier.pinged();
  }

  /** Clears what this pong proves, in one commit. */
  ponged(): void {
    const read = this.barrier.ponged();
    if (read.length > 0) this.ports.write(() => this.ports.queue.clear(read.map((item) => item.seq)));
    this.pump();
  }

  /** Sent on this socket at or before `instant` (monotonic ms) and not proven read. */
  overdue(instant: number): number[] {
    return this.barrier.pending().flatMap((item) => (item.sentAt <= instant ? item.seq : []));
  }

  /** When the oldest unproven item was sent, monotonic ms. */
  get oldestSentAt(): number | undefined {
    return this.barrier.oldest?.sentAt;
  }
}
