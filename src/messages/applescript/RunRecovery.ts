import type { Clock } from '../../system/clock.js';
import { killProcessGroup } from './killProcessGroup.js';
import type { PrivateFiles } from './PrivateFiles.js';
import { findScriptProcesses, type ProcessSearch } from './scriptProcesses.js';

/**
 * What can be known of a run that is not our child. `marker: false` together with `running: false` is proof
 * that it sent nothing; where that cannot be proven, `marker` is true. How it exited is never known.
 */
export interface RunInspection {
  readonly running: boolean;
  readonly pid?: number;
  readonly marker: boolean;
  readonly exitKnown: false;
}

/** `killed`: it had to be ended at its deadline, so nobody knows what it did, marker or not. */
export interface EndOfRun extends RunInspection {
  readonly killed: boolean;
}

export interface WaitOptions {
  /** Aborted: the waiting ends at once, with `running` as it is; the run is left alone. */
  readonly stop?: AbortSignal;
  /** As in `inspect`. */
  readonly isSameBoot?: boolean;
}

interface RunRecoveryOptions {
  readonly files: PrivateFiles;
  readonly clock: Clock;
  readonly platform: NodeJS.Platform;
}

const LOOK_EVERY_MS = 250;
/** A process between fork and exec has no arguments of its own yet; it is seen on the second look. */
const SECOND_LOOK_MS = 50;
const KILL_GRACE_MS = 2_000;

/** Finds runs of osascript that an earlier life of ours spawned, and what they left behind. */
export class RunRecovery {
  constructor(private readonly options: RunRecoveryOptions) {}

  async inspect(tag: string, isSameBoot = true): Promise<RunInspection> {
    let search = await this.search(tag);
    if (search.kind === 'gone') {
      await this.pause(SECOND_LOOK_MS);
      search = await this.search(tag);
    }
    return this.describe(tag, search, isSameBoot);
  }

  async waitForEnd(tag: string, patienceMs: number, { isSameBoot, stop }: WaitOptions): Promise<EndOfRun> {
    const { clock } = this.options;
    const end = clock.monotonic() + patienceMs;
    const giveUp = end + KILL_GRACE_MS;
    let killed = false;
    for (;;) {
      const seen = await this.inspect(tag, isSameBoot);
      const now = clock.monotonic();
      if (!seen.running || stop?.aborted === true) return { ...seen, killed };
      if (now >= giveUp) return { ...seen, killed };
      if (now >= end && !killed) {
        const pids = await this.pids(tag);
        for (const pid of pids) killProcessGroup(pid);
        killed = pids.length > 0;
      }
      await this.pause(Math.min(LOOK_EVERY_MS, Math.max(end - now, SECOND_LOOK_MS)), stop);
    }
  }

  private search(tag: string): Promise<ProcessSearch> {
    return findScriptProcesses(tag, this.options.platform);
  }

  private async pids(tag: string): Promise<readonly number[]> {
    const search = await this.search(tag);
    return search.kind === 'running' ? search.pids : [];
  }

  /** The file is read after the process was seen gone: what it wrote last is then in it. */
  private describe(tag: string, search: ProcessSearch, isSameBoot: boolean): RunInspection {
    const marker = this.options.files.readOutput(tag)?.marker ?? false;
    if (search.kind === 'running') return { running: true, pid: search.pids[0], marker, exitKnown: false };
    const provable = search.kind === 'gone' && isSameBoot;
    return { running: false, marker: marker || !provable, exitKnown: false };
  }

  private pause(ms: number, stop?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        timer.cancel();
        stop?.removeEventListener('abort', done);
        resolve();
      };
      const timer = this.options.clock.after(ms, done);
      if (stop?.aborted === true) done();
      else stop?.addEventListener('abort', done);
    });
  }
}
