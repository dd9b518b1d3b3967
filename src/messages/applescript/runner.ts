import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { describeError } from '../../errors.js';
import type { Logger } from '../../logging/Logger.js';
import { childEnvironment } from '../../system/childEnvironment.js';
import type { Clock } from '../../system/clock.js';
import { isMissing } from '../../system/missingFile.js';
import { notStarted } from './judgeExit.js';
import { isTag, PrivateFiles } from './PrivateFiles.js';
import { type EndOfRun, type RunInspection, RunRecovery, type WaitOptions } from './RunRecovery.js';
import { type RunningScript, ScriptRun } from './ScriptRun.js';
import type { ScriptName, TargetForm } from './scripts.js';
import type { NotStarted, SendResult } from './sendResult.js';
import { fileRefusal, spawnRefusal } from './spawnRefusal.js';

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
  /** For tests. */
  readonly platform?: NodeJS.Platform;
}

/** One argument cannot exceed 128 KiB on Linux; the same limit everywhere, with room to spare. */
export const LONGEST_TEXT_BYTES = 100_000;

/** The part of the deadline after which an Apple event times out, so that osascript can still say so itself. */
const EVENT_TIMEOUT_SHARE = 2 / 3;

/**
 * Starts osascript and tells how it ended. It runs what it is given at once: turns, retries and fallbacks are
 * the caller's. Each run is detached with its output in a file, so it goes on when we die, and `inspect` can
 * tell afterwards what it did.
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
    this.recovery = new RunRecovery({ files: this.files, clock, platform });
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
   * What is known of an attempt that an earlier life of ours may have spawned. `isSameBoot`: the machine has not been started anew
   * since; what was written before that proves nothing, as files are not synced.
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

  /** Removes what an attempt printed, which is the proof of what it did: only once its outcome is stored. */
  forget(tag: string): void {
    try {
      this.files.remove(tag);
    } catch (error) {
      this.options.log.warn('A private file of osascript cannot be removed', { error: describeError(error) });
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

  /** Opens both files, making them anew if somebody removed the directories. */
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
    const run = new ScriptRun({ child, tag, deadlineMs, files: this.files, clock: this.options.clock });
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
