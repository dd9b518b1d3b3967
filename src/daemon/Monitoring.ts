import { join } from 'node:path';
import type { Config } from '../config/schema.js';
import { describeError } from '../errors.js';
import type { LogFile } from '../logging/createLogger.js';
import type { LogEvent } from '../logging/formatLine.js';
import type { AgentStatus, Notification } from '../model/monitorFrames.js';
import type { Problem } from '../model/problem.js';
import type { StatusSnapshot } from '../model/status.js';
import { MonitorSecret } from '../monitor/MonitorSecret.js';
import { MonitorServer } from '../monitor/MonitorServer.js';
import { agentStatus } from '../operator/agentStatus.js';
import { DoctorRun } from '../operator/DoctorRun.js';
import { LinkHours } from '../operator/LinkHours.js';
import { LinkTimeline } from '../operator/LinkTimeline.js';
import { monitorVerbs } from '../operator/monitorVerbs.js';
import { NotificationHistory } from '../operator/NotificationHistory.js';
import { Progress } from '../operator/Progress.js';
import { type Change, changesOf } from '../operator/snapshotChanges.js';
import { linkWord } from '../operator/statusSnapshot.js';
import { watchTexts } from '../operator/watchTexts.js';
import type { Store } from '../store/Store.js';
import type { Clock, Timer } from '../system/clock.js';
import { PACKAGE_ROOT } from '../system/packageRoot.js';
import type { Components } from './compose.js';

interface MonitoringOptions {
  config: Config;
  components: Omit<Components, 'monitoring'>;
  store: Store;
  /** Of the status socket. */
  verbs: Parameters<typeof monitorVerbs>[0]['verbs'];
  snapshot: () => StatusSnapshot;
  /** The configuration file; null: there is none. */
  configPath: string | null;
  env: NodeJS.ProcessEnv;
  /** When an earlier life was last known to be alive, Unix ms. */
  aliveAt: number | undefined;
  clock: Clock;
  log: LogFile;
}

const PAGE_DIRECTORY = join(PACKAGE_ROOT, 'dist', 'monitor-page');
const TICK_MS = 1_000;
/** How soon a task that has just begun is reported. */
const SOON_MS = 100;
const SAVE_EVERY_MS = 60_000;

/**
 * Reports what happens in the agent to monitor clients. Without clients, nothing is created or queried. Faults in here
 * do not affect the agent.
 */
export class Monitoring {
  /** Undefined where `monitor.enabled` is off. */
  readonly server: MonitorServer | undefined;
  private readonly secret: MonitorSecret;
  private readonly strip: LinkTimeline;
  private readonly linkHours: LinkHours;
  private readonly notifications: NotificationHistory;
  private doctor: DoctorRun | undefined;
  private readonly workload = new Progress();
  private tick: Timer | undefined;
  private soon: Timer | undefined;
  private saving: Timer | undefined;
  private unlisten: (() => void) | undefined;
  private last: StatusSnapshot | undefined;
  /** What the notifications were made of last. */
  private noticed: StatusSnapshot | undefined;
  private pongAt: number | null = null;
  private broadcast = '';
  private stopping = false;

  constructor(private readonly options: MonitoringOptions) {
    const { config, components, store, verbs, clock, log } = options;
    this.secret = MonitorSecret.in(config.state.directory);
    this.strip = new LinkTimeline(store.meta, clock, options.aliveAt);
    this.linkHours = new LinkHours(store.meta, clock);
    this.notifications = new NotificationHistory(store.meta, clock);
    if (!config.monitor.enabled) return;
    const doctor = new DoctorRun({
      configPath: options.configPath,
      env: options.env,
      clock,
      onEnd: (fault) => this.doctorEnded(fault),
    });
    this.doctor = doctor;
    this.server = new MonitorServer({
      port: config.monitor.port,
      secret: this.secret,
      useLink: (id, madeAt) => store.write(() => store.usedLinks.use(id, madeAt)),
      pageDirectory: PAGE_DIRECTORY,
      verbs: monitorVerbs({
        verbs,
        store,
        agentName: () => components.backend.agentId(),
        strip: this.strip,
        linkHours: this.linkHours,
        notifications: this.notifications,
        doctor,
        clock,
        log: log.logger,
        logFile: config.logging.file,
        stateDirectory: config.state.directory,
        onAct: (by, words) => this.notify({ level: 'info', message: `${by} ${words}.`, by }),
      }),
      agentStatus: () => this.broadcastStatus(),
      status: () => this.last ?? options.snapshot(),
      onWatched: (watched) => (watched ? this.watched() : this.unwatched()),
      clock,
      log: log.logger,
    });
    components.backend.onLinkChange(() => this.noteLink());
    components.backend.onNotification((one) => this.guarded(() => this.notify(one)));
    components.backend.onReconnect(() => this.linkHours.noteReconnect());
    components.backend.onHttpOutcome(() => this.noteLink());
    watchTexts({
      components,
      store,
      clock,
      server: this.server,
      agentName: () => components.backend.agentId(),
      onWork: () => this.publishSoon(),
      notify: (level, message) => this.notify({ level, message }),
      guarded: (work) => this.guarded(work),
    });
    store.pauses.afterChange(() => this.publishSoon());
  }

  /** Resolves after the first try to serve it. Never rejects. */
  async start(): Promise<void> {
    if (this.server === undefined) return;
    const { logger } = this.options.log;
    try {
      this.secret.key();
    } catch (error) {
      logger.warn('The monitor has no secret; it refuses everyone', { cause: describeError(error) });
    }
    await this.server.start();
    const { port } = this.server;
    if (port !== null) logger.info(`The monitor is served on this machine, port ${port}`);
    this.noteLink();
    this.saveLater();
  }

  /** The agent begins to stop. */
  drains(): void {
    this.stopping = true;
    this.guarded(() => this.publishStatus());
  }

  /** Ends within 1 s; the store must still be open. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.saving?.cancel();
    this.doctor?.stop();
    this.unwatched();
    this.strip.note('stopped');
    this.save();
    await this.server?.stop();
  }

  view(): StatusSnapshot['monitor'] {
    return {
      port: this.server?.port ?? null,
      ...(this.server?.counts() ?? { connected: 0, authenticated: 0 }),
    };
  }

  fault(): Problem<number, 'monitor_unavailable'> | undefined {
    return this.server?.fault();
  }

  /** Makes a fresh secret and ends every session; returns how many there were. */
  rotate(): { ended: number } {
    this.secret.rotate();
    this.options.log.logger.info('The secret of the monitor was rotated');
    return { ended: this.server?.endSessions() ?? 0 };
  }

  private watched(): void {
    this.unlisten = this.options.log.listen((event) => this.logged(event));
    this.look();
  }

  private unwatched(): void {
    this.unlisten?.();
    this.unlisten = undefined;
    this.tick?.cancel();
    this.soon?.cancel();
    this.soon = undefined;
    this.last = undefined;
  }

  /** Once a second while a client is connected: changes without their own notification. */
  private look(): void {
    this.guarded(() => {
      const now = this.options.snapshot();
      const changes = this.last === undefined ? [] : changesOf(this.last, now);
      this.last = now;
      for (const change of changes) this.publishChange(change, now);
      this.noteProblems(now);
      this.publishStatus();
    });
    this.tick = this.options.clock.after(TICK_MS, () => this.look());
  }

  private publishChange(change: Change, now: StatusSnapshot): void {
    if (change.kind === 'topic') this.server?.publish({ topic: change.topic }, this.options.clock.now());
    else if (change.kind === 'snapshot' && this.server?.hasSubscribers) this.server.publishSnapshot(now);
  }

  /** Makes notifications of what came and went since the last look; asked for every few seconds, watched or not. */
  noteProblems(now: StatusSnapshot): void {
    if (this.server === undefined || this.stopping) return;
    const before = this.noticed ?? { ...now, problems: [] };
    this.noticed = now;
    for (const change of changesOf(before, now)) {
      if (change.kind === 'notification') this.notify({ level: change.level, message: change.message });
    }
  }

  /** To everybody, who can read it later as well; or to one user. */
  notify(notification: Notification, userId?: string): void {
    if (userId === undefined) this.notifications.note(notification);
    const { level, message, by } = notification;
    this.server?.sendNotification(level, message, userId, by);
  }

  private doctorEnded(fault: string | undefined): void {
    if (fault !== undefined) this.notify({ level: 'error', message: `The doctor could not run: ${fault}.` });
    this.server?.publish({ topic: 'doctor' }, this.options.clock.now());
  }

  private publishSoon(): void {
    if (this.server?.isWatched !== true || this.stopping) return;
    this.soon ??= this.options.clock.after(SOON_MS, () => {
      this.soon = undefined;
      this.guarded(() => this.publishStatus());
    });
  }

  private publishStatus(): void {
    if (this.server?.isWatched === true) this.broadcastStatus();
  }

  /** The current task of the agent; reported to all clients if it has changed. */
  private broadcastStatus(): AgentStatus {
    const { components, store } = this.options;
    const status = agentStatus({ components, store, workload: this.workload, stopping: this.stopping });
    const words = JSON.stringify(status);
    if (words !== this.broadcast) this.server?.broadcastStatus(status);
    this.broadcast = words;
    return status;
  }

  private noteLink(): void {
    this.guarded(() => {
      const { backend } = this.options.components;
      const view = backend.view();
      const word = linkWord(view, backend.reachable());
      const changed = this.strip.note(word);
      if (changed)
        this.server?.publish({ topic: 'link', state: word, detail: view.state }, this.options.clock.now());
    });
  }

  private logged({ level, message, fields, time }: LogEvent): void {
    if (level === 'debug') return;
    this.server?.publish({ topic: 'logs', level, message, fields }, time);
  }

  private saveLater(): void {
    this.saving = this.options.clock.after(SAVE_EVERY_MS, () => {
      this.guarded(() => this.noteRoundTrip());
      this.save();
      this.saveLater();
    });
  }

  private noteRoundTrip(): void {
    const { rttMs, lastPongAt } = this.options.components.backend.view();
    if (rttMs === null || lastPongAt === this.pongAt) return;
    this.pongAt = lastPongAt;
    this.linkHours.noteRoundTrip(rttMs);
  }

  private save(): void {
    const changed = [this.strip, this.linkHours, this.notifications].filter(({ isSaved }) => !isSaved);
    if (changed.length === 0) return;
    this.options.store.tryWrite(() => {
      for (const part of changed) part.save();
    });
  }

  /** Runs on the way of the agent's own work, which must not end for it. */
  private guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.options.log.logger.debug('The monitor could not send an update', { cause: describeError(error) });
    }
  }
}
