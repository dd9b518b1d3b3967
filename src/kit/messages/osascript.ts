import { hash } from 'node:crypto';
import { readFileSync, statSync, writeSync } from 'node:fs';
import { basename } from 'node:path';
import { text as readAll } from 'node:stream/consumers';
import { automationNumber, raiseDialog } from './automationDialog.js';
import { readSettings } from './installOsascript.js';
import { type Behaviour, FIRST_WRITING, takeBehaviour } from './osascriptBehaviour.js';
import { recordCall, recordDispatch } from './osascriptLog.js';
import { readScript, type ScriptShape } from './osascriptScript.js';
import { errorLine } from './osascriptWords.js';
import { chatExists, doJob, writeSentRow } from './sentRow.js';

/*
 * The osascript stand-in: `osascript.js --simulator <directory> -l AppleScript - <arguments>`, the script on
 * stdin. It does with them what osascript and Messages would, as far as can be seen from outside: looks the
 * chat up in chat.db, logs what the script logs, records the send, writes the outgoing row, exits with 0 or 1. Two other ways to
 * call it: `-l JavaScript -e <question> <bundle id> silent|ask` says what macOS has noted of the permission to control Messages,
 * and `-l AppleScript -e 'log "…"' -e 'delay …'` logs and waits.
 */

const SYNTAX_ERROR = -2741;
const NO_SUCH_OBJECT = -1728;
const NO_SUCH_FILE = -43;
const DENIED = -1743;
const UNDECIDED = -1744;
const TIMED_OUT = -1712;
/** Errors that say that Messages did not take the text, wherever they come. */
const REFUSALS = [-1743, -1728, -1719, -10004, 1];
const HANG_MS = 15 * 60_000;

interface Call {
  readonly directory: string;
  readonly argv: readonly string[];
  readonly text: string;
  readonly target: string;
  readonly behaviour: Behaviour;
}

async function main(args: readonly string[]): Promise<number> {
  const [flag, directory, ...rest] = args;
  if (flag !== '--simulator' || directory === undefined) return usage();
  if (rest[0] === '--later') {
    await doJob(rest[1] ?? '');
    return 0;
  }
  const [option, language, dash, ...argv] = rest;
  if (option === '-l' && language === 'JavaScript' && dash === '-e') return question(directory, argv);
  if (option === '-l' && language === 'AppleScript' && dash === '-e') return logThenWait(argv);
  if (option !== '-l' || language !== 'AppleScript' || dash !== '-') return usage();
  const [text = '', target = ''] = argv;
  recordCall(directory, { at: Date.now(), pid: process.pid, argv });
  const behaviour = takeBehaviour(directory, { text, target });
  return run({ directory, argv, text, target, behaviour });
}

/** Without Messages, and without an Apple event. */
async function question(directory: string, [script = '', , how]: readonly string[]): Promise<number> {
  if (!script.includes('AEDeterminePermissionToAutomateTarget')) return usage();
  const now = automationNumber(directory);
  const answer = now === UNDECIDED && how === 'ask' ? await raiseDialog(directory, HANG_MS) : now;
  writeSync(1, `${answer}\n`);
  return 0;
}

async function logThenWait([log = '', , delay = '']: readonly string[]): Promise<number> {
  writeSync(2, `${/^log "(.*)"$/.exec(log)?.[1]}\n`);
  await pause(Number(delay.replace('delay ', '')) * 1000);
  return 0;
}

/** An event blocks while the dialog is open, for as long as the script gives it; one that is denied fails at once. */
async function refusal(call: Call): Promise<number | undefined> {
  const { directory, argv } = call;
  const now = automationNumber(directory);
  const answer = now === UNDECIDED ? await raiseDialog(directory, Number(argv[2]) * 1000) : now;
  if (answer === UNDECIDED) return fail(TIMED_OUT, call);
  return answer === DENIED ? fail(DENIED, call) : undefined;
}

async function run(call: Call): Promise<number> {
  const { behaviour, target } = call;
  if (behaviour.slowMs !== undefined) await pause(behaviour.slowMs);
  const refused = await refusal(call);
  if (refused !== undefined) return refused;
  const script = behaviour.kind === 'deaf' ? guess(target) : readScript(await readAll(process.stdin));
  if (script === null) return fail(SYNTAX_ERROR, call);
  if ('when' in behaviour && behaviour.when === 'before') return misbehave(call);
  // `as alias` is before everything else in the script.
  const file = fileOf(call, script);
  if (file !== undefined && !isFile(file)) return fail(NO_SUCH_FILE, call);
  const { chatDbPath } = readSettings(call.directory);
  if (script.form === 'chat' && !chatExists(chatDbPath, target)) return fail(NO_SUCH_OBJECT, call);
  if (script.marker !== null && behaviour.kind !== 'silent') writeSync(2, `${script.marker}\n`);
  return send(call, script);
}

function send(call: Call, script: ScriptShape): number | Promise<number> {
  const { behaviour, directory, argv, target } = call;
  const misbehaves = 'when' in behaviour;
  const isSent = !misbehaves || (behaviour.sent ?? !isRefusal(behaviour));
  const { form } = script;
  const file = fileOf(call, script);
  const text = file ?? call.text;
  recordDispatch(directory, {
    at: Date.now(),
    pid: process.pid,
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
    writeSentRow(directory, { ...row, first: behaviour.first ?? FIRST_WRITING }, fate);
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

/** The part of a call that goes wrong, at the moment it was told to. */
async function misbehave(call: Call): Promise<number> {
  const { behaviour } = call;
  if (behaviour.kind === 'error') return fail(behaviour.number, call);
  if (behaviour.kind === 'crash') process.kill(process.pid, behaviour.signal ?? 'SIGKILL');
  await pause(HANG_MS);
  return 1;
}

function isRefusal(behaviour: Behaviour): boolean {
  return behaviour.kind === 'error' && REFUSALS.includes(behaviour.number);
}

function fail(number: number, { behaviour, target }: Call): number {
  writeSync(2, errorLine(number, behaviour.words ?? 'en', `chat id "${target}"`));
  return 1;
}

/** Without its script only the target tells how it is meant. */
function guess(target: string): ScriptShape {
  return { form: target.includes(';') ? 'chat' : 'participant', marker: null, fileArgument: null };
}

function usage(): number {
  writeSync(2, 'usage: osascript --simulator directory -l AppleScript - text target [argument ...]\n');
  return 2;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

void main(process.argv.slice(2)).then((exitCode) => {
  process.exitCode = exitCode;
});
