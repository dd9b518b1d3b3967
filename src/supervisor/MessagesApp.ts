import type { Clock } from '../system/clock.js';
import type { Programs } from '../system/programs.js';
import { type ProgramEnd, runProgram } from '../system/runProgram.js';

/** `unknown`: the system could not be asked, so nothing may be concluded. */
export type AppState = 'running' | 'absent' | 'unknown';

export type Opened = { readonly kind: 'opened' } | { readonly kind: 'failed'; readonly message: string };

/** Messages as a process of the desktop session. Nothing here throws or takes longer than 10 s. */
export interface MessagesProcess {
  state(): Promise<AppState>;
  /** Opens it hidden and in the background. One that runs is asked to reopen, which has been seen to wake it. */
  open(): Promise<Opened>;
  /** Asks it to quit, as its menu does. It may take its time, or not do it. */
  quit(): Promise<void>;
  /** Signals every process of it; SIGTERM and SIGKILL are for one that does not quit. */
  signal(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

interface MessagesAppOptions {
  readonly programs: Pick<Programs, 'open' | 'pgrep'>;
  readonly osascriptPath: string;
  /** Without our secrets. */
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
}

const BUNDLE = 'com.apple.MobileSMS';
const PROCESS = 'Messages';
const PATIENCE_MS = 10_000;

/** Messages on macOS. Only this user's: on a Mac with several sessions each has its own (pgrep -U). */
export class MessagesApp implements MessagesProcess {
  constructor(private readonly options: MessagesAppOptions) {}

  async state(): Promise<AppState> {
    const pids = await this.pids();
    if (pids === undefined) return 'unknown';
    return pids.length > 0 ? 'running' : 'absent';
  }

  async open(): Promise<Opened> {
    const end = await this.run(this.options.programs.open, ['-g', '-j', '-b', BUNDLE]);
    if (end.kind === 'ended' && end.code === 0) return { kind: 'opened' };
    return { kind: 'failed', message: wordsFor(end) };
  }

  async quit(): Promise<void> {
    await this.run(this.options.osascriptPath, ['-e', `tell application id "${BUNDLE}" to quit`]);
  }

  async signal(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    for (const pid of (await this.pids()) ?? []) {
      try {
        process.kill(pid, signal);
      } catch (error) {
        // It ended between the question and the signal, which is what was wanted.
        if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
      }
    }
  }

  /** Undefined if pgrep failed. It exits with 1 if no process matches (pgrep(1)). */
  private async pids(): Promise<number[] | undefined> {
    const uid = process.getuid?.();
    const ofUser = uid === undefined ? [] : ['-U', String(uid)];
    const end = await this.run(this.options.programs.pgrep, [...ofUser, '-x', PROCESS]);
    if (end.kind !== 'ended' || (end.code !== 0 && end.code !== 1)) return undefined;
    return end.stdout
      .split('\n')
      .map(Number)
      .filter((pid) => Number.isInteger(pid) && pid > 1);
  }

  private run(path: string, args: readonly string[]): Promise<ProgramEnd> {
    const { env, clock } = this.options;
    return runProgram(path, args, { env, clock, timeoutMs: PATIENCE_MS });
  }
}

function wordsFor(end: ProgramEnd): string {
  if (end.kind === 'notStarted') return end.message;
  if (end.kind === 'timedOut') return `open did not end within ${PATIENCE_MS / 1000} s`;
  return `open ended with ${end.code ?? 'a signal'}`;
}
