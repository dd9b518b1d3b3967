import { homedir } from 'node:os';
import type { Config } from '../config/schema.js';
import { describeError } from '../errors.js';
import { Alerts } from '../health/alerts/Alerts.js';
import { alertSender, alertSettings } from '../health/alerts/alertSettings.js';
import { type HealthAnswer, HealthServer } from '../health/HealthServer.js';
import { Heartbeat } from '../health/Heartbeat.js';
import type { Metrics, MetricsReading } from '../health/Metrics.js';
import { UpdateCheck } from '../health/UpdateCheck.js';
import type { Logger } from '../logging/Logger.js';
import type { AlertsTested } from '../model/operatorApi.js';
import type { Problem } from '../model/problem.js';
import type { StatusSnapshot } from '../model/status.js';
import { hindersTheJob } from '../operator/problemMeanings.js';
import type { Store } from '../store/Store.js';
import type { Clock, Timer } from '../system/clock.js';
import type { Outbound } from '../system/Outbound.js';
import type { Components } from './compose.js';

interface HealthOptions {
  config: () => Config;
  components: Pick<Components, 'acks' | 'outgoing' | 'forwarder' | 'commandTypes'>;
  store: Store;
  version: string;
  snapshot: () => StatusSnapshot;
  startedAt: number;
  outbound: Outbound;
  env: NodeJS.ProcessEnv;
  platform: NodeJS.Platform;
  clock: Clock;
  log: Logger;
}

const TRY_AGAIN_MS = 10_000;
/** What is no type of ours may be anything, and is no label. */
const UNKNOWN_TYPE = 'unknown';

/**
 * What others may watch the agent by: the local HTTP server with its metrics, if it is enabled, the heartbeat, and the alerts.
 * Without the server nothing is measured, and the library for it is not loaded.
 */
export class Health {
  private readonly heartbeat: Heartbeat;
  private readonly alerts: Alerts;
  private readonly updates: UpdateCheck;
  private metrics: Metrics | undefined;
  private server: HealthServer | undefined;
  private unserved: Problem<number, 'health_unavailable'> | undefined;
  private again: Timer | undefined;
  private isStopped = false;

  constructor(private readonly options: HealthOptions) {
    const { config, snapshot, version, store, platform, outbound, env, clock, log } = options;
    this.heartbeat = new Heartbeat({
      settings: () => {
        const { heartbeat_url: url, heartbeat_seconds: seconds } = config().health;
        return { url, everyMs: seconds * 1000 };
      },
      healthy: () => !snapshot().problems.some(hindersTheJob),
      outbound,
      clock,
      log,
    });
    this.alerts = new Alerts({
      settings: () => alertSettings(config()),
      state: () => {
        const codes = snapshot().problems.map(({ code }) => code);
        return codes.includes('stopping') ? undefined : codes.filter((code) => hindersTheJob({ code }));
      },
      sender: alertSender(version),
      store,
      platform,
      outbound,
      env,
      clock,
      log,
    });
    this.updates = new UpdateCheck({
      isOn: () => config().updates.check,
      version,
      store,
      outbound,
      env,
      homeDir: env.HOME ?? homedir(),
      clock,
      log,
    });
  }

  /** The newer version that there is. */
  update(): StatusSnapshot['update'] {
    return this.updates.available();
  }

  /** To be awaited before the components start, so that nothing goes uncounted. Never rejects. */
  async start(): Promise<void> {
    const { config, log } = this.options;
    this.heartbeat.start();
    this.alerts.start();
    this.updates.start();
    if (!config().health.enabled) return;
    try {
      await this.startMetrics();
    } catch (error) {
      log.warn('Health is not served', { cause: describeError(error) });
    }
  }

  /** Where to and how often the heart beats has changed. */
  heartbeatChanged(): void {
    this.heartbeat.start();
  }

  /** The listeners for changes. */
  alertsChanged(): void {
    this.alerts.settingsChanged();
  }

  /** Whether newer versions are looked for has changed. */
  updatesChanged(): void {
    this.updates.start();
  }

  /** Tries every channel of the alerts. */
  testAlerts(): Promise<AlertsTested> {
    return this.alerts.test();
  }

  /** What keeps others from hearing of the agent. */
  faults(): Problem<number>[] {
    const fault = this.alerts.fault();
    return [...(fault === undefined ? [] : [fault]), ...(this.unserved === undefined ? [] : [this.unserved])];
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    this.again?.cancel();
    this.heartbeat.stop();
    this.alerts.stop();
    this.updates.stop();
    await this.server?.close();
    this.metrics?.stop();
  }

  private async startMetrics(): Promise<void> {
    const { Metrics } = await import('../health/Metrics.js');
    const types = [...this.options.components.commandTypes, UNKNOWN_TYPE];
    const metrics = new Metrics(() => reading(this.options), types);
    this.metrics = metrics;
    measure(metrics, this.options);
    await this.serve(metrics);
  }

  /** The port may be used by the agent of another user, whose health would be mistaken for ours. */
  private async serve(metrics: Metrics): Promise<void> {
    const { config, snapshot, version, clock, log } = this.options;
    const { port } = config().health;
    const health = () => healthOf(snapshot());
    try {
      const server = await HealthServer.listen(port, { version, health, metrics }, log);
      this.unserved = undefined;
      this.server = server;
      if (this.isStopped) await server.close();
    } catch (error) {
      const cause = describeError(error);
      if (this.unserved === undefined) log.warn('Health is not served; trying again', { port, cause });
      this.unserved ??= {
        code: 'health_unavailable',
        since: clock.now(),
        message: `Health and metrics cannot be served: ${cause}.`,
        remedy: `Stop what uses port ${port}, or set health.port to another one and restart; the agent retries on its own.`,
      };
      if (!this.isStopped) this.again = clock.after(TRY_AGAIN_MS, () => void this.serve(metrics));
    }
  }
}

/** What any user of this machine may see: codes and states, no messages. */
function healthOf({ state, problems, vital_signs: signs }: StatusSnapshot): HealthAnswer {
  const codesOf = (wanted: (problem: Problem) => boolean) =>
    problems.filter(wanted).map(({ code, since }) => ({ code, since }));
  return {
    status: state,
    problems: codesOf(hindersTheJob),
    notices: codesOf((problem) => !hindersTheJob(problem)),
    vital_signs: Object.fromEntries(Object.entries(signs).map(([name, sign]) => [name, sign.state])),
  };
}

/** Counts what is committed. */
function measure(metrics: Metrics, { components, store, clock }: HealthOptions): void {
  const { acks, outgoing, forwarder, commandTypes } = components;
  acks.onGiven(({ commandType, revision }, { kind }) => {
    store.afterCommit(() => {
      metrics.ackGiven();
      // A later ack corrects the first one.
      const type = commandTypes.includes(commandType) ? commandType : UNKNOWN_TYPE;
      if (revision === 0) metrics.commandEnded(type, kind);
    });
  });
  store.acks.onDelivered((createdAt) => {
    store.afterCommit(() => metrics.ackDelivered(clock.now() - createdAt));
  });
  store.incoming.onInsert(() => store.afterCommit(() => metrics.messageReceived()));
  outgoing.onOutcome((_, { kind }) => store.afterCommit(() => metrics.sendEnded(kind)));
  outgoing.onStarted(({ commandId, scheduleId, attempts, part }) => {
    if (commandId === null || scheduleId !== null || attempts > 0 || (part ?? 0) > 1) return;
    const command = store.commands.find(commandId);
    if (command !== undefined) metrics.commandStarted(clock.now() - command.receivedAt);
  });
  forwarder.onPost(({ attempts, seenAt }) => {
    if (attempts === 1) metrics.messagePosted(clock.now() - seenAt);
  });
}

function reading({ snapshot, startedAt, version }: HealthOptions): MetricsReading {
  const now = snapshot();
  return {
    version,
    startedAt,
    link: now.link,
    problems: now.problems.map(({ code }) => code),
    signs: Object.entries(now.vital_signs).map(([name, { state }]) => [name, state] as const),
    queues: {
      incoming: now.incoming_queued,
      incoming_parked: now.incoming_parked,
      sends: now.sends_queued,
      schedule: now.scheduled_messages,
      commands: now.commands_waiting,
      acks: now.acks_undelivered,
      events: now.events_undelivered,
      uploads: now.uploads_queued,
    },
    decodeFallbacks: now.decode_fallbacks,
    reconnects24h: now.link_detail.reconnects_24h,
    rttMs: now.link_detail.rtt_ms,
  };
}
