import type { ErrorCode } from '../../model/errorCodes.js';
import type { FailureOwner } from '../../system/failures.js';
import type { RetryPolicy, UnknownReason } from './sendResult.js';

/**
 * What an error number shows about whether the text was sent. `lookup`: nothing was sent if the marker is absent;
 * otherwise unknown. `refused`: nothing was sent, with or without the marker. An UnknownReason: unknown, with or
 * without the marker; like `lookup` on a Mac that has proven that the marker is written immediately.
 */
type Proof = 'lookup' | 'refused' | Extract<UnknownReason, 'ae_timeout' | 'connection_lost'>;

/** One row of the table below: what the number means, proves, allows, and what a person can do. */
export interface AppleScriptFault {
  /** Whose fault it is. A fault of this machine is tried again until it is gone (see OWNER_RULES). */
  readonly owner: FailureOwner;
  readonly meaning: string;
  readonly proves: Proof;
  readonly retry: RetryPolicy;
  readonly reason: ErrorCode;
  readonly remedy: string;
}

const OPEN_MESSAGES = 'Open Messages on the Mac, check that it is signed in, and keep it running.';
const ANSWER_DIALOG =
  'Click OK in the dialog on the screen of this Mac; if there is none, run edge-agent doctor, which shows it.';
/** Where macOS refuses without ever having asked, there is nothing to switch on. */
export const ALLOW_AUTOMATION =
  'System Settings → Privacy & Security → Automation: switch Messages on below the agent (Edge Agent, if installed so). Not listed there: macOS refuses without asking; see runtime-signature of edge-agent doctor, and run edge-agent install.';
const LOG_IN = 'Log in at the screen of the Mac: Messages can only start in a desktop session.';
const CHECK_TARGET = 'Check in Messages that the conversation or address exists on this account.';
const ENABLE_SMS = 'Check that an account for this service is set up (SMS needs Text Message Forwarding).';
const REPORT = 'Please report this with the macOS version.';
const MAKE_ROOM = 'Free what this Mac has run out of; the agent recovers on its own.';
const NONE = '';

function fault(
  owner: FailureOwner,
  meaning: string,
  proves: Proof,
  retry: RetryPolicy,
  reason: ErrorCode,
  remedy: string,
): AppleScriptFault {
  return { owner, meaning, proves, retry, reason, remedy };
}

/**
 * AppleScript's error numbers as they are met when sending with Messages. Numbers are used because the
 * words are translated. Sources: Apple's AppleScript Language Guide (error numbers), MacErrors.h, and what
 * other senders' users reported for Messages on macOS 11 to 26.
 */
export const APPLESCRIPT_FAULTS: ReadonlyMap<number, AppleScriptFault> = new Map([
  [
    -1743,
    fault(
      'messages',
      'macOS does not let this program control Messages',
      'refused',
      'never',
      'automation_denied',
      ALLOW_AUTOMATION,
    ),
  ],
  [
    -1744,
    fault(
      'machine',
      'macOS asks a person to allow control of Messages',
      'lookup',
      'later',
      'automation_pending',
      ANSWER_DIALOG,
    ),
  ],
  [
    -1728,
    fault(
      'recipient',
      'Messages has no such chat, account or participant',
      'refused',
      'fallback',
      'send_refused',
      CHECK_TARGET,
    ),
  ],
  [
    -1719,
    fault(
      'recipient',
      'Messages has no account for this service',
      'refused',
      'fallback',
      'send_refused',
      ENABLE_SMS,
    ),
  ],
  [
    -1700,
    fault(
      'recipient',
      'Messages cannot use this kind of target or file',
      'lookup',
      'fallback',
      'send_refused',
      REPORT,
    ),
  ],
  [
    -10004,
    fault(
      'recipient',
      'Messages refused this form of the target',
      'refused',
      'fallback',
      'send_refused',
      CHECK_TARGET,
    ),
  ],
  [
    1,
    fault(
      'recipient',
      'Messages refused: not a member of this chat',
      'refused',
      'never',
      'send_refused',
      CHECK_TARGET,
    ),
  ],
  [
    -1712,
    fault(
      'messages',
      'Messages did not answer in time',
      'ae_timeout',
      'later',
      'messages_unavailable',
      OPEN_MESSAGES,
    ),
  ],
  [
    -609,
    fault(
      'messages',
      'Messages quit during the request',
      'connection_lost',
      'later',
      'messages_unavailable',
      OPEN_MESSAGES,
    ),
  ],
  [
    -600,
    fault('messages', 'Messages is not running', 'lookup', 'later', 'messages_unavailable', OPEN_MESSAGES),
  ],
  [
    -10810,
    fault('messages', 'macOS could not start Messages', 'lookup', 'later', 'messages_unavailable', LOG_IN),
  ],
  [
    -10827,
    fault('messages', 'macOS could not start Messages', 'lookup', 'later', 'messages_unavailable', LOG_IN),
  ],
  [
    -10661,
    fault('messages', 'macOS could not start Messages', 'lookup', 'later', 'messages_unavailable', LOG_IN),
  ],
  [
    -1708,
    fault(
      'messages',
      'Messages does not support this request',
      'lookup',
      'later',
      'send_refused',
      OPEN_MESSAGES,
    ),
  ],
  [
    -10000,
    fault(
      'messages',
      'Messages failed to handle the request',
      'lookup',
      'later',
      'send_refused',
      OPEN_MESSAGES,
    ),
  ],
  [
    -1701,
    fault('messages', 'Messages missed a part of the request', 'lookup', 'later', 'send_refused', REPORT),
  ],
  [-43, fault('text', 'The file to send does not exist', 'lookup', 'never', 'send_refused', NONE)],
  [-2700, fault('messages', 'The script failed', 'lookup', 'later', 'send_refused', REPORT)],
  [
    -2740,
    fault(
      'messages',
      'This macOS does not understand the script',
      'lookup',
      'fallback',
      'send_refused',
      REPORT,
    ),
  ],
  [
    -2741,
    fault(
      'messages',
      'This macOS does not understand the script',
      'lookup',
      'fallback',
      'send_refused',
      REPORT,
    ),
  ],
  [
    -2753,
    fault(
      'messages',
      'This macOS does not support a term of the script',
      'lookup',
      'fallback',
      'send_refused',
      REPORT,
    ),
  ],
  [
    1002,
    fault(
      'messages',
      'macOS does not allow keystrokes to be sent',
      'lookup',
      'later',
      'send_refused',
      OPEN_MESSAGES,
    ),
  ],
  [
    -128,
    fault('messages', 'A dialog of Messages was cancelled', 'lookup', 'later', 'send_refused', OPEN_MESSAGES),
  ],
  [-34, fault('machine', 'The disk is full', 'lookup', 'later', 'disk_full', MAKE_ROOM)],
  [
    -42,
    fault('machine', 'The system cannot open any more files', 'lookup', 'later', 'too_many_files', MAKE_ROOM),
  ],
  [-108, fault('machine', 'There is no memory left', 'lookup', 'later', 'machine_exhausted', MAKE_ROOM)],
]);

/** For a number that the table does not have, or none at all. */
export const OTHER_FAULT: AppleScriptFault = fault(
  'messages',
  'osascript failed',
  'lookup',
  'later',
  'send_refused',
  OPEN_MESSAGES,
);

/**
 * The error number in what osascript printed: the `(-1728)` at the end of the last line that ends so, or
 * null. Everything else in the output is translated, or quotes what we sent.
 */
export function errorNumber(output: string): number | null {
  for (const line of output.split('\n').toReversed()) {
    const digits = /\((-?\d{1,6})\)\s*$/.exec(line)?.[1];
    if (digits !== undefined) return Number(digits);
  }
  return null;
}
