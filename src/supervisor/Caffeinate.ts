import { type ChildProcess, spawn } from 'node:child_process';
import type { Logger } from '../logging/Logger.js';
import type { Clock, Timer } from '../system/clock.js';

interface CaffeinateOptions {
  readonly path: string;
  /** The process that the Mac stays awake for; ours. */
  readonly pid: number;
  /** Of `childEnvironment`. */
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly log: Logger;
}

const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 5 * 60_000;
/** One that lived this long was no failure to start. */
const STABLE_MS = 60_000;

/**
 * Keeps the Mac awake while the agent runs: `caffeinate -i -m -s -w <pid>` (idle, disk and system sleep; `-s` works on
 * mains only), which ends with the agent's process in every case. Restarted when it ends, at increasing intervals.
 */
export class Caffeinate {
  private child: ChildProcess | undefined;
  private timer: Timer | undefined;
  private running = false;
  private retryMs = FIRST_RETRY_MS;
  private startedAt = 0;
  private hasWarned = false;

  constructor(private readonly options: CaffeinateOptions) {}

  start(): void {
    if (this.running) return;
    this.running = true;
    this.spawn();
  }

  /** The Mac may sleep again. Idempotent. */
  stop(): void {
    this.running = false;
    this.timer?.cancel();
    this.child?.kill();
    this.child = undefined;
  }

  private spawn(): void {
    const { path, pid, env, clock } = this.options;
    this.startedAt = clock.monotonic();
    const child = spawn(path, ['-i', '-m', '-s', '-w', String(pid)], { env, stdio: 'ignore' });
    this.child = child;
    child.unref();
    let isOver = false;
    const over = (why: string) => {
      if (isOver) return;
      isOver = true;
      if (this.child === child) this.again(why);
    };
    child.on('error', (error) => over('code' in error ? String(error.code) : error.message));
    child.on('exit', (code, signal) => over(`ended with ${code ?? signal}`));
  }

  private again(why: string): void {
    const { clock, log } = this.options;
    this.child = undefined;
    if (!this.running) return;
    if (clock.monotonic() - this.startedAt >= STABLE_MS) {
      this.retryMs = FIRST_RETRY_MS;
      this.hasWarned = false;
    }
    if (!this.hasWarned) log.warn('caffeinate is not running; the Mac may go to sleep', { cause: why });
    this.hasWarned = true;
    this.timer = clock.after(this.retryMs, () => this.spawn());
    this.retryMs = Math.min(this.retryMs * 2, LONGEST_RETRY_MS);
  }
}
