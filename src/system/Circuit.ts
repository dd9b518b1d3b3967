import {
  type CircuitEvent,
  type CircuitFailure,
  type CircuitState,
  type CircuitWaits,
  CLOSED,
  circuitWait,
  nextCircuit,
} from './circuitState.js';
import type { Clock, Timer } from './clock.js';
import type { Random } from './random.js';

interface CircuitOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly waits?: CircuitWaits;
  /** The circuit of a whole that this is a part of: nothing goes here that may not go there. */
  readonly within?: Circuit;
}

/** Short enough that what waits is out within seconds once the other side is back, long enough to cost nothing. */
const USUAL_WAITS: CircuitWaits = { firstMs: 1_000, longestMs: 5_000 };

/**
 * Drives `nextCircuit`: who has requests asks `mayBegin` before each, says `began` and how it ended, and is told when it may go on. No
 * timer runs while it is closed.
 */
export class Circuit {
  private state: CircuitState = CLOSED;
  private timer: Timer | undefined;
  private readonly probeListeners: (() => void)[] = [];
  private readonly recoveryListeners: (() => void)[] = [];
  private isStopped = false;

  constructor(private readonly options: CircuitOptions) {
    options.within?.onRecovery(() => this.hint());
  }

  /** Whether it, or what it is a part of, lets but one request through at a time. */
  get isOpen(): boolean {
    return this.state.name === 'open' || this.options.within?.isOpen === true;
  }

  /** How long until a request may go, in ms; 0: now. */
  waitMs(): number {
    return Math.max(
      circuitWait(this.state, this.options.clock.monotonic()),
      this.options.within?.waitMs() ?? 0,
    );
  }

  mayBegin(): boolean {
    return this.waitMs() === 0;
  }

  /** A request goes out; to be called before `mayBegin` is asked for the next one. */
  began(): void {
    this.options.within?.began();
    const { clock, random } = this.options;
    this.feed({ type: 'began', at: clock.monotonic(), chance: random() });
  }

  /** A request was taken. */
  taken(): void {
    this.options.within?.taken();
    const wasOpen = this.state.name === 'open';
    this.feed({ type: 'taken' });
    if (wasOpen) for (const listener of this.recoveryListeners) listener();
  }

  /** A request was not taken. One that this agent cut by itself shows nothing, and is not to be told. */
  failed(failure: CircuitFailure): void {
    const { clock, random } = this.options;
    this.feed({ type: 'failed', at: clock.monotonic(), chance: random(), ...failure });
  }

  /** Something else shows that the other side may be back: what waits is told, and one request may go. */
  hint(): void {
    this.feed({ type: 'hint', at: this.options.clock.monotonic() });
    if (!this.isOpen) for (const listener of this.recoveryListeners) listener();
    else if (this.mayBegin()) this.probe();
  }

  /** Calls `listener` when a request may go again while it is open. */
  onProbe(listener: () => void): void {
    this.probeListeners.push(listener);
    this.options.within?.onProbe(listener);
  }

  /** Calls `listener` when everything may go again, and at each hint while it may. */
  onRecovery(listener: () => void): void {
    this.recoveryListeners.push(listener);
  }

  /** Nobody is told any more. Idempotent. */
  stop(): void {
    this.isStopped = true;
    this.timer?.cancel();
  }

  private feed(event: CircuitEvent): void {
    const before = this.state;
    this.state = nextCircuit(before, event, this.options.waits ?? USUAL_WAITS);
    if (this.state === before) return;
    this.timer?.cancel();
    if (this.state.name === 'closed' || this.isStopped) return;
    const { clock } = this.options;
    this.timer = clock.after(circuitWait(this.state, clock.monotonic()), () => this.probe());
  }

  /** The first that has a request takes it; by turns, so that nobody's requests wait for those of another. */
  private probe(): void {
    const [first, ...others] = this.probeListeners;
    for (const listener of [...this.probeListeners]) listener();
    if (first !== undefined) this.probeListeners.splice(0, Infinity, ...others, first);
  }
}
