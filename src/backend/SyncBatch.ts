import type { ItemName, RefusedItem, RefusedItems } from './RefusedItems.js';
import type { QueuedAck, QueuedEvent } from './settings.js';

/** Of each kind in one sync. */
const MOST_ITEMS = 200;
/** Of each kind in one sync, unless one item alone is larger: with the status a body stays below 64 KiB, so that a server that takes 100 kB of JSON (Express by default) takes it. */
const MOST_BYTES = 28 * 1024;

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

/**
 * Which events and acks the next sync carries. A page begins behind the one before, so that a backend that lists none of a page
 * still sees the next one. After a failure a page has half the items, at last one event or one ack alone; a success doubles it
 * again. One that fails alone is followed by a sync with none: if that is taken, it waits (`RefusedItems`). So what a
 * backend cannot take keeps neither the rest from it nor the commands from us.
 */
export class SyncBatch {
  private behind = { ack: 0, event: 0 };
  private limit = MOST_ITEMS;
  /** Which kind goes by itself: one item of it. */
  private alone: ItemName | undefined;
  /** It failed alone: the next sync carries nothing, to show whether that is why. */
  private suspect: { readonly item: RefusedItem; readonly detail: string } | undefined;

  constructor(
    private readonly events: Source<QueuedEvent>,
    private readonly acks: Source<QueuedAck>,
    private readonly refused: Pick<RefusedItems, 'refuse' | 'waits' | 'count'>,
  ) {}

  next(): Batch {
    if (this.suspect !== undefined) return { events: [], acks: [], moreEvents: false, moreAcks: false };
    let event = this.take('event', this.events, this.alone !== 'ack');
    const ack = this.take('ack', this.acks, this.alone !== 'event' || event.items.length === 0);
    if (this.alone === 'ack' && ack.items.length === 0) event = this.take('event', this.events, true);
    return { events: event.items, acks: ack.items, moreEvents: event.isCut, moreAcks: ack.isCut };
  }

  succeeded(): void {
    const { suspect } = this;
    if (suspect !== undefined) {
      this.suspect = undefined;
      this.refused.refuse('sync', suspect.item, suspect.detail, false);
      return;
    }
    this.alone = undefined;
    this.limit = Math.min(this.limit * 2, MOST_ITEMS);
  }

  /**
   * The sync with this batch failed. `isTooLarge`: the backend said so (413), and one by itself is refused at once. True if the next
   * one has half of it.
   */
  failed({ events, acks }: Batch, isTooLarge: boolean, detail: string): boolean {
    this.suspect = undefined;
    const count = events.length + acks.length;
    if (count > 1) {
      this.limit = Math.max(Math.floor(Math.min(this.limit, Math.max(events.length, acks.length)) / 2), 1);
      if (count === 2 && events.length === 1) this.alone = 'event';
      this.behind = { ack: before(acks), event: before(events) };
      return true;
    }
    const item = named(events[0], acks[0]);
    if (item === undefined) return false;
    this.alone = item.kind === 'event' ? 'ack' : 'event';
    if (isTooLarge) this.refused.refuse('sync', item, detail, true);
    else this.suspect = { item, detail };
    return false;
  }

  private take<One extends Item>(
    kind: ItemName,
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
    kind: ItemName,
    source: Source<One>,
    from: number,
  ): { items: One[]; isCut: boolean } {
    const limit = this.alone === undefined ? this.limit : 1;
    const listed = source.after(from, limit + this.refused.count);
    const offered = listed.filter(({ seq }) => !this.refused.waits('sync', kind, seq)).slice(0, limit);
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

function named(event: QueuedEvent | undefined, ack: QueuedAck | undefined): RefusedItem | undefined {
  if (event !== undefined) return { kind: 'event', seq: event.seq, id: event.eventId };
  return ack && { kind: 'ack', seq: ack.seq, id: ack.commandId };
}
