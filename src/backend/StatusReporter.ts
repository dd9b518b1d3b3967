import { describeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import type { Clock, Timer } from '../system/clock.js';
import { statusFrame } from './protocol.js';

interface StatusPorts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly snapshot: () => Record<string, unknown>;
  readonly send: (text: string) => boolean;
  readonly everyMs: number;
}

/** Sends the status snapshot on each connect, then at its interval, and once more when asked at the end. */
export class StatusReporter {
  private timer: Timer | null = null;

  constructor(private readonly ports: StatusPorts) {}

  start(): void {
    this.stop();
    this.send();
    this.timer = this.ports.clock.after(this.ports.everyMs, () => this.start());
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = null;
  }

  /** Never throws: a snapshot that cannot be made is logged. */
  send(): void {
    const { clock, log, snapshot, send } = this.ports;
    try {
      send(statusFrame(snapshot(), clock.now()));
    } catch (error) {
      log.error('The status could not be sent', { cause: describeError(error) });
    }
  }
}
