import { join } from 'node:path';
import { EdgeError } from '../errors.js';
import type { Clock } from '../system/clock.js';
import { PACKAGE_ROOT } from '../system/packageRoot.js';
import { runProgram } from '../system/runProgram.js';

interface DoctorRunOptions {
  /** The configuration file; null: there is none. */
  configPath: string | null;
  /** The agent's own environment: the doctor is this program, and reads the settings of the agent. */
  env: NodeJS.ProcessEnv;
  clock: Clock;
  /** It has looked, or could not: `fault` says why. */
  onEnd: (fault: string | undefined) => void;
}

const PROGRAM = join(PACKAGE_ROOT, 'dist', 'cli', 'main.js');
/** Longer than all of its checks may take together. */
const TIMEOUT_MS = 180_000;
/** Between the end of one run and the beginning of the next. */
const CALM_MS = 10_000;
/** Of the doctor: everything is well, or something is not. */
const LOOKED = new Set<number | null>([0, 1]);

/** Runs `edge-agent doctor` as a separate process, one at a time; its report is saved in the state directory. */
export class DoctorRun {
  private running: AbortController | undefined;
  private endedAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: DoctorRunOptions) {}

  get isRunning(): boolean {
    return this.running !== undefined;
  }

  /** Begins, unless it runs already. Throws EdgeError `monitor_busy` where one has only just ended. */
  start(): void {
    const { configPath, env, clock, onEnd } = this.options;
    if (this.running !== undefined) return;
    if (clock.monotonic() - this.endedAt < CALM_MS)
      throw new EdgeError('monitor_busy', 'The doctor ran only just now.', 'Try again in 10 s.');
    const running = new AbortController();
    this.running = running;
    const { signal } = running;
    const args = [PROGRAM, ...(configPath === null ? [] : ['--config', configPath]), 'doctor', '--json'];
    void runProgram(process.execPath, args, { env, timeoutMs: TIMEOUT_MS, clock, signal }).then((end) => {
      this.running = undefined;
      this.endedAt = clock.monotonic();
      if (signal.aborted) return;
      if (end.kind === 'notStarted') onEnd(end.message);
      else if (end.kind === 'timedOut') onEnd(`it did not end within ${TIMEOUT_MS / 1000} s`);
      else onEnd(LOOKED.has(end.code) ? undefined : `it ended with exit code ${end.code}`);
    });
  }

  /** Ends the one that runs. */
  stop(): void {
    this.running?.abort();
  }
}
