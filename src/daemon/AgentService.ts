import { join } from 'node:path';
import { ConfigError, describeMistake } from '../config/ConfigError.js';
import { configFiles } from '../config/configFiles.js';
import { FilesWatch } from '../config/FilesWatch.js';
import { configInQuestion, knownStateDirectory } from '../config/lastDirectory.js';
import { type LoadedConfig, loadConfig } from '../config/loadConfig.js';
import { type ConfigPlaces, usualStateDirectory } from '../config/places.js';
import { EdgeError } from '../errors.js';
import { createLogger, type LogFile } from '../logging/createLogger.js';
import type { Logger } from '../logging/Logger.js';
import { maskContacts } from '../logging/mask.js';
import type { Problem } from '../model/problem.js';
import type { InstanceLock } from '../store/InstanceLock.js';
import type { Clock } from '../system/clock.js';
import { WaitingAgent } from './WaitingAgent.js';

interface AgentServiceOptions {
  places: ConfigPlaces;
  clock: Clock;
  /** Resolves when the service is to end. */
  stopped: Promise<void>;
  /**
   * Runs an agent to its end and resolves with what ended it; throws EdgeError if it could not start. `lock` is that of its state
   * directory, where it is held already; what could not start has not released it.
   */
  run: (loaded: LoadedConfig, lock: InstanceLock | undefined) => Promise<EdgeError | undefined>;
  /** Called with the reason why the agent cannot run while there is no log. */
  complain: (fault: EdgeError) => void;
}

/** How often a fault that a configuration change cannot fix (a full disk, a second agent) is checked again. */
const TRY_EVERY_MS = 5_000;

/** FilesWatch says nothing above debug. */
const ignore = () => undefined;
const SILENT: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };

interface Hold {
  readonly directory: string;
  readonly waiting: WaitingAgent;
  readonly log: LogFile;
}

/**
 * The agent as run by launchd: it does not exit on a fault that needs an operator. It then waits with its status socket
 * open, and runs as soon as possible, in the same process.
 */
export class AgentService {
  private readonly startedAt: number;
  private hold: Hold | undefined;
  /** The place of the waiting agent, while it becomes a running one. */
  private handedOver: { readonly directory: string; readonly lock: InstanceLock } | undefined;
  private problems: readonly Problem[] = [];
  private refusal: string | undefined;
  /** Where the agent would run, as far as that is known. */
  private known: string | undefined;
  /** What the configuration depends on besides its own files. */
  private otherFiles: readonly string[] = [];
  private isOver = false;

  constructor(private readonly options: AgentServiceOptions) {
    this.startedAt = options.clock.now();
    void options.stopped.then(() => {
      this.isOver = true;
    });
  }

  /** Resolves when the service is stopped, or with a fault that only a new process can fix. */
  async run(): Promise<EdgeError | undefined> {
    try {
      for (;;) {
        const changed = this.watchConfig();
        try {
          const loaded = loadConfig(this.options.places);
          await this.handOver(loaded.config.state.directory);
          if (this.isOver) return undefined;
          return await this.options.run(loaded, this.handedOver?.lock);
        } catch (fault) {
          if (!(fault instanceof EdgeError)) throw fault;
          this.otherFiles = fault instanceof ConfigError ? fault.files : [];
          await this.wait(fault);
          await changed.within(fault.code.startsWith('config_') ? undefined : TRY_EVERY_MS);
        }
        if (this.isOver) return undefined;
      }
    } finally {
      await this.letGo();
    }
  }

  /** Says what is wrong where the operator asks: at the known place, else at the usual one, else only on stderr. */
  private async wait(fault: EdgeError): Promise<void> {
    const { places } = this.options;
    const fresh = this.note(fault);
    const usual = usualStateDirectory(places);
    this.known = await knownStateDirectory(places);
    const wanted = this.known ?? usual;
    if (this.hold?.directory !== wanted) {
      await this.hold?.waiting.close();
      this.hold?.log.close();
      this.hold = undefined;
      for (const directory of new Set([wanted, usual])) {
        const refusal = await this.open(directory);
        if (refusal?.code !== 'state_unwritable') break;
      }
      this.handedOver?.lock.release();
      this.handedOver = undefined;
    }
    for (const { code, message } of fresh) this.hold?.log.logger.error(maskContacts(message), { code });
    if (fresh.length > 0)
      this.hold?.log.logger.warn('The agent waits until this is fixed, then starts on its own');
  }

  /** Keeps since when each problem lasts; returns those that are new. */
  private note(fault: EdgeError): Problem[] {
    const since = new Date(this.options.clock.now()).toISOString();
    const before = new Map(this.problems.map((problem) => [problem.message, problem]));
    this.problems = problemsOf(fault).map((problem) => before.get(problem.message) ?? { ...problem, since });
    return this.problems.filter(({ message }) => !before.has(message));
  }

  /** Resolves with what is in the way, if anything is; that is said once. */
  private async open(stateDirectory: string): Promise<EdgeError | undefined> {
    const { startedAt } = this;
    const { clock } = this.options;
    let log: LogFile | undefined;
    try {
      const file = join(stateDirectory, 'edge-agent.log');
      log = createLogger({ file, level: 'info', format: 'text', console: process.stdout });
      const problems = () => this.problems;
      const waiting = await WaitingAgent.open({
        stateDirectory,
        startedAt,
        clock,
        log: log.logger,
        configPath: configInQuestion(this.options.places),
        isItsOwn: () => this.known === stateDirectory,
        config: () => loadConfig(this.options.places).config,
        problems,
        lock: this.handedOver?.directory === stateDirectory ? this.handedOver.lock : undefined,
      });
      if (this.handedOver?.directory === stateDirectory) this.handedOver = undefined;
      this.hold = { directory: stateDirectory, waiting, log };
      this.refusal = undefined;
      return undefined;
    } catch (error) {
      log?.close();
      if (!(error instanceof EdgeError)) throw error;
      if (this.refusal !== error.message) this.options.complain(error);
      this.refusal = error.message;
      return error;
    }
  }

  private async letGo(): Promise<void> {
    const { hold, handedOver } = this;
    this.hold = undefined;
    this.handedOver = undefined;
    await hold?.waiting.close();
    hold?.log.close();
    handedOver?.lock.release();
  }

  /** Ends the waiting. The lock is kept if the agent will need it: between the two the place is never free. */
  private async handOver(directory: string): Promise<void> {
    const { hold } = this;
    if (hold === undefined || hold.directory !== directory) return this.letGo();
    this.hold = undefined;
    this.handedOver = { directory, lock: await hold.waiting.handOver() };
    hold.log.close();
  }

  /** Watches from now on; `within` resolves at a change since then, the end of the service, or when the time is over. */
  private watchConfig(): { within: (limitMs: number | undefined) => Promise<void> } {
    const { clock, places, stopped } = this.options;
    let onChange: () => void = () => undefined;
    const changed = new Promise<void>((resolve) => {
      onChange = resolve;
    });
    const log = this.hold?.log.logger ?? SILENT;
    const watch = new FilesWatch({
      paths: () => [...configFiles(places), ...this.otherFiles],
      clock,
      log,
      onChange,
    });
    return {
      async within(limitMs) {
        watch.start();
        const timer = limitMs === undefined ? undefined : clock.after(limitMs, onChange);
        await Promise.race([changed, stopped]);
        timer?.cancel();
        watch.stop();
      },
    };
  }
}

function problemsOf(fault: EdgeError): Omit<Problem, 'since'>[] {
  const { code, message, remedy } = fault;
  if (!(fault instanceof ConfigError)) return [{ code, message, remedy }];
  return fault.mistakes.map((mistake) => ({
    code,
    message: describeMistake(mistake),
    remedy: 'Correct it and save it; the agent then starts on its own.',
  }));
}
