import type { Logger } from '../logging/Logger.js';
import type { Problem } from '../model/problem.js';
import type { Clock } from '../system/clock.js';
import type { BackendStore, QueuedAck, QueuedEvent } from './settings.js';
import type { RefusedAcks } from './view.js';

const FIRST_WAIT_MS = 60_000;
const LONGEST_WAIT_MS = 3_600_000;
/** Where only the failure of one and the success of another speak, so many of both are no accident. */
const PROVEN_BY = 3;

export type ItemName = 'event' | 'ack';
/** In a sync, or alone to the endpoint for acks. */
type Way = 'sync' | 'post';

/**
 * An event, or an ack of the command `id`. An ack is queued again whenever its command is offered again: it is
 * identified by its command and revision, not by its place in the queue.
 */
export type RefusedItem =
  | { readonly kind: 'event'; readonly id: string; readonly seq: number }
  | { readonly kind: 'ack'; readonly id: string; readonly revision: number };

export function refusedAck({ commandId, revision }: Pick<QueuedAck, 'commandId' | 'revision'>): RefusedItem {
  return { kind: 'ack', id: commandId, revision };
}

export function refusedEvent({ eventId, seq }: Pick<QueuedEvent, 'eventId' | 'seq'>): RefusedItem {
  return { kind: 'event', id: eventId, seq };
}

interface Entry {
  readonly item: RefusedItem;
  /** Unix ms. */
  readonly since: number;
  detail: string;
  times: number;
  isProven: boolean;
  /** Until when it waits, by way; monotonic ms. */
  readonly until: Map<Way, number>;
}

interface RefusedPorts {
  readonly store: {
    readonly acks: Pick<BackendStore['acks'], 'has'>;
    readonly events: Pick<BackendStore['events'], 'has'>;
  };
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * The events and acks that the backend does not accept although it accepts others. Each is offered again alone, after a
 * minute at first, then up to an hour, so it does not affect the others; and is reported until it is read or given up.
 * Kept in memory: after a restart they are offered again.
 */
export class RefusedItems {
  private readonly entries = new Map<string, Entry>();

  constructor(private readonly ports: RefusedPorts) {}

  /** `isFinal`: the backend said that it is about this one; else that follows from what it takes. */
  refuse(way: Way, item: RefusedItem, detail: string, isFinal: boolean): void {
    this.prune();
    const { clock, log } = this.ports;
    const name = nameOf(item);
    const entry = this.entries.get(name) ?? {
      item,
      since: clock.now(),
      detail,
      times: 0,
      isProven: false,
      until: new Map(),
    };
    this.entries.set(name, entry);
    entry.times += 1;
    entry.detail = detail;
    entry.isProven ||= isFinal || entry.times >= PROVEN_BY;
    const wait = Math.min(FIRST_WAIT_MS * 2 ** Math.min(entry.times - 1, 10), LONGEST_WAIT_MS);
    entry.until.set(way, clock.monotonic() + wait);
    log.warn(
      `The backend does not accept an ${item.kind} while it accepts others; it is offered again later`,
      {
        ...(item.kind === 'ack' ? { trace: item.id } : { event: item.id }),
        cause: detail,
        seconds: Math.round(wait / 1_000),
      },
    );
  }

  /** Whether it is not to be offered yet. */
  waits(way: Way, item: RefusedItem): boolean {
    return (this.entries.get(nameOf(item))?.until.get(way) ?? 0) > this.ports.clock.monotonic();
  }

  /** How long until one of those is to be offered, ms; undefined: none waits. */
  nextInMs(way: Way): number | undefined {
    const now = this.ports.clock.monotonic();
    const waits = [...this.entries.values()].map(({ until }) => (until.get(way) ?? 0) - now);
    const left = waits.filter((wait) => wait > 0);
    return left.length === 0 ? undefined : Math.min(...left);
  }

  get count(): number {
    return this.entries.size;
  }

  /** All may be offered now. */
  again(): void {
    for (const { until } of this.entries.values()) until.clear();
  }

  /** The acks among them. */
  acks(): RefusedAcks {
    this.prune();
    const acks = [...this.entries.values()].filter(({ item }) => item.kind === 'ack');
    const since = acks.length === 0 ? null : Math.min(...acks.map((ack) => ack.since));
    return { count: acks.length, commands: new Set(acks.map(({ item }) => item.id)).size, since };
  }

  problem(): Problem<number> | null {
    this.prune();
    const proven = [...this.entries.values()].filter(({ isProven }) => isProven);
    const [first] = proven;
    if (first === undefined) return null;
    const events = proven.filter(({ item }) => item.kind === 'event').length;
    const counts = [counted(events, 'event'), counted(proven.length - events, 'ack')].filter(
      (words) => words !== '',
    );
    return {
      code: 'delivery_refused',
      since: Math.min(...proven.map(({ since }) => since)),
      message: `The backend does not accept ${counts.join(' and ')} (${first.item.kind === 'event' ? 'event' : 'ack of'} ${first.item.id}: ${first.detail}). Everything else continues.`,
      remedy:
        'Let the backend accept it (bodies of at least 1 MiB). It is offered again within an hour, or at once with: edge-agent kick. It is given up after 7 days.',
    };
  }

  /** Those that were read by whatever way, or given up, are no matter any more. */
  private prune(): void {
    const { acks, events } = this.ports.store;
    for (const [name, { item }] of this.entries) {
      const isQueued = item.kind === 'ack' ? acks.has(item.id, item.revision) : events.has(item.seq);
      if (!isQueued) this.entries.delete(name);
    }
  }
}

function nameOf(item: RefusedItem): string {
  return item.kind === 'ack' ? `ack ${item.id} ${item.revision}` : `event ${item.seq}`;
}

function counted(count: number, noun: string): string {
  if (count === 0) return '';
  return count === 1 ? `1 ${noun}` : `${count} ${noun}s`;
}
