import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { residentBytes } from '../system/residentMemory.js';
import { loopLag, SAMPLED_EVERY_MS } from './loopLag.js';

/** From the time of one disk commit to that of a process start, and on to outages. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** A series that begins with its first event hides that event from `rate()`: those that are known begin at 0. */
const COMMAND_OUTCOMES = ['completed', 'failed'] as const;
const ACK_EVENTS = ['given', 'delivered'] as const;
const SEND_OUTCOMES = ['sent', 'failed', 'unknown', 'deduplicated'] as const;

/** What is counted as it is at the moment of a scrape. Depths and codes carry no ids. */
export interface MetricsReading {
  version: string;
  /** Unix ms. */
  startedAt: number;
  link: 'realtime' | 'polling' | 'offline';
  /** Codes of what is wrong now. */
  problems: readonly string[];
  /** The state of each vital sign. */
  signs: readonly (readonly [name: string, state: 'ok' | 'failing' | 'not_yet_known'])[];
  /** How many wait, by queue. */
  queues: Readonly<Record<string, number>>;
  decodeFallbacks: number;
  reconnects24h: number;
  rttMs: number | null;
}

/**
 * The agent's metrics in the text format of Prometheus (prometheus.io/docs/instrumenting/exposition_formats). No label holds
 * an id, an address or a text, and each takes few values. Times are in seconds.
 */
export class Metrics {
  private readonly registry = new Registry();
  private readonly loop: IntervalHistogram;
  private readonly commands = this.counter('edge_agent_commands_total', 'Commands by their first ack.', [
    'type',
    'outcome',
  ]);
  private readonly acks = this.counter(
    'edge_agent_acks_total',
    'Acks created, and acks that the backend has read.',
    ['event'],
  );
  private readonly sends = this.counter('edge_agent_sends_total', 'Texts and files by outcome.', ['outcome']);
  private readonly messages = this.counter('edge_agent_messages_received_total', 'Incoming messages stored.');
  private readonly commandSeconds = this.histogram(
    'edge_agent_command_to_osascript_seconds',
    'From storing a command to starting osascript for its first text.',
  );
  private readonly postSeconds = this.histogram(
    'edge_agent_message_to_post_seconds',
    'From reading a message in chat.db to its first HTTP request.',
  );
  private readonly ackSeconds = this.histogram(
    'edge_agent_ack_delivery_seconds',
    'From creating an ack to the proof that the backend has read it.',
  );

  /** Measures the event loop from now on, until `stop`. What can be counted of `commandTypes` begins at 0. */
  constructor(
    private readonly read: () => MetricsReading,
    commandTypes: readonly string[],
  ) {
    for (const type of commandTypes)
      for (const outcome of COMMAND_OUTCOMES) this.commands.inc({ type, outcome }, 0);
    for (const event of ACK_EVENTS) this.acks.inc({ event }, 0);
    for (const outcome of SEND_OUTCOMES) this.sends.inc({ outcome }, 0);
    this.loop = monitorEventLoopDelay({ resolution: SAMPLED_EVERY_MS });
    this.loop.enable();
  }

  commandEnded(type: string, outcome: (typeof COMMAND_OUTCOMES)[number]): void {
    this.commands.inc({ type, outcome });
  }

  ackGiven(): void {
    this.acks.inc({ event: 'given' });
  }

  ackDelivered(afterMs: number): void {
    this.acks.inc({ event: 'delivered' });
    this.ackSeconds.observe(seconds(afterMs));
  }

  sendEnded(outcome: (typeof SEND_OUTCOMES)[number]): void {
    this.sends.inc({ outcome });
  }

  messageReceived(): void {
    this.messages.inc();
  }

  commandStarted(afterMs: number): void {
    this.commandSeconds.observe(seconds(afterMs));
  }

  messagePosted(afterMs: number): void {
    this.postSeconds.observe(seconds(afterMs));
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  /** All current metrics. The event-loop figures cover the time since the last call. */
  async text(): Promise<string> {
    const now = this.readNow();
    try {
      return [await this.registry.metrics(), await now.metrics()].join('');
    } finally {
      this.loop.reset();
    }
  }

  stop(): void {
    this.loop.disable();
    this.registry.clear();
  }

  /** Created each time, so that no outdated value remains. */
  private readNow(): Registry {
    const reading = this.read();
    const registry = new Registry();
    const gauge = (
      name: string,
      help: string,
      values: readonly [Record<string, string>, number][],
      labelNames = Object.keys(values[0]?.[0] ?? {}),
    ) => {
      const one = new Gauge({ name, help, labelNames, registers: [registry] });
      for (const [labels, value] of values) one.set(labels, value);
    };
    gauge('edge_agent_info', 'Always 1.', [[{ version: reading.version }, 1]]);
    gauge('process_start_time_seconds', 'Start of the agent, Unix time.', [[{}, reading.startedAt / 1000]]);
    gauge('process_resident_memory_bytes', 'Resident memory.', [[{}, residentBytes()]]);
    gauge('edge_agent_degraded', '1 while there is a problem.', [[{}, reading.problems.length > 0 ? 1 : 0]]);
    gauge('edge_agent_problem', '1 for each problem.', countsOf(reading.problems), ['code']);
    gauge(
      'edge_agent_vital_sign',
      '1 for the current state of each vital sign.',
      reading.signs.flatMap(([sign, now]) =>
        (['ok', 'failing', 'not_yet_known'] as const).map((state): [Record<string, string>, number] => [
          { sign, state },
          state === now ? 1 : 0,
        ]),
      ),
      ['sign', 'state'],
    );
    gauge(
      'edge_agent_link_state',
      '1 for the current channel of commands.',
      (['realtime', 'polling', 'offline'] as const).map((state) => [
        { state },
        state === reading.link ? 1 : 0,
      ]),
    );
    gauge('edge_agent_link_reconnects_24h', 'Reconnects of the link in the last 24 hours.', [
      [{}, reading.reconnects24h],
    ]);
    if (reading.rttMs !== null)
      gauge('edge_agent_link_rtt_seconds', 'The last round trip of the link.', [[{}, reading.rttMs / 1000]]);
    gauge(
      'edge_agent_queue_depth',
      'Waiting items.',
      Object.entries(reading.queues).map(([queue, depth]) => [{ queue }, depth]),
    );
    const help = 'Messages whose damaged body was read by other means.';
    const fallbacks = new Counter({ name: 'edge_agent_decode_fallbacks_total', help, registers: [registry] });
    fallbacks.inc(reading.decodeFallbacks);
    const lag = [this.loop.mean, this.loop.percentile(99), this.loop.max];
    gauge(
      'edge_agent_event_loop_lag_seconds',
      'Delay of the event loop since the last scrape.',
      ['mean', 'p99', 'max'].map((of, index) => [{ of }, loopLag(lag[index] ?? 0)]),
    );
    return registry;
  }

  private counter<Label extends string>(
    name: string,
    help: string,
    labelNames: Label[] = [],
  ): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  private histogram(name: string, help: string): Histogram {
    return new Histogram({ name, help, buckets: BUCKETS, registers: [this.registry] });
  }
}

function countsOf(codes: readonly string[]): [Record<string, string>, number][] {
  return [...new Set(codes)].map((code) => [{ code }, 1]);
}

/** A wall clock that was set back is no negative time. */
function seconds(ms: number): number {
  return Math.max(0, ms) / 1000;
}
