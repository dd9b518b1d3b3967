import type { Logger } from '../logging/Logger.js';
import type { Command } from '../model/command.js';
import { type Clock, sleep } from '../system/clock.js';
import { type HttpOutcome, NO_SUCH_ENDPOINT } from './HttpClient.js';
import { asObject, parseSyncReply, syncBody } from './protocol.js';
import {
  type ItemName,
  type RefusedItem,
  type RefusedItems,
  refusedAck,
  refusedEvent,
} from './RefusedItems.js';
import { type BackendStore, type QueuedAck, type QueuedEvent, wireEvent } from './settings.js';
import type { LostConnectionDetector } from './WebSocketClient.js';

const META_LAST_COMMAND = 'backend.last_command_id';
/** Commands stored in one commit; between two of them the rest of the agent gets its turn. */
const COMMANDS_AT_ONCE = 100;

interface ExchangePorts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly store: BackendStore;
  readonly agentId: () => string;
  readonly snapshot: () => Record<string, unknown>;
  /** Synchronous and durable; throws when it cannot store. */
  readonly receive: (commands: readonly Command[]) => void;
  readonly onConfigUpdate: (settings: Record<string, unknown>) => void;
  readonly stranded: LostConnectionDetector;
  readonly refused: RefusedItems;
}

interface BegunSync {
  readonly body: Record<string, unknown>;
  readonly startedAt: number;
  readonly batch: Batch;
}

type EndedSync =
  | { readonly kind: 'done' /** A full page was cleared, so more may wait. */; readonly more: boolean }
  | {
      readonly kind: 'failed';
      readonly detail: string;
      readonly retryAfterMs?: number;
      /** The body was too large, and the next one is smaller: it may go at once. */
      readonly again?: true;
      /** There is no such endpoint (protocol §6). */
      readonly isAbsent?: true;
    };

/**
 * What a sync carries and what its reply does. Commands are stored before anything else of the reply counts, and only
 * what the reply lists by id is cleared: a bare 2xx clears nothing.
 */
export class SyncExchange {
  private readonly batches: SyncBatch;

  constructor(private readonly ports: ExchangePorts) {
    const { store, refused } = ports;
    this.batches = new SyncBatch(store.events, store.acks, refused);
  }

  begin(): BegunSync {
    const { store, agentId, snapshot, clock } = this.ports;
    const batch = this.batches.next();
    const body = syncBody({
      agentId: agentId(),
      lastCommandId: store.meta.get(META_LAST_COMMAND) ?? null,
      events: batch.events.map(wireEvent),
      acks: batch.acks.map((ack) => ack.body),
      status: snapshot(),
    });
    return { body, startedAt: clock.now(), batch };
  }

  /**
   * Rejects with what the store throws; then what was not stored counts for nothing and the backend offers it again.
   * `wanted` turns false when intake stops: what was not taken in by then is left to the backend too.
   */
  async end(
    begun: BegunSync,
    outcome: HttpOutcome,
    besideSocket: boolean,
    wanted: () => boolean,
  ): Promise<EndedSync> {
    if (outcome.kind !== 'ok') {
      const later = outcome.kind === 'status' ? outcome.retryAfterMs : undefined;
      const again = this.shrink(begun.batch, outcome) ? ({ again: true } as const) : {};
      return {
        kind: 'failed',
        detail: outcome.detail,
        ...(later === undefined ? {} : { retryAfterMs: later }),
        ...again,
        ...(outcome.kind === 'status' && NO_SUCH_ENDPOINT.has(outcome.status) ? { isAbsent: true } : {}),
      };
    }
    const { store, onConfigUpdate } = this.ports;
    const json = asObject(outcome.json);
    const { commands, ...rest } = json ?? {};
    const listed = Array.isArray(commands) ? commands : [];
    const reply = json && parseSyncReply({ ...rest, ...(listed === commands ? {} : { commands }) });
    if (reply !== undefined && reply.faults.length > 0)
      this.ports.log.warn('Ignored a part of a sync reply', { reason: reply.faults.join('; ') });
    if (!reply) {
      const detail = `HTTP ${outcome.status} without a JSON object`;
      this.shrink(begun.batch, { ...outcome, detail });
      return { kind: 'failed', detail };
    }
    this.batches.succeeded();
    const taken = await this.takeIn(listed, begun, besideSocket, wanted);
    if (!taken) return { kind: 'done', more: false };
    const readAcks = new Set(reply.ackCommands);
    const seqs = begun.batch.acks.filter((ack) => readAcks.has(ack.commandId)).map((ack) => ack.seq);
    if (seqs.length > 0 || reply.ackEvents.length > 0) {
      store.write(() => {
        store.acks.clear(seqs, 'http');
        store.events.clearIds(reply.ackEvents);
      });
    }
    if (reply.configUpdates) onConfigUpdate(reply.configUpdates);
    const more =
      (begun.batch.moreEvents && reply.ackEvents.length > 0) || (begun.batch.moreAcks && seqs.length > 0);
    return { kind: 'done', more };
  }

  /** The request was received and not accepted: the next one has less. True if it should be tried immediately. */
  private shrink(batch: Batch, outcome: HttpOutcome): boolean {
    if (outcome.kind === 'failed' && outcome.cause !== 'timeout') return false;
    const isTooLarge = outcome.kind === 'status' && outcome.status === 413;
    return this.batches.failed(batch, isTooLarge, outcome.detail) && isTooLarge;
  }

  /** Reads and stores them piece by piece, letting go of each, so that many need no memory for long; false if intake stopped before all of them were stored. */
  private async takeIn(
    listed: unknown[],
    begun: BegunSync,
    besideSocket: boolean,
    wanted: () => boolean,
  ): Promise<boolean> {
    const { clock, log, store, receive, stranded } = this.ports;
    let dropped = 0;
    for (let isFirst = true; listed.length > 0; isFirst = false) {
      if (!isFirst) await sleep(clock, 0);
      if (!wanted()) return false;
      const piece = parseSyncReply({ commands: listed.splice(0, COMMANDS_AT_ONCE) });
      dropped += piece?.dropped ?? 0;
      const last = piece?.commands.at(-1);
      if (piece === undefined || last === undefined) continue;
      receive(piece.commands);
      store.meta.set(META_LAST_COMMAND, last.commandId);
      stranded.bySync(piece.commands, begun.startedAt, besideSocket);
    }
    if (dropped > 0) log.warn('Dropped commands without a usable command_id', { count: dropped });
    return true;
  }
}

/** Of each kind in one sync. */
const MOST_ITEMS = 200;
/** Of each kind in one sync, unless one item alone is larger: with the status a body stays below 64 KiB, so that a server that takes 100 kB of JSON (Express by default) takes it. */
const MOST_BYTES = 28 * 1024;

const NOTHING = { items: [], isCut: false };

interface Item {
  readonly seq: number;
}

/** Oldest first by `seq`. */
interface Source<One> {
  after(seq: number, limit: number): One[];
}

interface Batch {
  readonly events: readonly QueuedEvent[];
  readonly acks: readonly QueuedAck[];
  /** More of that kind wait behind what was taken. */
  readonly moreEvents: boolean;
  readonly moreAcks: boolean;
}

/**
 * Which events and acks the next sync carries. A page begins after the previous one, so that a backend that lists none
 * of a page still gets the next one. After a failure a page has half the items, down to a single event or ack; a
 * success doubles it again. If one fails alone, the next sync has none: if that is accepted, the item waits
 * (`RefusedItems`). So an item that a backend cannot accept holds up neither the other items nor the commands.
 */
export class SyncBatch {
  private behind = { ack: 0, event: 0 };
  private limit = MOST_ITEMS;
  /** The kind of which a single item is sent. */
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
    const events = () => this.take('event', this.events, refusedEvent);
    let event = this.alone === 'ack' ? NOTHING : events();
    const isAckWanted = this.alone !== 'event' || event.items.length === 0;
    const ack = isAckWanted ? this.take('ack', this.acks, refusedAck) : NOTHING;
    if (this.alone === 'ack' && ack.items.length === 0) event = events();
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
   * The sync with this batch failed. `isTooLarge`: the backend said so (413), and a single item counts as refused
   * immediately. True if the next one has half of it.
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
    itemOf: (one: One) => RefusedItem,
  ): { items: readonly One[]; isCut: boolean } {
    const from = this.behind[kind];
    const page = this.page(source, from, itemOf);
    const { items, isCut } = page.items.length === 0 && from > 0 ? this.page(source, 0, itemOf) : page;
    this.behind[kind] = isCut ? (items.at(-1)?.seq ?? 0) : 0;
    return { items, isCut };
  }

  private page<One extends Item>(
    source: Source<One>,
    from: number,
    itemOf: (one: One) => RefusedItem,
  ): { items: One[]; isCut: boolean } {
    const limit = this.alone === undefined ? this.limit : 1;
    const listed = source.after(from, limit + this.refused.count);
    const offered = listed.filter((one) => !this.refused.waits('sync', itemOf(one))).slice(0, limit);
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
  return event === undefined ? ack && refusedAck(ack) : refusedEvent(event);
}
