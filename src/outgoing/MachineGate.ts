import type { AttemptResult } from '../model/sending.js';
import type { Clock } from '../system/clock.js';
import { isMachineCode, machinePause } from '../system/failures.js';

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
