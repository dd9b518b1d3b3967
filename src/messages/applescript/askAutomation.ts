import type { AutomationAnswered } from '../../model/operatorApi.js';
import type { Clock } from '../../system/clock.js';
import { runProgram } from '../../system/runProgram.js';

export type AutomationAnswer = AutomationAnswered['permission'];

interface AskOptions {
  readonly osascriptPath: string;
  /** Without our secrets. */
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  /** Ends the question. */
  readonly signal?: AbortSignal;
}

const MESSAGES = 'com.apple.MobileSMS';

/**
 * Asks macOS for the permission and sends no event. Argument 1 is the bundle id of the program to be controlled; with `ask` as
 * argument 2 macOS raises its dialog where nobody has decided yet, and answers once somebody has. It judges the program that is
 * responsible for osascript, which is ours: Apple, AEDeterminePermissionToAutomateTarget. 0x2a2a2a2a stands for any event.
 */
const QUESTION = `ObjC.import('Foundation');
ObjC.import('CoreServices');
ObjC.bindFunction('AEDeterminePermissionToAutomateTarget', ['int', ['void *', 'unsigned int', 'unsigned int', 'bool']]);
function run(argv) {
  const target = $.NSAppleEventDescriptor.descriptorWithBundleIdentifier(argv[0]);
  return String($.AEDeterminePermissionToAutomateTarget(target.aeDesc, 0x2a2a2a2a, 0x2a2a2a2a, argv[1] === 'ask'));
}`;

/** MacErrors.h: procNotFound, errAEEventNotPermitted, errAEEventWouldRequireUserConsent. */
const ANSWERS: Readonly<Record<string, AutomationAnswer>> = {
  '0': 'granted',
  '-1743': 'denied',
  '-1744': 'undecided',
  '-600': 'not_running',
};

const PATIENCE_MS = 5_000;
/** A dialog may wait for a person for days. */
const DIALOG_MS = 7 * 24 * 3_600_000;

/** Asks without raising a dialog. Ends within 5 s; never rejects. */
export function askAutomation(options: AskOptions): Promise<AutomationAnswer> {
  return ask(options, 'silent', PATIENCE_MS);
}

/** Has macOS raise its dialog, where nobody has decided yet; resolves when somebody has. Never rejects. */
export function raiseAutomation(options: AskOptions): Promise<AutomationAnswer> {
  return ask(options, 'ask', DIALOG_MS);
}

async function ask(
  { osascriptPath, ...options }: AskOptions,
  how: 'silent' | 'ask',
  timeoutMs: number,
): Promise<AutomationAnswer> {
  const end = await runProgram(osascriptPath, ['-l', 'JavaScript', '-e', QUESTION, MESSAGES, how], {
    ...options,
    timeoutMs,
  });
  return (end.kind === 'ended' && end.code === 0 && ANSWERS[end.stdout.trim()]) || 'unknown';
}
