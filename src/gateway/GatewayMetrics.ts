import type { IncomingMessage, ServerResponse } from 'node:http';
import { Counter, Gauge, Registry } from 'prom-client';
import { z } from 'zod';
import { describeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import type { Clock } from '../system/clock.js';
import { residentBytes } from '../system/residentMemory.js';
import type { Sighting } from './agents/EdgeBackend.js';
import { CLOSE } from './agents/frames.js';
import { countAllCommands } from './ledger/commands.js';
import { readRows } from './ledger/readRows.js';
import type { GatewayDatabase } from './storage/GatewayDatabase.js';

/** The minimum interval between queries for queue depths, in ms, however often metrics are scraped. */
const DEPTHS_MS = 10_000;
/** Agents may close with any code: those that are not named here are one series. */
const CLOSE_CODES: ReadonlySet<number> = new Set([1000, 1001, 1005, 1006, ...Object.values(CLOSE)]);

interface GatewayMetricsParts {
  readonly database: GatewayDatabase;
  readonly clock: Clock;
  readonly log: Logger;
  readonly version: string;
  /** How many sockets are up here. */
  readonly sockets: () => number;
}

/**
 * The gateway's metrics in the text format of Prometheus (prometheus.io/docs/instrumenting/exposition_formats), of this replica but for the
 * depths, which are those of the database. No label holds an id, an address or a text, and each takes few values.
 */
export class GatewayMetrics {
  private readonly registry = new Registry();
  private readonly connects = this.counter('edge_gateway_connects_total', 'Sockets that agents opened.');
  private readonly closes = this.counter('edge_gateway_disconnects_total', 'Sockets that ended.', ['code']);
  private readonly refusals = this.counter(
    'edge_gateway_refusals_total',
    'Agents and strangers that were refused.',
    ['code'],
  );
  private readonly answers = this.counter('edge_gateway_answers_total', 'Answers to incoming messages.', [
    'delivered',
  ]);
  private readonly overloads = this.counter(
    'edge_gateway_overload_refusals_total',
    'Requests that were refused (503) because there was too much to do.',
  );
  private readonly syncs = this.counter('edge_gateway_syncs_total', 'Syncs by HTTP.');
  private readonly socketsUp = this.gauge('edge_gateway_sockets', 'Sockets of agents that are up.');
  private readonly memory = this.gauge('process_resident_memory_bytes', 'Resident memory.');
  private readonly commands = this.gauge(
    'edge_gateway_commands_waiting',
    'Commands that are not acked, of all replicas.',
  );
  private readonly deliveries = this.gauge(
    'edge_gateway_webhook_lanes_waiting',
    'Conversations that have something to be posted to a webhook, of all replicas.',
  );
  private readonly database = this.gauge(
    'edge_gateway_database_up',
    '1 if the database answered when it was last asked.',
  );
  private depthsAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly parts: GatewayMetricsParts) {
    for (const delivered of ['true', 'false']) this.answers.inc({ delivered }, 0);
    this.gauge('edge_gateway_info', 'Always 1.', ['version']).set({ version: parts.version }, 1);
    this.gauge('process_start_time_seconds', 'Start of the gateway, Unix time.').set(
      parts.clock.now() / 1000,
    );
  }

  /** A request was refused because there is too much to do. */
  sawOverload(): void {
    this.overloads.inc();
  }

  saw(sighting: Sighting): void {
    switch (sighting.kind) {
      case 'connected':
        this.connects.inc();
        return;
      case 'disconnected':
        this.closes.inc({ code: CLOSE_CODES.has(sighting.code) ? sighting.code : 'other' });
        return;
      case 'refused':
        this.refusals.inc({ code: sighting.code });
        return;
      case 'reply':
        this.answers.inc({ delivered: String(sighting.delivered) });
        return;
      case 'sync':
        this.syncs.inc();
        return;
      case 'ping':
      case 'nonsense':
    }
  }

  /** Answers a scrape. Without its database the gateway still returns its own counters. Never rejects. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume();
    this.socketsUp.set(this.parts.sockets());
    this.memory.set(residentBytes());
    await this.lookForDepths();
    response.writeHead(200, { 'Content-Type': this.registry.contentType });
    response.end(await this.registry.metrics());
  }

  private async lookForDepths(): Promise<void> {
    const { clock, database, log } = this.parts;
    if (clock.monotonic() - this.depthsAt < DEPTHS_MS) return;
    this.depthsAt = clock.monotonic();
    try {
      const { pending } = await countAllCommands(database);
      const rows = await database.query('SELECT count(*) AS lanes FROM webhook_lanes');
      const [{ lanes } = { lanes: 0 }] = readRows(z.object({ lanes: z.number() }), rows);
      this.commands.set(pending);
      this.deliveries.set(lanes);
      this.database.set(1);
    } catch (error) {
      // An old depth would look like one that was measured.
      this.commands.reset();
      this.deliveries.reset();
      this.database.set(0);
      log.debug('Metrics have no depths now', { error: describeError(error) });
    }
  }

  private counter(name: string, help: string, labelNames: string[] = []): Counter {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  private gauge(name: string, help: string, labelNames: string[] = []): Gauge {
    return new Gauge({ name, help, labelNames, registers: [this.registry] });
  }
}
