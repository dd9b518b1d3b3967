import { existsSync } from 'node:fs';
import { EdgeError } from '../errors.js';
import { type Clock, sleep } from '../system/clock.js';
import type { Job, Launchctl } from './Launchctl.js';
import { explainExit } from './launchctlExit.js';
import type { ServicePlaces } from './servicePlaces.js';

/** What the program says of itself on its status socket. */
export interface RunningAgent {
  readonly pid: number;
  readonly state: string;
  readonly problems: readonly { readonly message: string; readonly remedy: string }[];
}

interface LaunchAgentOptions {
  launchctl: Launchctl;
  places: ServicePlaces;
  clock: Clock;
  /** Queries the status socket; undefined: no answer. */
  ask: () => Promise<RunningAgent | undefined>;
  /** Shorter ones are for tests. */
  patience?: Partial<Patience>;
}

/** How long is waited, in ms. */
export interface Patience {
  /** For a job to be gone: longer than its ExitTimeOut of 30 s. */
  readonly goneMs: number;
  /** For a process to answer: longer than the 10 s that launchd may let pass between two starts, and than opening a big store. */
  readonly answerMs: number;
  /** Between two attempts to load a job. */
  readonly againMs: number;
}

const PATIENCE: Patience = { goneMs: 45_000, answerMs: 60_000, againMs: 2_000 };
const LOOK_EVERY_MS = 200;
const LOAD_ATTEMPTS = 4;
/** launchd does not know the job (launchctl(1)). */
const UNKNOWN_JOB = 113;
/** What `bootout` says when the job goes, is on its way out already, or is gone. */
const GOING: ReadonlySet<number> = new Set([0, 3, 36, 37, 113]);

/**
 * The job in launchd: loaded and unloaded as launchd wants it done. `bootout` returns before the process is gone, and a
 * `bootstrap` meanwhile fails with 5; writing a plist below a loaded job changes nothing (seen on macOS 26).
 */
export class LaunchAgent {
  private readonly patience: Patience;

  constructor(private readonly options: LaunchAgentOptions) {
    this.patience = { ...PATIENCE, ...options.patience };
  }

  job(): Promise<Job> {
    return this.options.launchctl.job();
  }

  /** The job, and that there is a desktop session at all; else throws EdgeError `no_desktop_session`. */
  async jobOfSession(): Promise<Exclude<Job, { kind: 'noSession' }>> {
    const job = await this.job();
    if (job.kind === 'noSession') throw job.fault;
    return job;
  }

  /** Takes the job out of launchd, which ends it in order; resolves when it is gone, at once if it was not there. */
  async unload(): Promise<void> {
    await this.bootout();
    await this.untilGone();
  }

  /** Tells launchd to remove the job. Throws if launchd refuses: then nothing changes. */
  async bootout(): Promise<void> {
    const { launchctl } = this.options;
    const { code, said } = await launchctl.run('bootout', launchctl.target);
    const isGoing = code !== null && GOING.has(code);
    if (!isGoing && (await this.surelyJob()).kind === 'loaded') throw explainExit('bootout', code, said);
  }

  /** Resolves when the job that was booted out is gone. If this throws, it may still go at any moment. */
  async untilGone(): Promise<void> {
    const { launchctl } = this.options;
    const gone = await this.within(this.patience.goneMs, async () => (await this.job()).kind !== 'loaded');
    if (gone) return;
    throw new EdgeError(
      'launchd_refused',
      `launchd was asked to stop the agent, but it is still running after ${this.patience.goneMs / 1000} s.`,
      `See what it does: launchctl print ${launchctl.target}; then run this again.`,
    );
  }

  /** Hands the plist to launchd, which must have no record that it is disabled: see `enable`. */
  async load(): Promise<void> {
    const { launchctl, places } = this.options;
    for (let attempt = 1; ; attempt += 1) {
      const { code, said } = await launchctl.run('bootstrap', launchctl.domain, places.plist);
      if (code === 0) break;
      if (code === 17 || code === 37) await this.unload();
      else if (code !== 5) throw explainExit('bootstrap', code, said);
      if (attempt === LOAD_ATTEMPTS) throw explainExit('bootstrap', code, said);
      await sleep(this.options.clock, this.patience.againMs);
    }
    await this.kickstart();
  }

  /**
   * Whether launchd may load the job, at a login too. The record lasts until it is changed, over reboots and without a
   * plist, so that it is to be taken back before each `load`.
   */
  async enable(enabled: boolean): Promise<void> {
    const { launchctl } = this.options;
    const verb = enabled ? 'enable' : 'disable';
    const { code, said } = await launchctl.run(verb, launchctl.target);
    if (code !== 0) throw explainExit(verb, code, said);
  }

  /** Starts the loaded job now, if it does not run. */
  async kickstart(): Promise<void> {
    const { launchctl } = this.options;
    const { code, said } = await launchctl.run('kickstart', launchctl.target);
    if (code !== 0 && code !== 37) throw explainExit('kickstart', code, said);
  }

  /**
   * Stops the running process cleanly and lets the loaded job start again; the job stays loaded meanwhile. A job that
   * another command is removing (a bootout takes as long as its process) is loaded again.
   */
  async restart(pid: number | null): Promise<void> {
    const { launchctl } = this.options;
    if (pid !== null) {
      const { code, said } = await launchctl.run('kill', 'SIGTERM', launchctl.target);
      if (code !== 0 && code !== 3 && code !== UNKNOWN_JOB) throw explainExit('kill', code, said);
      const ended = await this.within(this.patience.goneMs, async () => pidOf(await this.job()) !== pid);
      if (!ended) await launchctl.run('kickstart', '-k', launchctl.target);
    }
    const { code, said } = await launchctl.run('kickstart', launchctl.target);
    if (code === UNKNOWN_JOB || (await this.surelyJob()).kind !== 'loaded') await this.load();
    else if (code !== 0 && code !== 37) throw explainExit('kickstart', code, said);
  }

  /**
   * Resolves when launchd runs our plist and that very process answers on the status socket. Throws EdgeError
   * `service_not_answering`, or what launchd says, if that does not come about in time.
   */
  async verify(): Promise<RunningAgent> {
    const { places, ask } = this.options;
    let job: Job = { kind: 'absent' };
    let answer: RunningAgent | undefined;
    const pids = new Set<number>();
    const answers = await this.within(this.patience.answerMs, async () => {
      job = await this.jobOfSession();
      if (job.kind === 'loaded' && job.path !== null && job.path !== places.plist) return true;
      if (job.kind === 'loaded' && job.pid !== null) pids.add(job.pid);
      answer = await ask();
      return job.kind === 'loaded' && answer !== undefined && answer.pid === job.pid;
    });
    if (answers && answer !== undefined && isOurs(job, places)) return answer;
    throw this.whyNot(job, answer, pids.size > 1);
  }

  private whyNot(job: Job, answer: RunningAgent | undefined, endsAgain: boolean): EdgeError {
    const { launchctl, places } = this.options;
    if (job.kind !== 'loaded') return explainExit('print', 113, '');
    if (!isOurs(job, places)) {
      return new EdgeError(
        'launchd_refused',
        `launchd runs another LaunchAgent of this name: ${job.path ?? 'of unknown path'}.`,
        `Remove it: launchctl bootout ${launchctl.target}; remove that file; then: edge-agent install`,
      );
    }
    if (answer !== undefined && answer.pid !== job.pid) {
      return new EdgeError(
        'already_running',
        `Another edge-agent (process ${answer.pid}) uses the same state directory, so the installed one waits.`,
        'Stop the other one (Ctrl-C where it was started); the installed one takes over on its own.',
      );
    }
    const ended = job.lastExit === null ? '' : ` Its last end: ${job.lastExit}.`;
    return new EdgeError(
      'service_not_answering',
      job.pid === null || endsAgain
        ? `launchd has the agent, but it does not stay up.${ended}`
        : `The agent (process ${job.pid}) runs, but does not answer on its status socket.`,
      existsSync(places.errorLog)
        ? `See the end of ${places.errorLog}. If this came with an upgrade: edge-agent rollback`
        : `See: launchctl print ${launchctl.target}. If this came with an upgrade: edge-agent rollback`,
    );
  }

  /** The job, asked for again where launchd gives no answer: what is under way is not given up for that. */
  private async surelyJob(): Promise<Job> {
    let job: Job = { kind: 'absent' };
    await this.within(this.patience.goneMs, async () => {
      job = await this.job();
      return true;
    });
    return job;
  }

  /** Looks until it holds. A look that launchd refuses is one at which it does not hold yet; the last one's fault is thrown. */
  private async within(ms: number, holds: () => Promise<boolean>): Promise<boolean> {
    const { clock } = this.options;
    const end = clock.monotonic() + ms;
    for (;;) {
      const isLast = clock.monotonic() >= end;
      try {
        if (await holds()) return true;
      } catch (error) {
        if (isLast || !(error instanceof EdgeError) || error.code !== 'launchd_refused') throw error;
      }
      if (isLast) return false;
      await sleep(clock, LOOK_EVERY_MS);
    }
  }
}

/** `print` may not show the path in the future: then only the answering process decides. */
function isOurs(job: Job, places: ServicePlaces): boolean {
  return job.kind === 'loaded' && (job.path === null || job.path === places.plist);
}

function pidOf(job: Job): number | null {
  return job.kind === 'loaded' ? job.pid : null;
}
