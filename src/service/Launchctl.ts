import { EdgeError } from '../errors.js';
import type { Clock } from '../system/clock.js';
import { runProgram } from '../system/runProgram.js';
import { explainExit } from './launchctlExit.js';
import { LABEL } from './servicePlaces.js';

/** What launchd has under our label. */
export type Job =
  | {
      readonly kind: 'loaded';
      readonly path: string | null;
      readonly pid: number | null;
      readonly lastExit: string | null;
    }
  | { readonly kind: 'absent' }
  /** No user is logged in at the desktop: the state of a job there is not known. */
  | { readonly kind: 'noSession'; readonly fault: EdgeError };

interface LaunchctlEnd {
  /** Null if it was killed. */
  readonly code: number | null;
  readonly said: string;
}

/** `bootout` may wait for the job; the others answer at once. */
const LONGEST_MS = 45_000;

/** launchctl(1), for the one job of this user's desktop session. */
export class Launchctl {
  readonly domain: string;
  readonly target: string;

  constructor(private readonly options: { path: string; env: NodeJS.ProcessEnv; uid: number; clock: Clock }) {
    this.domain = `gui/${options.uid}`;
    this.target = `${this.domain}/${LABEL}`;
  }

  /** Runs it to its end. Throws EdgeError `launchd_refused` if it does not start or does not end. */
  async run(...args: string[]): Promise<LaunchctlEnd> {
    const { path, env, clock } = this.options;
    const end = await runProgram(path, args, { env, clock, timeoutMs: LONGEST_MS });
    if (end.kind === 'ended') {
      const { code, stdout, stderr } = end;
      // A successful command answers on stdout, regardless of warnings.
      return { code, said: code === 0 ? stdout : stderr || stdout };
    }
    const why = end.kind === 'timedOut' ? `it did not end within ${LONGEST_MS / 1000} s` : end.message;
    throw new EdgeError(
      'launchd_refused',
      `launchctl ${args[0] ?? ''} cannot be used: ${why}.`,
      'Try again; if the error remains, restart the Mac.',
    );
  }

  /** Asks launchd itself. Throws EdgeError `launchd_refused` for an answer that says neither that it is there nor that it is not. */
  async job(): Promise<Job> {
    const { code, said } = await this.run('print', this.target);
    if (code === 0) return { kind: 'loaded', ...readPrint(said) };
    if (code === 3 || code === 113) return { kind: 'absent' };
    const fault = explainExit('print', code, said);
    if (fault.code === 'no_desktop_session') return { kind: 'noSession', fault };
    throw fault;
  }
}

/** launchctl(1) says that this output is no interface: what is not found is null, and nothing else is relied on. */
export function readPrint(output: string): {
  path: string | null;
  pid: number | null;
  lastExit: string | null;
} {
  const field = (name: string) => new RegExp(`^\\s*${name} = (.+)$`, 'm').exec(output)?.[1]?.trim() ?? null;
  const pid = Number(field('pid'));
  return {
    path: field('path'),
    pid: Number.isSafeInteger(pid) && pid > 0 ? pid : null,
    lastExit: field('last exit code'),
  };
}
