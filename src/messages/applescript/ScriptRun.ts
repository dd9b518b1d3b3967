import type { ChildProcess } from 'node:child_process';
import type { Clock, Timer } from '../../system/clock.js';
import { judgeExit } from './judgeExit.js';
import { killProcessGroup } from './killProcessGroup.js';
import type { PrivateFiles } from './PrivateFiles.js';
import type { SendResult } from './sendResult.js';
import { spawnRefusal } from './spawnRefusal.js';

/** One osascript under way, or one that never began. */
export interface RunningScript {
  /** Undefined if nothing was spawned. */
  readonly pid: number | undefined;
  /**
   * Resolves once, never rejects: when osascript has ended, or at the latest 2 s after its deadline. After
   * `release` only if osascript ends while we live.
   */
  readonly result: Promise<SendResult>;
  /**
   * Lets go of a run that may outlive us: it is no longer killed at its deadline and no longer keeps this
   * process alive. The next start settles it by its tag. Idempotent.
   */
  release(): void;
}

/** What a kill -9 may take; a process that cannot die (a hung disk) must not hold us longer. */
const KILL_GRACE_MS = 2_000;

interface ScriptRunOptions {
  readonly child: ChildProcess;
  readonly tag: string;
  readonly deadlineMs: number;
  readonly files: PrivateFiles;
  readonly clock: Clock;
}

/** Owns a spawned osascript: kills its process group at the deadline and says how it ended. */
export class ScriptRun implements RunningScript {
  readonly pid: number | undefined;
  readonly result: Promise<SendResult>;
  private timer: Timer | undefined;
  private killedByUs = false;

  constructor(private readonly options: ScriptRunOptions) {
    const { child, clock, deadlineMs } = options;
    this.pid = child.pid;
    this.result = new Promise((resolve) => {
      const settle = (result: SendResult) => {
        this.timer?.cancel();
        resolve(result);
      };
      child.on('error', (error) => {
        if (child.pid === undefined) settle(spawnRefusal(error));
      });
      child.once('exit', (status, signal) => settle(this.judge(status, signal)));
      if (child.pid !== undefined) this.timer = clock.after(deadlineMs, () => this.kill(settle));
    });
  }

  release(): void {
    this.timer?.cancel();
    this.options.child.unref();
  }

  private kill(settle: (result: SendResult) => void): void {
    const { child, clock } = this.options;
    this.killedByUs = true;
    if (child.pid !== undefined) killProcessGroup(child.pid);
    this.timer = clock.after(KILL_GRACE_MS, () => {
      child.unref();
      settle(this.judge(null, null));
    });
  }

  /** A file that is gone proves nothing, so it counts as one that holds the marker. */
  private judge(status: number | null, signal: NodeJS.Signals | null): SendResult {
    if (status === 0) return { kind: 'accepted' };
    const { files, tag } = this.options;
    const { marker, tail } = files.readOutput(tag) ?? { marker: true, tail: '' };
    return judgeExit({ status, signal, killedByUs: this.killedByUs, marker, output: tail });
  }
}
