import { describeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import { ERROR_CODES, type ErrorCode } from '../model/errorCodes.js';
import type { StatusSnapshot } from '../model/status.js';
import { hindersTheJob } from '../operator/problemMeanings.js';
import type { Clock, Timer } from '../system/clock.js';

const LOOK_EVERY_MS = 5_000;

interface VitalWatchOptions {
  readonly snapshot: () => StatusSnapshot;
  /** Called with each checked snapshot. */
  readonly onLook: (now: StatusSnapshot) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Logs each problem of the status once when it appears and once when it is over, so that the log has every problem,
 * whether or not anyone looks at the status. By code, because the message of a problem may name a person.
 */
export class VitalWatch {
  private timer: Timer | undefined;
  private logged: ReadonlySet<ErrorCode> = new Set();

  constructor(private readonly options: VitalWatchOptions) {}

  start(): void {
    this.timer = this.options.clock.after(
      LOOK_EVERY_MS,
      () => {
        this.look();
        this.start();
      },
      'loosely',
    );
  }

  /** Idempotent. */
  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  private look(): void {
    const { log, snapshot, onLook } = this.options;
    try {
      const now = snapshot();
      const codes = new Set(now.problems.map(({ code }) => code));
      for (const code of codes) {
        if (this.logged.has(code)) continue;
        log[hindersTheJob({ code }) ? 'error' : 'warn'](`Something is wrong: ${ERROR_CODES[code]}`, { code });
      }
      for (const code of this.logged) if (!codes.has(code)) log.info('A problem is resolved', { code });
      this.logged = codes;
      onLook(now);
    } catch (error) {
      log.error('The vital signs could not be checked', { cause: describeError(error) });
    }
  }
}
