import { APPLESCRIPT_FAULTS, errorNumber, OTHER_FAULT } from './errors.js';
import type { NotStarted, SendResult, UnknownReason } from './sendResult.js';

/** How a run of osascript ended, and what it left in its private file. */
export interface ScriptExit {
  /** The exit status, null when a signal ended it. */
  readonly status: number | null;
  /** The signal that ended it, where that is known. */
  readonly signal?: NodeJS.Signals | null;
  /** We killed it because its deadline had passed. */
  readonly killedByUs: boolean;
  /** False only if it provably never came to its `send`. */
  readonly marker: boolean;
  /** The end of what it printed. */
  readonly output: string;
}

/** A shell's way to say that the program behind it could not be run. */
const CANNOT_RUN = [126, 127];
/**
 * By these the system, or somebody on this machine, ends a program: for want of memory, at a limit, at a logout. The
 * others are a program's own crash, which the text may have caused.
 */
const ENDED_FROM_OUTSIDE: readonly string[] = [
  ...['SIGKILL', 'SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGXCPU', 'SIGXFSZ'],
];
const LONGEST_DETAIL = 500;
const LOOK_IN_MESSAGES = 'Look in Messages whether it went out; it is not sent again.';

/**
 * Says what an ended run proves. Errs on the side of `unknown`: a text called `notStarted` here may be sent
 * again, so that verdict needs the marker's absence or an error number that is a refusal in itself.
 */
export function judgeExit(exit: ScriptExit): SendResult {
  const detail = lastLine(exit.output);
  if (exit.status === 0) return { kind: 'accepted' };
  if (exit.status === null) {
    if (exit.killedByUs) {
      return unknown('timeout', null, 'osascript was stopped at its deadline', detail);
    }
    if (exit.marker) return unknown('killed', null, 'osascript was killed after it began to send', detail);
    const message = 'osascript was killed before it sent anything';
    if (!ENDED_FROM_OUTSIDE.includes(exit.signal ?? '')) return notStarted({ message, detail });
    const remedy =
      'Find out what kills programs on this Mac (memory pressure, limits); the agent recovers on its own.';
    return notStarted({ reason: 'machine_exhausted', message, remedy, detail });
  }
  if (CANNOT_RUN.includes(exit.status) && !exit.marker) {
    return notStarted({ reason: 'osascript_missing', message: 'osascript could not be run', detail });
  }
  return judgeError(errorNumber(exit.output), exit.marker, detail);
}

function judgeError(code: number | null, marker: boolean, detail: string): SendResult {
  const fault = (code === null ? undefined : APPLESCRIPT_FAULTS.get(code)) ?? OTHER_FAULT;
  const message = code === null ? `${fault.meaning} without saying why` : `${fault.meaning} (${code})`;
  if (fault.proves === 'ae_timeout' || fault.proves === 'connection_lost') {
    return unknown(fault.proves, code, message, detail, fault.remedy);
  }
  if (marker && fault.proves !== 'refused') return unknown('after_dispatch', code, message, detail);
  return notStarted({
    code,
    reason: fault.reason,
    retry: fault.retry,
    message,
    remedy: fault.remedy,
    detail,
  });
}

function unknown(
  reason: UnknownReason,
  code: number | null,
  message: string,
  detail: string,
  remedy = '',
): SendResult {
  return { kind: 'unknown', code, reason, message, remedy: `${LOOK_IN_MESSAGES} ${remedy}`.trim(), detail };
}

/** A verdict of "nothing was sent"; what is left out says: again later, for no known reason. */
export function notStarted(verdict: Partial<NotStarted> & { message: string }): NotStarted {
  return {
    kind: 'notStarted',
    code: null,
    reason: 'send_refused',
    retry: 'later',
    remedy: '',
    detail: '',
    ...verdict,
  };
}

function lastLine(output: string): string {
  return (output.trimEnd().split('\n').at(-1) ?? '').slice(-LONGEST_DETAIL);
}
