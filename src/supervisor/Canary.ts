import type { Clock } from '../system/clock.js';
import { randomHex } from '../system/random.js';

/** What chat.db shows of a text to our own address: the sent row, and the received one. */
interface CanaryRows {
  readonly sent: boolean;
  readonly received: boolean;
}

export interface CanaryPort {
  /** Queues the text to our own number; false if that cannot be stored now. */
  send(text: string): boolean;
  /** Looks for its rows above that ROWID. */
  rows(text: string, afterRow: number): CanaryRows;
  /** Whether this Mac was ever seen to write the row that comes back; durable. */
  echoKnown(): boolean;
  rememberEcho(): void;
}

/** `notSent`: no row at all. `notReceived`: it was sent and did not come back, as it has done before on this Mac. */
export type CanaryEnd = 'alive' | 'notSent' | 'notReceived';

interface Flight {
  readonly text: string;
  readonly afterRow: number;
  readonly since: number;
  sent: boolean;
}

/**
 * A text to our own address, to check whether Messages still receives: a Mac can look healthy and receive nothing
 * (BlueBubbles #750, #779). The received row is required only once it has been seen, because not every macOS writes it.
 */
export class Canary {
  private flight: Flight | undefined;

  constructor(
    private readonly port: CanaryPort,
    private readonly clock: Clock,
    /** How long one is waited for, in ms. Read at each look. */
    private readonly patienceMs: () => number,
  ) {}

  get isFlying(): boolean {
    return this.flight !== undefined;
  }

  /** Sends one, unless one is on its way. `afterRow` is the newest row now. */
  fly(afterRow: number): void {
    if (this.flight !== undefined) return;
    const text = `edge-agent canary ${randomHex(4)}`;
    if (!this.port.send(text)) return;
    this.flight = { text, afterRow, since: this.clock.monotonic(), sent: false };
  }

  /** How the one on its way ended; undefined if none is, or it is still awaited. */
  look(): CanaryEnd | undefined {
    const { flight, port } = this;
    if (flight === undefined) return undefined;
    const rows = port.rows(flight.text, flight.afterRow);
    flight.sent ||= rows.sent;
    if (rows.received) {
      if (!port.echoKnown()) port.rememberEcho();
      return this.end('alive');
    }
    if (this.clock.monotonic() - flight.since < this.patienceMs()) return undefined;
    if (!flight.sent) return this.end('notSent');
    return this.end(port.echoKnown() ? 'notReceived' : 'alive');
  }

  private end(end: CanaryEnd): CanaryEnd {
    this.flight = undefined;
    return end;
  }
}
