import { hash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { automationNumber, raiseDialog } from './automationDialog.js';
import { readSettings } from './installOsascript.js';
import { type Behaviour, FIRST_WRITING, takeBehaviour } from './osascriptBehaviour.js';
import { recordCall, recordDispatch } from './osascriptLog.js';
import { readScript, type ScriptShape } from './osascriptScript.js';
import { errorLine } from './osascriptWords.js';
import { chatExists, writeSentRow } from './sentRow.js';

const SYNTAX_ERROR = -2741;
const NO_SUCH_OBJECT = -1728;
const NO_SUCH_FILE = -43;
const DENIED = -1743;
const UNDECIDED = -1744;
const TIMED_OUT = -1712;
/** Errors that mean that Messages did not accept the text, wherever they occur. */
const REFUSALS = [-1743, -1728, -1719, -10004, 1];
const HANG_MS = 15 * 60_000;
const LOOK_EVERY_MS = 20;

/** The process that was started as osascript: this one, or another one that has this one answer. */
export interface OsascriptCaller {
  readonly pid: number;
  /** Aborted when it has ended: whatever is not done by then is not done. */
  readonly ended: AbortSignal;
  /** Its stdin, to its end. */
  script(): Promise<string>;
  out(text: string): void;
  err(text: string): void;
  /** Runs the job in the file `path` (`doJob`) in a process that does not end with the caller. */
  later(directory: string, path: string): void;
}

interface Call {
  readonly caller: OsascriptCaller;
  readonly directory: string;
  readonly argv: readonly string[];
  readonly text: string;
  readonly target: string;
  readonly behaviour: Behaviour;
}

/**
 * Does with the arguments of one call what osascript and Messages would do, as visible from outside: looks the chat up
 * in chat.db, logs what the script logs, records the send, writes the outgoing row. Resolves with the exit code, 0 or
 * 1; 2 if nobody calls osascript so. Rejects when the caller has ended before. Two other ways to call it: `-l
 * JavaScript -e <question> <bundle id> silent|ask` says what macOS has noted of the permission to control Messages, and
 * `-l AppleScript -e 'log "…"' -e 'delay …'` logs and waits.
 */
export async function answerCall(
  caller: OsascriptCaller,
  directory: string,
  args: readonly string[],
): Promise<number> {
  const [option, language, dash, ...argv] = args;
  if (option === '-l' && language === 'JavaScript' && dash === '-e') return question(caller, directory, argv);
  if (option === '-l' && language === 'AppleScript' && dash === '-e') return logThenWait(caller, argv);
  if (option !== '-l' || language !== 'AppleScript' || dash !== '-') return usage(caller);
  const [text = '', target = ''] = argv;
  recordCall(directory, { at: Date.now(), pid: caller.pid, argv });
  const behaviour = takeBehaviour(directory, { text, target });
  return run({ caller, directory, argv, text, target, behaviour });
}

/** Says how it is to be called; returns the exit code of that. */
export function usage(caller: Pick<OsascriptCaller, 'err'>): number {
  caller.err('usage: osascript --simulator directory -l AppleScript - text target [argument ...]\n');
  return 2;
}

/** Without Messages, and without an Apple event. */
async function question(
  caller: OsascriptCaller,
  directory: string,
  [script = '', , how]: readonly string[],
): Promise<number> {
  if (!script.includes('AEDeterminePermissionToAutomateTarget')) return usage(caller);
  const now = automationNumber(directory);
  const answer =
    now === UNDECIDED && how === 'ask' ? await raiseDialog(directory, HANG_MS, caller.ended) : now;
  caller.out(`${answer}\n`);
  return 0;
}

async function logThenWait(
  caller: OsascriptCaller,
  [log = '', , delay = '']: readonly string[],
): Promise<number> {
  caller.err(`${/^log "(.*)"$/.exec(log)?.[1]}\n`);
  await waitFor(Number(delay.replace('delay ', '')) * 1000, caller);
  return 0;
}

/** An event blocks while the dialog is open, for as long as the script gives it; one that is denied fails at once. */
async function refusal(call: Call): Promise<number | undefined> {
  const { caller, directory, argv } = call;
  const now = automationNumber(directory);
  const answer = now === UNDECIDED ? await raiseDialog(directory, Number(argv[2]) * 1000, caller.ended) : now;
  if (answer === UNDECIDED) return fail(TIMED_OUT, call);
  return answer === DENIED ? fail(DENIED, call) : undefined;
}

async function run(call: Call): Promise<number> {
  const { caller, behaviour, target } = call;
  if (behaviour.slowMs !== undefined) await waitFor(behaviour.slowMs, caller);
  const { heldUntil } = behaviour;
  while (heldUntil !== undefined && !existsSync(heldUntil)) await waitFor(LOOK_EVERY_MS, caller);
  const refused = await refusal(call);
  if (refused !== undefined) return refused;
  const script = behaviour.kind === 'deaf' ? guess(target) : readScript(await caller.script());
  if (script === null) return fail(SYNTAX_ERROR, call);
  if ('when' in behaviour && behaviour.when === 'before') return misbehave(call);
  // `as alias` is before everything else in the script.
  const file = fileOf(call, script);
  if (file !== undefined && !isFile(file)) return fail(NO_SUCH_FILE, call);
  const { chatDbPath } = readSettings(call.directory);
  if (script.form === 'chat' && !chatExists(chatDbPath, target)) return fail(NO_SUCH_OBJECT, call);
  if (script.marker !== null && behaviour.kind !== 'silent') caller.err(`${script.marker}\n`);
  return send(call, script);
}

async function send(call: Call, script: ScriptShape): Promise<number> {
  const { caller, behaviour, directory, argv, target } = call;
  const misbehaves = 'when' in behaviour;
  const isSent = !misbehaves || (behaviour.sent ?? !isRefusal(behaviour));
  const { form } = script;
  const file = fileOf(call, script);
  const text = file ?? call.text;
  recordDispatch(directory, {
    at: Date.now(),
    pid: caller.pid,
    argv,
    form,
    text,
    target,
    ...(file === undefined ? {} : { file: contentOf(file) }),
    outcome: isSent ? 'sent' : 'refused',
  });
  if (isSent) {
    const row = file === undefined ? { form, text, target } : { form, text: '', target, file };
    const fate = behaviour.row ?? { kind: 'sent' };
    await writeSentRow(directory, caller, { ...row, first: behaviour.first ?? FIRST_WRITING }, fate);
  }
  return misbehaves ? misbehave(call) : 0;
}

function fileOf({ argv }: Call, { fileArgument }: ScriptShape): string | undefined {
  return fileArgument === null ? undefined : (argv[fileArgument - 1] ?? '');
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

function contentOf(path: string): { name: string; sizeBytes: number; sha256: string } {
  const bytes = readFileSync(path);
  return { name: basename(path), sizeBytes: bytes.length, sha256: hash('sha256', bytes, 'hex') };
}

/** The simulated fault of a call, at the configured moment. */
async function misbehave(call: Call): Promise<number> {
  const { caller, behaviour } = call;
  if (behaviour.kind === 'error') return fail(behaviour.number, call);
  if (behaviour.kind === 'crash') process.kill(caller.pid, behaviour.signal ?? 'SIGKILL');
  await waitFor(HANG_MS, caller);
  return 1;
}

function isRefusal(behaviour: Behaviour): boolean {
  return behaviour.kind === 'error' && REFUSALS.includes(behaviour.number);
}

function fail(number: number, { caller, behaviour, target }: Call): number {
  caller.err(errorLine(number, behaviour.words ?? 'en', `chat id "${target}"`));
  return 1;
}

/** Without its script only the target shows its meaning. */
function guess(target: string): ScriptShape {
  return { form: target.includes(';') ? 'chat' : 'participant', marker: null, fileArgument: null };
}

function waitFor(ms: number, { ended }: OsascriptCaller): Promise<void> {
  return pause(ms, undefined, { signal: ended });
}
