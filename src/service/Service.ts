import { existsSync, lstatSync, mkdirSync, readFileSync, readlinkSync } from 'node:fs';
import { cpus } from 'node:os';
import { EdgeError } from '../errors.js';
import { InstanceLock } from '../store/InstanceLock.js';
import type { Clock } from '../system/clock.js';
import type { MachO } from '../system/machO.js';
import { isMissing } from '../system/missingFile.js';
import { PACKAGE_ROOT } from '../system/packageRoot.js';
import { inspectProgram, type Programs } from '../system/programs.js';
import { type ProgramEnd, runProgram } from '../system/runProgram.js';
import { LaunchAgent, type Patience, type RunningAgent } from './LaunchAgent.js';
import { Launchctl } from './Launchctl.js';
import { configIn } from './launchAgentPlist.js';
import { type ServicePlaces, servicePlaces } from './servicePlaces.js';
import { noteThatItRuns } from './versions.js';

export interface ServiceOptions {
  homeDir: string;
  uid: number;
  /** What the programs of macOS and node are started with: without our secrets. */
  env: NodeJS.ProcessEnv;
  programs: Programs;
  clock: Clock;
  /** Called with one line per step. */
  print: (line: string) => void;
  /** Queries the agent of that configuration at its status socket; undefined: no answer. */
  ask: (configPath: string) => Promise<RunningAgent | undefined>;
  /** What macOS sees in a program; asks the file unless given. */
  inspect?: (path: string) => MachO;
  /** As `os.cpus()` names it; asks the system unless given. */
  processor?: string;
  /** The package that is installed, and the node that it runs with; ours unless given. */
  program?: string;
  node?: string;
  patience?: Partial<Patience>;
}

const PROGRAM_LIMIT_MS = 30_000;

/** The installed service of one user, as the verbs see it: where it is, what launchd has of it, and how to run a program. */
export class Service {
  readonly places: ServicePlaces;
  readonly agent: LaunchAgent;
  readonly programs: Programs;
  readonly inspect: (path: string) => MachO;
  readonly processor: string;
  /** What macOS knows the app by; that of another user is another one. */
  readonly bundleId: string;
  readonly print: (line: string) => void;
  readonly program: string;
  readonly node: string;

  constructor(private readonly options: ServiceOptions) {
    const { homeDir, uid, env, programs, clock, patience = {} } = options;
    this.places = servicePlaces(homeDir);
    this.programs = programs;
    this.inspect = options.inspect ?? ((path) => inspectProgram(path));
    this.processor = options.processor ?? cpus()[0]?.model ?? '';
    this.bundleId = `local.edge-agent.${uid}`;
    this.print = options.print;
    this.program = options.program ?? PACKAGE_ROOT;
    this.node = options.node ?? process.execPath;
    const launchctl = new Launchctl({ path: programs.launchctl, env, uid, clock });
    const ask = async () => {
      const config = this.configPath();
      return config === undefined ? undefined : options.ask(config);
    };
    this.agent = new LaunchAgent({ launchctl, places: this.places, clock, ask, patience });
  }

  /** Runs a program to its end, with a deadline. */
  readonly run = (path: string, args: readonly string[]): Promise<ProgramEnd> => {
    const { env, clock } = this.options;
    return runProgram(path, args, { env, clock, timeoutMs: PROGRAM_LIMIT_MS });
  };

  /** The LaunchAgent that is installed; undefined if there is none. */
  plist(): string | undefined {
    try {
      return readFileSync(this.places.plist, 'utf8');
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /** The configuration file that the installed LaunchAgent names. */
  configPath(): string | undefined {
    return configIn(this.plist() ?? '');
  }

  /** As `agent.verify`; that the installed version runs is kept in mind. */
  async verify(): Promise<RunningAgent> {
    const running = await this.agent.verify();
    noteThatItRuns(this.places);
    return running;
  }

  /** Throws EdgeError `not_installed` unless there is something that launchd could start. */
  requireInstalled(): void {
    if (this.plist() !== undefined && existsSync(this.places.current)) return;
    throw new EdgeError(
      'not_installed',
      'edge-agent is not installed as a service of this user.',
      'Install it: edge-agent install',
    );
  }

  /**
   * Throws EdgeError `not_installed` if the node of a version is missing, for example after `brew upgrade` of a linked
   * one: launchd would stop the running agent and fail to start the new one.
   */
  requireNode(runtime: string): void {
    if (existsSync(runtime)) return;
    const isLink = lstatSync(runtime, { throwIfNoEntry: false })?.isSymbolicLink() === true;
    throw new EdgeError(
      'not_installed',
      `The node of the agent is missing: ${isLink ? readlinkSync(runtime) : runtime}. The running version was not changed.`,
      'Run: edge-agent install, which copies node for the agent.',
    );
  }

  /** Runs a change of the installation exclusively; throws EdgeError `install_failed` if another one is running. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    mkdirSync(this.places.root, { recursive: true, mode: 0o700 });
    const lock = this.acquire();
    try {
      return await work();
    } finally {
      lock.release();
    }
  }

  private acquire(): InstanceLock {
    try {
      return InstanceLock.acquire(`${this.places.root}/install.lock`);
    } catch (cause) {
      if (!(cause instanceof EdgeError) || cause.code !== 'already_running') throw cause;
      throw new EdgeError(
        'install_failed',
        'Another edge-agent command is changing the installation.',
        'Wait until it is done, then run this again.',
        { cause },
      );
    }
  }
}
