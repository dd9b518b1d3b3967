import { EXIT } from '../../src/cli/exitCodes.js';
import { stateDirectoryOrUsual } from '../../src/config/stateDirectory.js';
import type { StatusSnapshot } from '../../src/model/status.js';
import { PATIENCE_MS } from './patience.js';
import { type Exit, type Place, type ProgramEvents, type StartedProgram, startFresh } from './program.js';
import { runCli } from './runCli.js';
import { statusOf } from './statusOf.js';
import { startWarm } from './WarmProgram.js';

export interface SpawnOptions {
  /** `run`, and what comes before or behind it; unless given. */
  verb?: readonly string[];
  config?: string;
  /** A command that becomes the daemon, with its arguments (`setpriv …`). */
  through?: readonly string[];
  /** Whether it is a process of its own from its start, as it is `through` a command; else one that may have run it before. */
  isFresh?: boolean;
}

/** What `edge-agent status --json` said. `snapshot` is null where it could not ask the daemon. */
export interface StatusAnswer {
  exitCode: number | null;
  snapshot: StatusSnapshot | null;
  /** Why there is no snapshot. */
  error: { code: string; message: string; remedy: string } | null;
}

/** The agent's own limit is 25 s, whatever hangs. */
const LONGEST_STOP_MS = 30_000;
/** Without a pause the questions would take the time that the answer needs. */
const ASK_AGAIN_MS = 50;

/** A line that the daemon writes once everything runs, whatever is missing. */
export const STARTED = / \[INFO\] edge-agent \S+ started/;

/**
 * The real command as a child process: `edge-agent run`, or another verb that goes on until it is stopped. It is over for
 * good when the test is: call `dispose`.
 */
export class DaemonProcess {
  readonly exited: Promise<Exit>;
  private readonly out: string[] = [];
  private readonly errors: string[] = [];
  private readonly watchers = new Set<() => void>();
  private readonly program: StartedProgram;
  private hasEnded = false;

  private constructor(
    start: (told: ProgramEvents) => StartedProgram,
    private readonly place: Place,
    private readonly configArguments: readonly string[],
  ) {
    let end: (exit: Exit) => void = () => undefined;
    let fail: (error: Error) => void = () => undefined;
    this.exited = new Promise((resolve, reject) => {
      end = resolve;
      fail = reject;
    });
    this.program = start({
      stdout: collect(this.out, () => this.look()),
      stderr: collect(this.errors, () => this.look()),
      failed: fail,
      ended: (exit) => {
        this.hasEnded = true;
        end(exit);
        this.look();
      },
    });
  }

  /** Spawns without waiting for anything. */
  static spawn(place: Place, options: SpawnOptions = {}): DaemonProcess {
    const { verb = ['run'], through = [], isFresh = false } = options;
    const config = options.config === undefined ? [] : ['--config', options.config];
    const args = [...verb, ...config];
    const start = (told: ProgramEvents) =>
      isFresh || through.length > 0 ? startFresh(args, place, told, through) : startWarm(args, place, told);
    return new DaemonProcess(start, place, config);
  }

  get pid(): number {
    return this.program.pid ?? -1;
  }

  /** What it has printed on stdout: the log, line by line. */
  lines(): readonly string[] {
    return this.out;
  }

  /** What it has complained of on stderr. */
  complaints(): string {
    return this.errors.join('\n');
  }

  /** Resolves with the first line that fits, from line number `from` on; rejects if the process ends without it. */
  line(pattern: RegExp | string, from = 0): Promise<string> {
    const fits = (line: string) =>
      typeof pattern === 'string' ? line.includes(pattern) : pattern.test(line);
    return new Promise((resolve, reject) => {
      const end = (finish: () => void) => {
        clearTimeout(deadline);
        this.watchers.delete(look);
        finish();
      };
      const tail = () => [...this.out.slice(-25), ...this.errors.slice(-5)].join('\n');
      const fail = (why: string) => end(() => reject(new Error(`${why} line ${pattern}; last:\n${tail()}`)));
      const look = () => {
        const found = this.out.slice(from).find(fits);
        if (found !== undefined) end(() => resolve(found));
        else if (this.hasEnded) fail('the process ended without');
      };
      const deadline = setTimeout(() => fail(`waited ${PATIENCE_MS} ms for`), PATIENCE_MS);
      this.watchers.add(look);
      look();
    });
  }

  /** Asks as an operator would, with a process of its own. */
  async status(): Promise<StatusAnswer> {
    const { exitCode, stdout } = await runCli(['status', '--json', ...this.configArguments], this.place);
    const answer = JSON.parse(stdout) as StatusSnapshot & { error?: StatusAnswer['error'] };
    return answer.error
      ? { exitCode, snapshot: null, error: answer.error }
      : { exitCode, snapshot: answer, error: null };
  }

  /**
   * Asks again and again until the answer is as it should be; rejects with the last answer. What is returned was said to an operator:
   * only before that the daemon is asked without a process in between.
   */
  async statusUntil(condition: (answer: StatusAnswer) => boolean): Promise<StatusAnswer> {
    const end = performance.now() + PATIENCE_MS;
    for (;;) {
      let answer = await this.shortStatus();
      if (answer === undefined || condition(answer)) {
        answer = await this.status();
        if (condition(answer)) return answer;
      }
      if (performance.now() > end) throw new Error(`the status stays ${JSON.stringify(answer, null, 2)}`);
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
    }
  }

  /** The status by the socket; undefined where it takes the command to find one, or to say why there is none. */
  private async shortStatus(): Promise<StatusAnswer | undefined> {
    const { cwd, env } = this.place;
    const [, configPath] = this.configArguments;
    const homeDir = env.HOME ?? cwd;
    const directory = await stateDirectoryOrUsual({
      ...{ configPath, env, cwd, homeDir, platform: process.platform },
    });
    const snapshot = await statusOf(directory);
    if (snapshot === undefined) return undefined;
    return { exitCode: snapshot.state === 'healthy' ? EXIT.ok : EXIT.degraded, snapshot, error: null };
  }

  /** Sends a signal and resolves when the process has ended; rejects if it has not within that time. */
  kill(signal: NodeJS.Signals, withinMs = LONGEST_STOP_MS): Promise<Exit> {
    this.program.kill(signal);
    return new Promise((resolve, reject) => {
      const fail = () =>
        reject(new Error(`${signal} did not end it; last:\n${this.out.slice(-10).join('\n')}`));
      const deadline = setTimeout(fail, withinMs);
      void this.exited.then((exit) => {
        clearTimeout(deadline);
        resolve(exit);
      });
    });
  }

  /** Sends a signal and does not wait. */
  signal(signal: NodeJS.Signals): void {
    this.program.kill(signal);
  }

  /** Ends it, if need be, without asking. */
  async dispose(): Promise<void> {
    if (!this.hasEnded) await this.kill('SIGKILL');
  }

  private look(): void {
    for (const watcher of [...this.watchers]) watcher();
  }
}

/** Takes text as it comes and keeps it by lines. */
function collect(lines: string[], added: () => void): (text: string) => void {
  let rest = '';
  return (text) => {
    const [last = '', ...whole] = (rest + text).split('\n').toReversed();
    rest = last;
    lines.push(...whole.toReversed());
    added();
  };
}
