import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';

/** What a property list says of a job; the rest of it does not matter here. */
export interface JobDefinition {
  readonly Label: string;
  readonly ProgramArguments: readonly string[];
  readonly EnvironmentVariables?: Readonly<Record<string, string>>;
  readonly WorkingDirectory?: string;
  readonly StandardOutPath?: string;
  readonly StandardErrorPath?: string;
  readonly RunAtLoad?: boolean;
  readonly KeepAlive?: boolean;
  readonly LimitLoadToSessionType?: string | readonly string[];
}

/** The times of launchd, in ms; a test has no 10 s to wait. */
export interface JobTimes {
  readonly throttleMs: number;
  readonly exitTimeoutMs: number;
}

/** A loaded job: a real process, started again whenever it ends, until the job is removed. */
export class Job {
  runs = 0;
  lastExit = '(never exited)';
  isLeaving = false;
  private child: ChildProcess | undefined;
  private startedAt = Number.NEGATIVE_INFINITY;
  private respawn: NodeJS.Timeout | undefined;
  private killer: NodeJS.Timeout | undefined;

  constructor(
    readonly path: string,
    readonly definition: JobDefinition,
    private readonly env: NodeJS.ProcessEnv,
    private readonly times: JobTimes,
    private readonly onGone: () => void,
  ) {
    if (definition.RunAtLoad === true) this.spawn();
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  get state(): string {
    if (this.child !== undefined) return 'running';
    return this.respawn === undefined ? 'not running' : 'spawn scheduled';
  }

  /** False: it runs already. */
  kickstart(): boolean {
    if (this.child !== undefined) return false;
    this.spawn();
    return true;
  }

  /** False: there is no process. */
  kill(signal: NodeJS.Signals): boolean {
    return this.child?.kill(signal) ?? false;
  }

  /** SIGTERM, and SIGKILL when its time is over; resolves when it is gone. */
  remove(): void {
    this.isLeaving = true;
    clearTimeout(this.respawn);
    if (this.child === undefined) {
      this.onGone();
      return;
    }
    this.child.kill('SIGTERM');
    this.killer = setTimeout(() => this.child?.kill('SIGKILL'), this.times.exitTimeoutMs);
  }

  private spawn(): void {
    clearTimeout(this.respawn);
    this.respawn = undefined;
    const [program = '', ...args] = this.definition.ProgramArguments;
    const { WorkingDirectory, StandardOutPath, StandardErrorPath, EnvironmentVariables } = this.definition;
    const out = append(StandardOutPath);
    const errors = append(StandardErrorPath);
    this.runs += 1;
    this.startedAt = performance.now();
    const child = spawn(program, args, {
      env: { ...EnvironmentVariables, ...this.env },
      cwd: WorkingDirectory,
      stdio: ['ignore', out, errors],
    });
    this.child = child;
    for (const file of [out, errors]) closeSync(file);
    // EX_CONFIG is what launchd reports of a program that it cannot start.
    child.on('error', () => this.ended('78: EX_CONFIG'));
    child.on('exit', (code, signal) => this.ended(signal ?? String(code)));
  }

  private ended(how: string): void {
    this.lastExit = how;
    this.child = undefined;
    clearTimeout(this.killer);
    if (this.isLeaving) this.onGone();
    if (this.isLeaving || this.definition.KeepAlive !== true) return;
    const wait = Math.max(0, this.startedAt + this.times.throttleMs - performance.now());
    this.respawn = setTimeout(() => this.spawn(), wait);
  }
}

function append(path = '/dev/null'): number {
  mkdirSync(dirname(path), { recursive: true });
  return openSync(path, 'a');
}
