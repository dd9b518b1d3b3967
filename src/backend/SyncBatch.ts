import type { QueuedAck, QueuedEvent } from './settings.js';

/** Of each kind in one sync. */
const MOST_ITEMS = 200;
/** Of each kind in one sync, unless one item alone is larger: with the status a body stays below 64 KiB, so that a server that takes 100 kB of JSON (Express by default) takes it. */
const MOST_BYTES = 28 * 1024;
/** An item that the backend does not take even alone is offered again this much later. */
const SET_ASIDE_MS = 3_600_000;

interface Item {
  readonly seq: number;
}

/** Oldest first by `seq`. */
interface Source<One> {
  after(seq: number, limit: number): One[];
}

export interface Batch {
  readonly events: readonly QueuedEvent[];
  readonly acks: readonly QueuedAck[];
  /** More of that kind wait behind what was taken. */
  readonly moreEvents: boolean;
  readonly moreAcks: boolean;
}

/** What follows from a sync that failed with something in it. */
type Shrunk =
  | { readonly kind: 'smaller' }
  | { readonly kind: 'alone'; readonly what: 'event' | 'ack'; readonly id: string }
  | { readonly kind: 'as_it_was' };

/**
 * Which events and acks the next sync carries. A page begins behind the one before, so that a backend that lists none of a page
 * still sees the next one. After a failure a page has half the items, at last one event or one ack alone: what a backend cannot
 * take does not keep the rest from it. A success doubles it again.
 */
export class SyncBatch {
  private behind = { ack: 0, event: 0 };
  private limit = MOST_ITEMS;
  /** Which kind goes by itself: one item of it. */
  private alone: 'event' | 'ack' | undefined;
  private readonly setAside = new Map<string, number>();

  constructor(
    private readonly events: Source<QueuedEvent>,
    private readonly acks: Source<QueuedAck>,
    /** Monotonic ms. */
    private readonly now: () => number,
  ) {}

  next(): Batch {
    for (const [key, until] of this.setAside) if (until <= this.now()) this.setAside.delete(key);
    let event = this.take('event', this.events, this.alone !== 'ack');
    const ack = this.take('ack', this.acks, this.alone !== 'event' || event.items.length === 0);
    if (this.alone === 'ack' && ack.items.length === 0) event = this.take('event', this.events, true);
    return { events: event.items, acks: ack.items, moreEvents: event.isCut, moreAcks: ack.isCut };
  }

  succeeded(): void {
    this.alone = undefined;
    this.limit = Math.min(this.limit * 2, MOST_ITEMS);
  }

  /** The sync with this batch failed. `isTooLarge`: the backend said so (413), so that an item by itself is set aside. */
  failed({ events, acks }: Batch, isTooLarge: boolean): Shrunk {
    const count = events.length + acks.length;
    if (count > 1) {
      this.limit = Math.max(Math.floor(Math.min(this.limit, Math.max(events.length, acks.length)) / 2), 1);
      if (count === 2 && events.length === 1) this.alone = 'event';
      this.behind = { ack: before(acks), event: before(events) };
      return { kind: 'smaller' };
    }
    if (count === 0) return { kind: 'as_it_was' };
    const [event] = events;
    const [ack] = acks;
    this.alone = event === undefined ? 'event' : 'ack';
    if (!isTooLarge) return { kind: 'as_it_was' };
    const until = this.now() + SET_ASIDE_MS;
    if (event !== undefined) {
      this.setAside.set(`event ${event.seq}`, until);
      return { kind: 'alone', what: 'event', id: event.eventId };
    }
    if (ack === undefined) return { kind: 'as_it_was' };
    this.setAside.set(`ack ${ack.seq}`, until);
    return { kind: 'alone', what: 'ack', id: ack.commandId };
  }

  private take<One extends Item>(
    kind: 'event' | 'ack',
    source: Source<One>,
    isWanted: boolean,
  ): { items: One[]; isCut: boolean } {
    if (!isWanted) return { items: [], isCut: false };
    const from = this.behind[kind];
    const page = this.page(kind, source, from);
    const { items, isCut } = page.items.length === 0 && from > 0 ? this.page(kind, source, 0) : page;
    this.behind[kind] = isCut ? (items.at(-1)?.seq ?? 0) : 0;
    return { items, isCut };
  }

  private page<One extends Item>(
    kind: 'event' | 'ack',
    source: Source<One>,
    from: number,
  ): { items: One[]; isCut: boolean } {
    const limit = this.alone === undefined ? this.limit : 1;
    const listed = source.after(from, limit + this.setAside.size);
    const offered = listed.filter(({ seq }) => !this.setAside.has(`${kind} ${seq}`)).slice(0, limit);
    let bytes = 0;
    const end = offered.findIndex((item, index) => {
      bytes += Buffer.byteLength(JSON.stringify(item));
      return index > 0 && bytes > MOST_BYTES;
    });
    const items = end === -1 ? offered : offered.slice(0, end);
    return { items, isCut: end !== -1 || items.length >= limit };
  }
}

/** Where the same items come next again, or other ones if there are none. */
function before(items: readonly Item[]): number {
  return Math.max((items[0]?.seq ?? 1) - 1, 0);
}
