import type { Logger } from '../logging/Logger.js';
import type { Command } from '../model/command.js';
import { type Clock, sleep } from '../system/clock.js';
import { syncBody } from './frames.js';
import type { HttpOutcome } from './HttpClient.js';
import type { LostConnectionDetector } from './LostConnectionDetector.js';
import { asObject, parseSyncReply } from './protocol.js';
import type { RefusedItems } from './RefusedItems.js';
import { type Batch, SyncBatch } from './SyncBatch.js';
import { type BackendStore, wireEvent } from './settings.js';

const META_LAST_COMMAND = 'backend.last_command_id';
/** Commands stored in one commit; between two of them the rest of the agent gets its turn. */
const COMMANDS_AT_ONCE = 500;

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

  /** Somebody had the request and did not take it: the next one carries less. True if that is worth trying at once. */
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
