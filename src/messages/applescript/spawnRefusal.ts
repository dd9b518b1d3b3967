import { describeError } from '../../errors.js';
import { ERROR_CODES, type ErrorCode } from '../../model/errorCodes.js';
import { exhaustion, type MachineFault, ownFileFault, systemCode } from '../../system/failures.js';
import { notStarted } from './judgeExit.js';
import type { NotStarted } from './sendResult.js';

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
  if (code === 'EEXIST') return refusal('internal', 'never', error, 'Each attempt needs a tag of its own.');
  const fault = ownFileFault(error);
  if (fault !== undefined) return kept(fault, error);
  return refusal('state_unwritable', 'later', error, 'See that the state directory belongs to this user.');
}

/** A fault of this machine: the text is kept until it is gone. */
function kept({ code, message, remedy }: MachineFault, error: unknown): NotStarted {
  return notStarted({ reason: code, retry: 'later', message, remedy, detail: describeError(error) });
}

function refusal(reason: ErrorCode, retry: NotStarted['retry'], error: unknown, remedy: string): NotStarted {
  return notStarted({ reason, retry, message: ERROR_CODES[reason], remedy, detail: describeError(error) });
}
