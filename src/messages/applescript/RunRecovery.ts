import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { SYSTEM_PATH } from '../../system/childEnvironment.js';
import type { Clock } from '../../system/clock.js';
import type { PrivateFiles } from './PrivateFiles.js';

/**
 * Ends a run of osascript and whatever it started, by SIGKILL. `pid` must be that of a living process of
 * ours. It is the leader of its group, because it was spawned detached; if it is not (a stand-in that forked),
 * it alone is ended. A process that has ended meanwhile is fine.
 */
export function killProcessGroup(pid: number): void {
  if (!signal(-pid)) signal(pid);
}

/** False if there is nothing to signal, or nothing we may signal. */
function signal(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ESRCH' || code === 'EPERM') return false;
    throw error;
  }
}

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

/** `killed`: it had to be ended at its deadline, so it is not known what it did, with or without the marker. */
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
  /** Called before a run is killed. */
  readonly noteKilled: (tag: string) => void;
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
    let triedAt: number | undefined;
    let killed = false;
    for (;;) {
      const seen = await this.inspect(tag, isSameBoot);
      const now = clock.monotonic();
      if (!seen.running || stop?.aborted === true) return { ...seen, killed };
      // The grace begins with the try: on a busy machine one look may take longer than all of it.
      if (triedAt !== undefined && now >= triedAt + KILL_GRACE_MS) return { ...seen, killed };
      if (now >= end && !killed) {
        triedAt ??= now;
        const pids = await this.pids(tag);
        if (pids.length > 0) this.options.noteKilled(tag);
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

/** `unknowable`: the list of processes could not be read, so nothing is proven either way. */
type ProcessSearch =
  | { readonly kind: 'running'; readonly pids: readonly number[] }
  | { readonly kind: 'gone' }
  | { readonly kind: 'unknowable'; readonly why: string };

const PS = '/bin/ps';
const PS_DEADLINE_MS = 5_000;
/** Room for every command line of the machine, each of which may be 1 MiB on macOS. */
const PS_BYTES = 64 * 1024 * 1024;

/**
 * Finds the living runs of osascript whose last argument is `tag`. Ours and no others': the arguments `-l AppleScript
 * -` must stand before it, so that a person who searches for the tag does not count as a run. On Linux by /proc,
 * elsewhere by ps. Never throws.
 */
export async function findScriptProcesses(tag: string, platform: NodeJS.Platform): Promise<ProcessSearch> {
  try {
    const pids = platform === 'linux' ? await searchProc(tag) : await searchPs(tag);
    return pids.length === 0 ? { kind: 'gone' } : { kind: 'running', pids };
  } catch (error) {
    return { kind: 'unknowable', why: String(error) };
  }
}

async function searchProc(tag: string): Promise<number[]> {
  const entries = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    entries.map(async (name) => {
      const isRun = isRunOf(await readCommandLine(name), tag);
      return isRun ? [Number(name)] : [];
    }),
  );
  return found.flat().sort((a, b) => a - b);
}

/** A process that ended meanwhile, or that belongs to another user, shows us no arguments. */
async function readCommandLine(pid: string): Promise<string[]> {
  try {
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0').slice(0, -1);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES' || code === 'EPERM') return [];
    throw error;
  }
}

function isRunOf(argv: readonly string[], tag: string): boolean {
  if (argv.at(-1) !== tag) return false;
  return argv.some((word, at) => word === '-l' && argv[at + 1] === 'AppleScript' && argv[at + 2] === '-');
}

/**
 * A text with line breaks could forge lines of ps's output, so the listing only shows which processes may be ours; each
 * is then queried alone, and its own arguments must be the last thing printed.
 */
async function searchPs(tag: string): Promise<number[]> {
  const found: number[] = [];
  for (const pid of scriptsInPs(await ps(['-axww', '-o', 'pid=,command=']), tag)) {
    const command = await ps(['-ww', '-o', 'command=', '-p', String(pid)]).catch(noSuchProcess);
    if (endsWithTag(command, tag)) found.push(pid);
  }
  return found;
}

/** The processes that may be runs of `tag`, from the output of `ps -axww -o pid=,command=`. */
export function scriptsInPs(listing: string, tag: string): number[] {
  const lines = listing.split('\n');
  if (!lines.some((line) => endsWithTag(line, tag))) return [];
  const pids = lines.map((line) => /^\s*(\d+)\s.* -l AppleScript - /.exec(line)?.[1]);
  return [...new Set(pids.filter((pid) => pid !== undefined).map(Number))];
}

function endsWithTag(command: string, tag: string): boolean {
  return command.trimEnd().endsWith(` ${tag}`);
}

/** ps exits 1 and prints nothing for a process that has ended meanwhile; anything else is a failure. */
function noSuchProcess(error: unknown): string {
  if (error instanceof Error && 'code' in error && error.code === 1) return '';
  throw error;
}

function ps(args: readonly string[]): Promise<string> {
  const options = { timeout: PS_DEADLINE_MS, maxBuffer: PS_BYTES, env: { LC_ALL: 'C', PATH: SYSTEM_PATH } };
  return new Promise((resolve, reject) => {
    execFile(PS, args, options, (error, stdout) => (error === null ? resolve(stdout) : reject(error)));
  });
}
