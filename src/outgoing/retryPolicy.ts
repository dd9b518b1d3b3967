import type { AttemptResult, SendRecord } from '../model/sending.js';
import { isMachineCode, machinePause } from '../system/failures.js';

const MOST_ATTEMPTS = 3;
const BACKOFF_MS = [2_000, 8_000];

type Retry = { kind: 'retry'; form: number; attempts: number; delayMs: number } | { kind: 'final' };

/**
 * Whether a text that provably did not start is tried again: at once with the next target form, or with the best
 * form after a pause, three times in all. Where this machine is at fault it is kept: tried again until that is over, and
 * no attempt counts. `machineFailures`: how many attempts in a row have failed by this machine, this one included.
 * Nothing else is ever tried again.
 */
export function retryOf(
  send: Pick<SendRecord, 'form' | 'attempts'>,
  result: Extract<AttemptResult, { kind: 'notStarted' }>,
  formCount: number,
  machineFailures = 1,
): Retry {
  if (isMachineCode(result.errorCode)) {
    const delayMs = machinePause(machineFailures);
    return { kind: 'retry', form: send.form, attempts: send.attempts, delayMs };
  }
  if (result.retry === 'fallback' && send.form + 1 < formCount) {
    return { kind: 'retry', form: send.form + 1, attempts: send.attempts, delayMs: 0 };
  }
  const attempts = send.attempts + 1;
  const delayMs = BACKOFF_MS[attempts - 1];
  if (result.retry !== 'later' || attempts >= MOST_ATTEMPTS || delayMs === undefined)
    return { kind: 'final' };
  return { kind: 'retry', form: 0, attempts, delayMs };
}
