import type { AttemptResult, SendRecord } from '../model/sending.js';
import type { Clock } from '../system/clock.js';
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

/**
 * Shut while this machine cannot start an attempt at all: then one text is tried now and again instead of every
 * conversation's. Opens for good with the first attempt that gets past this machine.
 */
export class MachineGate {
  private inARow = 0;
  private shutUntil = 0;

  constructor(private readonly clock: Clock) {}

  /** How many attempts in a row this machine could not start. */
  get failures(): number {
    return this.inARow;
  }

  /** How long until the next attempt may be made, in ms; 0: now. */
  opensInMs(): number {
    return this.inARow === 0 ? 0 : Math.max(0, this.shutUntil - this.clock.monotonic());
  }

  /** An attempt ended. */
  note(result: AttemptResult): void {
    const isOurs = result.kind === 'notStarted' && isMachineCode(result.errorCode);
    this.inARow = isOurs ? this.inARow + 1 : 0;
    // Half of what the failed text waits: another conversation's text is tried in between, so that one text alone,
    // whatever is wrong with it, holds up nobody else.
    if (isOurs) this.shutUntil = this.clock.monotonic() + machinePause(this.inARow) / 2;
  }
}
