import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { describeError } from '../../errors.js';
import type { Logger } from '../../logging/Logger.js';
import { ERROR_CODES, type ErrorCode } from '../../model/errorCodes.js';
import { childEnvironment } from '../../system/childEnvironment.js';
import type { Clock, Timer } from '../../system/clock.js';
import { exhaustion, type MachineFault, ownFileFault, systemCode } from '../../system/failures.js';
import { isMissing } from '../../system/missingFile.js';
import { APPLESCRIPT_FAULTS, errorNumber, OTHER_FAULT } from './errors.js';
import { isTag, PrivateFiles } from './PrivateFiles.js';
import {
  type EndOfRun,
  killProcessGroup,
  type RunInspection,
  RunRecovery,
  type WaitOptions,
} from './RunRecovery.js';
import type { ScriptName, TargetForm } from './scripts.js';
import type { NotStarted, SendResult, UnknownReason } from './sendResult.js';

/** One text, or one file, to one target. */
export interface SendRequest {
  /** Names this attempt and no other, ever: 8 to 128 of `A-Z a-z 0-9 _ . -`. Not to be guessed by others. */
  readonly tag: string;
  readonly form: TargetForm;
  /** A chat's guid for the form `chat`, else an address. */
  readonly target: string;
  /** chat.db's account id for the forms by address; without it the first account of the service. */
  readonly accountId?: string;
  /** Sent to the letter, but for NUL bytes, which no argument can hold and which are removed. */
  readonly text: string;
  /** An absolute path: this file is sent instead of the text. */
  readonly file?: string;
  /** osascript is killed this many ms after its start. */
  readonly deadlineMs: number;
}

interface OsascriptRunnerOptions {
  readonly osascriptPath: string;
  readonly stateDirectory: string;
  /** Ours; osascript inherits of it what `childEnvironment` allows. */
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly log: Logger;
  /** Whether this Mac has proven that the marker is written at once (`proveMarker`). */
  readonly isMarkerProven?: () => boolean;
  /** For tests. */
  readonly platform?: NodeJS.Platform;
}

/** One argument cannot exceed 128 KiB on Linux; the same limit everywhere, with room to spare. */
export const LONGEST_TEXT_BYTES = 100_000;

/** The part of the deadline after which an Apple event times out, so that osascript can still say so itself. */
const EVENT_TIMEOUT_SHARE = 2 / 3;

/**
 * Starts osascript and returns how it ended. It runs each request immediately: order, retries and fallbacks are the
 * caller's task. Each run is detached with its output in a file, so it continues if the agent is killed, and `inspect`
 * can find out afterwards what it did.
 */
export class OsascriptRunner {
  private readonly files: PrivateFiles;
  private readonly recovery: RunRecovery;
  private readonly env: NodeJS.ProcessEnv;
  private readonly watched = new Set<string>();
  private isPrepared = false;

  constructor(private readonly options: OsascriptRunnerOptions) {
    const { stateDirectory, clock, platform = process.platform } = options;
    this.files = new PrivateFiles(stateDirectory);
    const noteKilled = (tag: string) => this.noteKilled(tag);
    this.recovery = new RunRecovery({ files: this.files, noteKilled, clock, platform });
    this.env = childEnvironment(options.env);
  }

  /**
   * Writes the scripts. Called at the latest by the first start; called earlier, it spares that one the work.
   * Throws EdgeError `state_unwritable`.
   */
  prepare(): void {
    this.files.prepare();
    this.isPrepared = true;
  }

  /** Spawns at once. Never throws: what goes wrong is the run's result. */
  start(request: SendRequest): RunningScript {
    const text = request.text.replaceAll('\0', '');
    const refused = refuse(request, text);
    if (refused !== null) return ended(refused);
    const opened = this.open(request);
    if (opened.kind === 'notStarted') return ended(opened);
    const { script, output } = opened;
    try {
      const child = spawn(this.options.osascriptPath, commandLine(request, text), {
        detached: true,
        stdio: [script, output, output],
        env: this.env,
      });
      return this.supervise(child, request);
    } catch (error) {
      return ended(spawnRefusal(error));
    } finally {
      closeSync(script);
      closeSync(output);
    }
  }

  /**
   * What is known of an attempt that an earlier run of the agent may have spawned. `isSameBoot`: the machine has not
   * been restarted since; files from before a restart prove nothing, because they are not synced.
   */
  inspect(tag: string, isSameBoot = true): Promise<RunInspection> {
    return this.recovery.inspect(tag, isSameBoot);
  }

  /**
   * Waits for the attempt's osascript to end. After `patienceMs` it is killed, never sooner. `stop` ends the waiting and
   * leaves it alone.
   */
  waitForEnd(tag: string, patienceMs: number, options: WaitOptions = {}): Promise<EndOfRun> {
    return this.recovery.waitForEnd(tag, patienceMs, options);
  }

  /**
   * Removes what an attempt printed, which is the proof of what it did: only once its outcome is stored. Makes the file of the next
   * attempt ready, so that it starts at once.
   */
  forget(tag: string): void {
    try {
      this.files.remove(tag);
    } catch (error) {
      this.options.log.warn('A private file of osascript cannot be removed', { error: describeError(error) });
    }
    try {
      this.files.makeSpare();
    } catch (error) {
      // The attempt makes its own, and says so if it cannot either.
      this.options.log.debug('No file is ready for the next osascript', { error: describeError(error) });
    }
  }

  /** Removes what all other attempts printed, but for those of runs that we still watch. Never throws. */
  sweep(keepTags: Iterable<string>): void {
    const keep = new Set([...keepTags, ...this.watched]);
    try {
      for (const tag of this.files.tags()) if (!keep.has(tag)) this.files.remove(tag);
    } catch (error) {
      this.options.log.warn('Private files of osascript cannot be removed', { error: describeError(error) });
    }
  }

  /**
   * It is not known what a run did that is killed at its deadline, and a crash right after the kill must not lose that.
   * It is killed in any case, because Messages waits for it.
   */
  private noteKilled(tag: string): void {
    try {
      this.files.noteKilled(tag);
    } catch (error) {
      this.options.log.warn('That osascript is killed at its deadline cannot be noted', {
        tag,
        cause: describeError(error),
      });
    }
  }

  /** Opens both files, and creates them again if the directories were removed. */
  private open(request: SendRequest): OpenFiles | NotStarted {
    try {
      if (this.isPrepared) return this.openOnce(request);
    } catch (error) {
      if (!isMissing(error)) return fileRefusal(error);
    }
    try {
      this.prepare();
      return this.openOnce(request);
    } catch (error) {
      return fileRefusal(error);
    }
  }

  private openOnce(request: SendRequest): OpenFiles {
    const name: ScriptName = `${request.form}-${request.file === undefined ? 'text' : 'file'}`;
    const script = this.files.openScript(name);
    try {
      return { kind: 'opened', script, output: this.files.createOutput(request.tag) };
    } catch (error) {
      closeSync(script);
      throw error;
    }
  }

  private supervise(child: ChildProcess, { tag, deadlineMs }: SendRequest): RunningScript {
    const { clock, isMarkerProven = () => false } = this.options;
    const noteKilled = () => this.noteKilled(tag);
    const { files } = this;
    const run = new ScriptRun({ child, tag, deadlineMs, files, noteKilled, clock, isMarkerProven });
    this.watched.add(tag);
    void run.result.then(() => this.watched.delete(tag));
    return run;
  }
}

interface OpenFiles {
  readonly kind: 'opened';
  readonly script: number;
  readonly output: number;
}

/** The arguments as scripts.ts lays them out. */
function commandLine(request: SendRequest, text: string): string[] {
  const eventSeconds = Math.max(1, Math.floor((request.deadlineMs * EVENT_TIMEOUT_SHARE) / 1000));
  const content = request.file === undefined ? text : '';
  const file = request.file === undefined ? [] : [request.file];
  const account = request.accountId ?? '';
  return [
    ...['-l', 'AppleScript', '-', content, request.target],
    ...[String(eventSeconds), account, ...file, request.tag],
  ];
}

function refuse(request: SendRequest, text: string): NotStarted | null {
  const final = { retry: 'never' } as const;
  if (!isTag(request.tag)) {
    return notStarted({ ...final, reason: 'internal', message: 'The tag of the attempt is not usable' });
  }
  const others = [request.target, request.accountId ?? '', request.file ?? ''];
  if (request.target === '' || others.some((value) => value.includes('\0'))) {
    return notStarted({ ...final, message: 'The target is neither a chat nor an address' });
  }
  const bytes = Buffer.byteLength(text);
  if (bytes <= LONGEST_TEXT_BYTES) return null;
  const message = `The text has ${bytes} bytes; the limit is ${LONGEST_TEXT_BYTES}`;
  return notStarted({ ...final, reason: 'text_too_long', message, remedy: 'Send it in pieces.' });
}

/** A run that ended before it began. */
function ended(result: SendResult): RunningScript {
  return { pid: undefined, result: Promise.resolve(result), release: () => undefined };
}

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
  /** Called before it is killed. */
  readonly noteKilled: () => void;
  readonly clock: Clock;
  readonly isMarkerProven: () => boolean;
}

/** Owns a spawned osascript: kills its process group at the deadline and says how it ended. */
class ScriptRun implements RunningScript {
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
    this.options.noteKilled();
    if (child.pid !== undefined) killProcessGroup(child.pid);
    this.timer = clock.after(KILL_GRACE_MS, () => {
      child.unref();
      settle(this.judge(null, null));
    });
  }

  /** A file that is gone proves nothing, so it counts as one that holds the marker. */
  private judge(status: number | null, signal: NodeJS.Signals | null): SendResult {
    if (status === 0) return { kind: 'accepted' };
    const { files, tag, isMarkerProven } = this.options;
    const { marker, tail } = files.readOutput(tag) ?? { marker: true, tail: '' };
    return judgeExit({
      status,
      signal,
      killedByUs: this.killedByUs,
      marker,
      isMarkerProven: isMarkerProven(),
      output: tail,
    });
  }
}

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
  /** This Mac has proven that the marker is written at once. */
  readonly isMarkerProven?: boolean;
  /** The end of what it printed. */
  readonly output: string;
}

/** A shell's way to say that the program behind it could not be run. */
const CANNOT_RUN = [126, 127];
/**
 * Signals by which the system or a user ends a program: out of memory, a limit, a logout. The others are a crash of the
 * program, which the text may have caused.
 */
const ENDED_FROM_OUTSIDE: readonly string[] = [
  ...['SIGKILL', 'SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGXCPU', 'SIGXFSZ'],
];
const LONGEST_DETAIL = 500;
const LOOK_IN_MESSAGES = 'Check in Messages whether it was sent; it is not sent again.';

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
  return judgeError(exit, errorNumber(exit.output), detail);
}

/** An osascript that ended on its own, with an error. */
function judgeError(
  { marker, isMarkerProven = false }: ScriptExit,
  code: number | null,
  detail: string,
): SendResult {
  const fault = (code === null ? undefined : APPLESCRIPT_FAULTS.get(code)) ?? OTHER_FAULT;
  const message = code === null ? `${fault.meaning} without saying why` : `${fault.meaning} (${code})`;
  const isOpenEnded = fault.proves === 'ae_timeout' || fault.proves === 'connection_lost';
  if (isOpenEnded && (marker || !isMarkerProven)) {
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

const CHECK_PATH = 'Set imessage.osascript_path to a program that this user may run (/usr/bin/osascript).';

/** What it means that osascript could not be spawned. Nothing was sent. */
export function spawnRefusal(error: unknown): NotStarted {
  // One argument may not be longer than 128 KiB on Linux, nor all together than 1 MiB on macOS.
  if (systemCode(error) === 'E2BIG') {
    return refusal('text_too_long', 'never', error, 'Send it in pieces.');
  }
  const exhausted = exhaustion(systemCode(error));
  if (exhausted !== undefined) return kept(exhausted, error);
  return refusal('osascript_missing', 'later', error, CHECK_PATH);
}

/** What it means that the files of an attempt could not be opened before it was spawned. Nothing was sent. */
export function fileRefusal(error: unknown): NotStarted {
  const code = systemCode(error);
  if (code === 'EEXIST') return refusal('internal', 'never', error, 'Each attempt needs a different tag.');
  const fault = ownFileFault(error);
  if (fault !== undefined) return kept(fault, error);
  return refusal('state_unwritable', 'later', error, 'Check that the state directory belongs to this user.');
}

/** A fault of this machine: the text is kept until it is gone. */
function kept({ code, message, remedy }: MachineFault, error: unknown): NotStarted {
  return notStarted({ reason: code, retry: 'later', message, remedy, detail: describeError(error) });
}

function refusal(reason: ErrorCode, retry: NotStarted['retry'], error: unknown, remedy: string): NotStarted {
  return notStarted({ reason, retry, message: ERROR_CODES[reason], remedy, detail: describeError(error) });
}
