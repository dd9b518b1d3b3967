import { describeError, EdgeError, ERROR_CODES, type ErrorCode } from '../../errors.js';
import { notStarted } from './judgeExit.js';
import type { NotStarted } from './sendResult.js';

const NO_ROOM = ['ENOSPC', 'EDQUOT'];
const CHECK_PATH = 'Set imessage.osascript_path to a program that this user may run (/usr/bin/osascript).';

/** What it means that osascript could not be spawned. Nothing was sent. */
export function spawnRefusal(error: unknown): NotStarted {
  // One argument may not be longer than 128 KiB on Linux, nor all together than 1 MiB on macOS.
  if (systemCode(error) === 'E2BIG') {
    return refusal('text_too_long', 'never', error, 'Send it in pieces.');
  }
  return refusal('osascript_missing', 'later', error, CHECK_PATH);
}

/** What it means that the files of an attempt could not be opened before it was spawned. Nothing was sent. */
export function fileRefusal(error: unknown): NotStarted {
  const code = systemCode(error);
  if (code === 'EEXIST') return refusal('internal', 'never', error, 'Each attempt needs a tag of its own.');
  if (code !== undefined && NO_ROOM.includes(code)) return refusal('disk_full', 'later', error, 'Make room.');
  return refusal('state_unwritable', 'later', error, 'See that the state directory belongs to this user.');
}

function refusal(reason: ErrorCode, retry: NotStarted['retry'], error: unknown, remedy: string): NotStarted {
  return notStarted({ reason, retry, message: ERROR_CODES[reason], remedy, detail: describeError(error) });
}

/** The system's word for what failed, also when it is the cause of an error of ours. */
function systemCode(error: unknown): string | undefined {
  if (error instanceof EdgeError) return systemCode(error.cause);
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
