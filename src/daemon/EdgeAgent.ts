import { rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { LoadedConfig } from '../config/loadConfig.js';
import { networkSecrets } from '../config/network.js';
import { handoverDirectory } from '../config/places.js';
import { describeError, EdgeError } from '../errors.js';
import type { LogFile } from '../logging/createLogger.js';
import type { LogEvent } from '../logging/formatLine.js';
import { maskContacts } from '../logging/mask.js';
import type { StatusSnapshot } from '../model/status.js';
import { operatorVerbs } from '../operator/operatorVerbs.js';
import { resumeWished } from '../operator/resumeAtStart.js';
import { Standstills } from '../operator/Standstills.js';
import { StatusServer } from '../operator/StatusServer.js';
import { socketPath, socketRefuge } from '../operator/socketPath.js';
import { type Activity, statusSnapshot } from '../operator/statusSnapshot.js';
import { InstanceLock } from '../store/InstanceLock.js';
import { Retention } from '../store/Retention.js';
import { Store } from '../store/Store.js';
import { type Clock, systemClock, WakeDetector } from '../system/clock.js';
import { Outbound } from '../system/Outbound.js';
import { hostPlatform, type Programs, programs } from '../system/programs.js';
import { systemRandom } from '../system/random.js';
import { restartWords } from '../system/restartWords.js';
import { packageVersion } from '../system/version.js';
import { waitFor } from '../system/waitFor.js';
import { Continuity, sharedPlaces } from './Continuity.js';
import { logSettings, settingsChanged } from './componentSettings.js';
import { type Components, compose } from './compose.js';
import { ChatDbWatch } from './composeReader.js';
import { Downtime } from './Downtime.js';
import { Health } from './Health.js';
import { ConfigReload, LiveConfig } from './LiveConfig.js';
import { type LocalChannel, localChannel } from './LocalChannel.js';
import { Monitoring } from './Monitoring.js';
import {
  makeStateDirectory,
  placeTaken,
  startFault,
  stateMissing,
  stateReplaced,
  storeDamaged,
} from './stateDirectory.js';
import { VitalWatch } from './VitalWatch.js';

export interface EdgeAgentOptions {
  loaded: LoadedConfig;
  /** The environment that child processes inherit (without our secrets) and that secrets are read from. */
  env: NodeJS.ProcessEnv;
  log: LogFile;
  /** A fault that only a new start can fix; called at most once. The agent still runs, and should be stopped. */
  onFatal?: (error: EdgeError) => void;
  /** Called for faults that may not reach the log: its directory was removed. */
  complain?: (error: EdgeError) => void;
  /** The lock on the state directory, held already by this process; it stays the caller's until the agent runs, for its first start. */
  lock?: InstanceLock | undefined;
  /** It was started by `run --service`. */
  isService?: boolean;
  /** What Messages and the Mac are looked after with; only on macOS. For tests. */
  platform?: NodeJS.Platform;
  programs?: Programs;
}

/** How long texts and posts on their way may take to end when the agent stops, and how long stopping may take in all. */
const IN_FLIGHT_MS = 20_000;
const DRAIN_MS = 24_000;

const STORE = 'edge-agent.db';

interface Running extends Components {
  lock: InstanceLock;
  continuity: Continuity;
  store: Store;
  statusServer: StatusServer;
  downtime: Downtime;
  retention: Retention;
  reload: ConfigReload;
  health: Health;
  wake: WakeDetector;
  monitoring: Monitoring;
  vitalWatch: VitalWatch;
  chatDbWatch: ChatDbWatch;
  unlisten: () => void;
  websocketEnabled: () => boolean;
  uploadsEnabled: () => boolean;
}

/**
 * The whole agent. `start` resolves when everything runs; whatever is missing then (chat.db, secret, backend) degrades
 * it and is picked up when it comes. `stop` drains: no new work, what is on its way ends, acks and a last status go out. A `stop`
 * during `start` waits for it and ends what it has built; then nothing was begun. After a `stop` it may be started again.
 */
export class EdgeAgent {
  /** Messages of the embedding program to monitor clients. */
  readonly channel: LocalChannel = localChannel(() => this.running?.monitoring);
  private running: Running | undefined;
  /** Ends with the start or stop that was asked for last. Never rejects. */
  private turn: Promise<void> = Promise.resolve();
  private stopsAsked = 0;
  /** The caller's lock, until a start has taken it. */
  private given: InstanceLock | undefined;
  private readonly clock: Clock = systemClock;
  private readonly platform: NodeJS.Platform;
  private startedAt = this.clock.now();
  private readonly version = packageVersion();
  private readonly restart: string;
  private stoppingSince: number | undefined;
  private standstills = new Standstills(this.clock);

  constructor(private readonly options: EdgeAgentOptions) {
    this.given = options.lock;
    this.platform = options.platform ?? hostPlatform();
    this.restart = restartWords(options.isService ?? false, this.platform);
  }

  /**
   * Begins once a stop that is under way has ended. Resolves when everything runs, or when a stop meanwhile kept it from that. Throws
   * EdgeError `already_running` (also where this one was started before), `state_unwritable`, `disk_full`, `store_newer` or
   * `store_damaged`; then nothing runs that did not before.
   */
  start(): Promise<void> {
    const stopsBefore = this.stopsAsked;
    return this.inTurn(() => this.startUp(() => this.stopsAsked > stopsBefore));
  }

  private async startUp(isStopAsked: () => boolean): Promise<void> {
    if (isStopAsked()) return;
    const { loaded, log } = this.options;
    if (this.running !== undefined)
      throw new EdgeError('already_running', 'This agent was already started.', 'Stop it first.');
    this.stoppingSince = undefined;
    this.startedAt = this.clock.now();
    this.standstills = new Standstills(this.clock);
    const { directory: wanted } = loaded.config.state;
    try {
      const directory = makeStateDirectory(wanted);
      const lock = this.given ?? InstanceLock.acquire(join(directory, 'agent.lock'));
      try {
        this.running = await this.assemble(directory, lock, this.openContinuity(directory));
      } catch (error) {
        if (this.given === undefined) lock.release();
        throw error;
      }
      this.given = undefined;
    } catch (error) {
      throw startFault(error, wanted);
    }
    try {
      await Promise.all([this.running.health.start(), this.running.monitoring.start()]);
    } catch (error) {
      await this.drain(this.running);
      throw error;
    }
    if (isStopAsked()) return;
    for (const warning of loaded.warnings) log.logger.warn(maskContacts(warning));
    log.logger.info(`edge-agent ${this.version} started`, { agent: this.running.backend.agentId() });
    this.launch(this.running);
  }

  private openContinuity(directory: string): Continuity {
    const { loaded, env, log } = this.options;
    const places = sharedPlaces(loaded.config.imessage.db_path, env.HOME ?? homedir());
    const storePath = join(directory, STORE);
    return Continuity.open({ places, directory, storePath, clock: this.clock, log: log.logger });
  }

  /** Ends within 25 s of the end of a start, whatever hangs. Nothing runs after it. Idempotent. */
  stop(): Promise<void> {
    this.stopsAsked += 1;
    return this.inTurn(async () => {
      if (this.running !== undefined) await this.drain(this.running);
    });
  }

  /** Starts and stops follow one another as they were asked for. What one throws is thrown to who asked for it. */
  private inTurn(step: () => Promise<void>): Promise<void> {
    const ended = this.turn.then(step);
    this.turn = ended.catch(() => undefined);
    return ended;
  }

  /** How the agent is now. Throws unless it runs. */
  snapshot(): StatusSnapshot {
    if (this.running === undefined) throw new EdgeError('not_running', 'The agent is not running.');
    return this.snapshotOf(this.running);
  }

  private async drain(running: Running): Promise<void> {
    const { logger } = this.options.log;
    this.stoppingSince = this.clock.now();
    logger.info('Stopping: finishing what is in progress');
    running.monitoring.drains();
    running.vitalWatch.stop();
    running.unlisten();
    running.scheduler.stop();
    running.attachments.uploader.stop();
    running.wake.stop();
    running.supervision.stop();
    running.automation.stop();
    running.retention.stop();
    running.reload.stop();
    const patience = waitFor(this.clock, IN_FLIGHT_MS);
    const ended = Promise.all([running.outgoing.drain(), running.forwarder.stop()]);
    const inFlight = Promise.race([ended, patience.over]);
    await Promise.all([running.backend.drain(DRAIN_MS, inFlight), inFlight]);
    patience.cancel();
    running.watcher.stop();
    running.reader.stop();
    running.edits.stop();
    running.attachments.staged.stop();
    running.outgoing.stop();
    running.sender.release();
    running.downtime.stop();
    await Promise.all([running.statusServer.close(), running.health.stop(), running.monitoring.stop()]);
    running.chatDb.close();
    running.store.close();
    running.continuity.close();
    running.lock.release();
    this.running = undefined;
    logger.info('Stopped');
  }

  private async assemble(directory: string, lock: InstanceLock, continuity: Continuity): Promise<Running> {
    const { clock } = this;
    const { logger } = this.options.log;
    const store = openedWith(continuity, () => Store.open(join(directory, STORE), { clock, log: logger }));
    try {
      return await this.build({ directory, lock, continuity, store });
    } catch (error) {
      store.close();
      continuity.close();
      throw error;
    }
  }

  private async build(on: {
    directory: string;
    lock: InstanceLock;
    continuity: Continuity;
    store: Store;
  }): Promise<Running> {
    const { directory, lock, continuity, store } = on;
    const { loaded, env, log } = this.options;
    const { clock } = this;
    const snapshot = () => this.snapshot();
    const config = new LiveConfig(loaded, store.meta, log.logger);
    store.onRollback(() => config.reread());
    log.configure(logSettings(config.current()));
    config.onChange((changed) => log.configure(logSettings(changed)));
    const reload = new ConfigReload({
      restart: this.restart,
      loaded,
      env,
      config,
      clock,
      log: log.logger,
      onSecrets: (changed) => {
        log.redact(Object.values(changed));
        components.backend.credentialsChanged();
      },
      onSettings: (keys) => settingsChanged({ ...components, health }, keys),
      onNetwork: (network) => {
        log.redact(networkSecrets(network));
        components.backend.kick('other proxy or certificates');
      },
    });
    const outbound = new Outbound(reload.network);
    const components = compose({
      config,
      env,
      store,
      clock,
      version: this.version,
      secrets: reload.secrets,
      outbound,
      random: systemRandom,
      log: log.logger,
      snapshot,
      platform: this.platform,
      programs: this.options.programs ?? programs(),
    });
    const health = new Health({
      config: config.current,
      components,
      store,
      version: this.version,
      startedAt: this.startedAt,
      outbound,
      env,
      platform: this.platform,
      clock,
      snapshot,
      log: log.logger,
    });
    store.onMoved((how) => {
      if (how === 'missing') this.options.complain?.(stateMissing(directory));
      else this.options.onFatal?.(how === 'taken' ? placeTaken() : stateReplaced(directory));
    });
    store.onDamage(() => this.options.onFatal?.(storeDamaged()));
    store.onRecovery(() => components.backend.redeliver('the store takes writes again'));
    const downtime = new Downtime(store, clock, () => {
      store.lineage.endGapBy(clock.now(), (at) => components.backend.isFuture(at));
      store.lineage.noteMadeUntil();
      if (store.fault() === undefined) store.lineage.endOffering(store.sends.newest());
    });
    const wake = new WakeDetector(clock, (gapMs) => {
      downtime.slept(gapMs);
      components.scheduler.clockChanged();
      components.backend.wake();
      components.supervision.woke();
    });
    try {
      downtime.start();
      components.runner.prepare();
      components.runner.sweep(store.sends.openTags());
      rmSync(handoverDirectory(directory), { recursive: true, force: true });
      components.reader.scan();
      const verbs = operatorVerbs({
        ...components,
        store,
        config,
        snapshot,
        log: log.logger,
        isService: this.options.isService ?? false,
        readSecrets: reload.readSecrets,
        sendToSelf: (text) => components.supervision.sendToSelf(text),
      });
      resumeWished(store, verbs);
      const monitoring = new Monitoring({
        config: config.current(),
        components,
        store,
        verbs,
        snapshot,
        clock,
        log,
        aliveAt: downtime.aliveBefore,
        configPath: loaded.path,
        env,
      });
      const allVerbs = {
        ...verbs,
        ...components.macVerbs,
        'monitor.rotate': () => monitoring.rotate(),
        'alerts.test': () => {
          // What was saved a moment ago is what is tested.
          reload.reload();
          return health.testAlerts();
        },
      };
      const statusServer = await StatusServer.listen(
        socketPath(directory),
        allVerbs,
        log.logger,
        clock,
        socketRefuge(directory),
      );
      const retention = new Retention(store, clock);
      const vitalWatch = new VitalWatch({
        snapshot,
        onLook: (now) => monitoring.noteProblems(now),
        clock,
        log: log.logger,
      });
      const unlisten = log.listen((event) => noteError(components.activity, event), 'error');
      return {
        ...components,
        lock,
        continuity,
        store,
        statusServer,
        downtime,
        retention,
        reload,
        health,
        wake,
        monitoring,
        vitalWatch,
        chatDbWatch: new ChatDbWatch(components.chatDb, clock, log.logger),
        unlisten,
        websocketEnabled: () => config.current().websocket.enabled,
        uploadsEnabled: () => config.current().attachments.upload,
      };
    } catch (error) {
      downtime.stop();
      components.reader.stop();
      components.chatDb.close();
      throw error;
    }
  }

  private launch(running: Running): void {
    const { logger } = this.options.log;
    running.supervision.start();
    if (this.platform === 'darwin') running.automation.start();
    running.watcher.onLook(() => running.chatDbWatch.look());
    running.outgoing.start().catch((error: unknown) => {
      logger.error('Texts of an earlier run could not be resolved; nothing is sent', {
        cause: describeError(error),
      });
    });
    running.scheduler.start();
    running.backend.start();
    running.forwarder.start();
    running.attachments.staged.start();
    running.attachments.uploader.start();
    running.watcher.start();
    running.edits.start();
    running.reload.start();
    running.retention.start();
    running.wake.start();
    running.vitalWatch.start();
  }

  private snapshotOf(running: Running): StatusSnapshot {
    return statusSnapshot({
      ...running,
      ...running.chatDbWatch.now(),
      standstills: this.standstills,
      restart: this.restart,
      websocketEnabled: running.websocketEnabled(),
      uploadsEnabled: running.uploadsEnabled(),
      version: this.version,
      startedAt: this.startedAt,
      now: this.clock.now(),
      stoppingSince: this.stoppingSince,
      configFaults: running.reload.faults(),
      derivedSettings: this.options.loaded.derived,
    });
  }
}

/** Whatever is logged as an error is the last one, of whichever kind. */
function noteError(activity: Activity, { message, fields, time }: LogEvent): void {
  const { cause, status } = fields;
  const why = cause ?? (status === undefined ? undefined : `HTTP ${String(status)}`);
  activity.error = why === undefined ? message : `${message}: ${String(why)}`;
  activity.errorAt = time;
}

/** The store, compared with what was done. What it cannot be opened for ends the hold on chat.db. */
function openedWith(continuity: Continuity, open: () => Store): Store {
  let store: Store | undefined;
  try {
    store = open();
    continuity.begin(store);
    return store;
  } catch (error) {
    store?.close();
    continuity.close();
    throw error;
  }
}
