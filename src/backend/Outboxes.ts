import { describeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import { INPUT_LIMITS } from '../system/inputLimits.js';
import type { Link } from './Link.js';
import { ackFrame, eventFrame } from './protocol.js';
import { type BackendStore, type Queue, type QueuedAck, type QueuedEvent, wireEvent } from './settings.js';

interface OutboxesPorts {
  readonly store: BackendStore;
  readonly link: Pick<Link, 'send' | 'backlog' | 'feed' | 'live'>;
  readonly log: Logger;
  /** Monotonic ms. */
  readonly now: () => number;
  /** Whether this backend reads `event` frames. */
  readonly acceptsEvents: () => boolean;
  /** See BackendOptions. */
  readonly atTurnEnd?: ((work: () => void) => void) | undefined;
}

/** Both queues that travel by the socket, under the same pong rule. A failing store is logged, never thrown. */
export class Outboxes {
  readonly acks: SocketOutbox<QueuedAck>;
  private readonly events: SocketOutbox<QueuedEvent>;

  constructor(private readonly ports: OutboxesPorts) {
    const { store, link, now } = ports;
    const shared = {
      send: (text: string) => link.send(text),
      backlog: () => link.backlog,
      hurry: () => link.feed({ type: 'hurry' }),
      now,
    };
    this.acks = new SocketOutbox({ ...shared, queue: store.acks, frame: (ack) => ackFrame(ack.body) });
    this.events = new SocketOutbox({
      ...shared,
      queue: store.events,
      frame: (event) => eventFrame(wireEvent(event)),
    });
  }

  /** Another socket: nothing sent before counts. */
  reset(): void {
    this.acks.reset();
    this.events.reset();
  }

  /** The socket is live. Idempotent: called again when the backend says that it reads events. */
  start(): void {
    this.guarded('acks', () => this.acks.start());
    if (this.ports.acceptsEvents()) this.guarded('events', () => this.events.start());
  }

  stop(): void {
    this.acks.stop();
    this.events.stop();
  }

  pinged(): void {
    this.acks.pinged();
    this.events.pinged();
  }

  /** What a pong proves of both is one commit. */
  ponged(): void {
    const clears = [this.acks.ponged(), this.events.ponged()].filter((clear) => clear !== undefined);
    if (clears.length > 0) this.cleared(clears);
    this.guarded('acks', () => this.acks.pump());
    this.guarded('events', () => this.events.pump());
  }

  private cleared(clears: readonly (() => void)[]): void {
    const { store, atTurnEnd } = this.ports;
    if (atTurnEnd !== undefined) store.togetherUntil(atTurnEnd);
    store.share({
      take() {
        for (const clear of clears) clear();
      },
      ended: (end) => {
        if (end.kind !== 'stored') this.failed('acks and events', end.fault);
      },
    });
  }

  eventsAdded(): void {
    this.guarded('events', () => this.events.pump());
  }

  /** Everything left, window or not: the drain's ping follows. */
  flush(): void {
    this.start();
    this.guarded('acks', () => this.acks.pump(true));
    this.guarded('events', () => this.events.pump(true));
  }

  private guarded(what: string, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.failed(what, error);
    }
  }

  /** What could not be read or cleared stays in the queue and goes again on the next socket. */
  private failed(what: string, fault: unknown): void {
    this.ports.log.error(`The queue of ${what} could not be used`, { cause: describeError(fault) });
  }
}

/** Items on their way over one socket at a time; the rest follow as pongs come in. */
const WINDOW = 1_000;
const PAGE = 200;
/** Frames wait in the store rather than in memory while the kernel takes no more. */
const MAX_BACKLOG_BYTES = INPUT_LIMITS.socketBacklog;

interface OutboxPorts<Item> {
  readonly queue: Pick<Queue<Item>, 'after' | 'clear'>;
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

  /** What clears, inside a write, all that this pong proves; undefined if that is nothing. */
  ponged(): (() => void) | undefined {
    const read = this.barrier.ponged();
    return read.length === 0 ? undefined : () => this.ports.queue.clear(read.map((item) => item.seq));
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

/**
 * What was sent on one socket and is not yet proven read. Frames arrive in order, so the pong to a ping proves that
 * all sent before that ping was read (protocol §5). Pings and pongs are matched in order: a pong beyond the pings sent
 * proves nothing, and a pong that never came only makes later proofs cover less, never more.
 */
export class PongBarrier<Item> {
  private unasked: Item[] = [];
  private asked: Item[][] = [];

  /** How many items are not proven read. */
  get size(): number {
    return this.asked.reduce((sum, batch) => sum + batch.length, this.unasked.length);
  }

  /** Whether something was sent after the last ping. */
  get waitsForPing(): boolean {
    return this.unasked.length > 0;
  }

  sent(item: Item): void {
    this.unasked.push(item);
  }

  pinged(): void {
    this.asked.push(this.unasked);
    this.unasked = [];
  }

  /** The items that this pong proves read. */
  ponged(): readonly Item[] {
    return this.asked.shift() ?? [];
  }

  /** The oldest item not proven read. */
  get oldest(): Item | undefined {
    return this.asked.find((batch) => batch.length > 0)?.[0] ?? this.unasked[0];
  }

  /** Every item not proven read, oldest first. */
  pending(): Item[] {
    return [...this.asked.flat(), ...this.unasked];
  }

  /** A new socket: nothing sent before it counts. */
  reset(): void {
    this.unasked = [];
    this.asked = [];
  }
}
