import { describeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import { ackFrame, eventFrame } from './frames.js';
import type { Link } from './Link.js';
import { SocketOutbox } from './SocketOutbox.js';
import { type BackendStore, type QueuedAck, type QueuedEvent, wireEvent } from './settings.js';

interface OutboxesPorts {
  readonly store: BackendStore;
  readonly link: Pick<Link, 'send' | 'backlog' | 'feed' | 'live'>;
  readonly log: Logger;
  /** Monotonic ms. */
  readonly now: () => number;
  /** Whether this backend reads `event` frames. */
  readonly acceptsEvents: () => boolean;
}

/** Both queues that travel by the socket, under the same pong rule. A failing store is logged, never thrown. */
export class Outboxes {
  readonly acks: SocketOutbox<QueuedAck>;
  private readonly events: SocketOutbox<QueuedEvent>;

  constructor(private readonly ports: OutboxesPorts) {
    const { store, link, now } = ports;
    const shared = {
      write: <T>(work: () => T) => store.write(work),
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

  ponged(): void {
    this.guarded('acks', () => this.acks.ponged());
    this.guarded('events', () => this.events.ponged());
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
      // What could not be read or cleared stays in the queue and goes again on the next socket.
      this.ports.log.error(`The queue of ${what} could not be used`, { cause: describeError(error) });
    }
  }
}
