import type { Clock, Timer } from './clock.js';
import type { Random } from './random.js';

/** Whether those on the other side may be asked, by how they answered last. Times are monotonic ms. */
export type CircuitState =
  | {
      readonly name: 'closed';
      /** Failures in a row, and those at its end that cannot have been read. */
      readonly failures: number;
      readonly unread: number;
      /** Whom they were of, two at most: one alone may be at fault itself. */
      readonly sources: readonly string[];
    }
  | {
      readonly name: 'open';
      readonly probes: number;
      readonly probedAt: number;
      /** When one more request may go, to see how it fares. */
      readonly probeAt: number;
    };

export type CircuitEvent =
  /** A request is sent. `chance` is in [0, 1). */
  | { readonly type: 'began'; readonly at: number; readonly chance: number }
  /** One was taken, whatever the answer said. */
  | { readonly type: 'taken' }
  | ({ readonly type: 'failed'; readonly at: number; readonly chance: number } & CircuitFailure)
  /** Something else shows that the other side may be back. */
  | { readonly type: 'hint'; readonly at: number };

/** A request that was not taken. */
interface CircuitFailure {
  /** Whom or what it was of. */
  readonly source: string;
  /** No connection was there to carry it: what was asked cannot be at fault. */
  readonly isUnread: boolean;
  /** How long the other side asked to be left alone. */
  readonly retryAfterMs?: number | undefined;
}

/** Between two probes: doubling from the first to the longest, ± a quarter. */
interface CircuitWaits {
  readonly firstMs: number;
  readonly longestMs: number;
}

/** So many in a row that had no connection. */
const UNREAD_PROVE = 2;
/** So many failures in a row of whatever kind, of two sources at least: more than chance lets fail of a side that works. */
const FAILURES_PROVE = 8;
const SOURCES_PROVE = 2;
const LEAST_BETWEEN_MS = 1_000;
/** A timer may fire up to 1 ms early. */
const TIMER_TOLERANCE_MS = 1;

export const CLOSED: CircuitState = { name: 'closed', failures: 0, unread: 0, sources: [] };

/**
 * The state after `event`. Open after eight failures in a row of more than one source, or two without a connection; then one
 * request may go at a time, more and more seldom; the first that is taken closes it. One source that fails while others are taken
 * opens nothing. Pure; the same state object where nothing changes.
 */
export function nextCircuit(state: CircuitState, event: CircuitEvent, waits: CircuitWaits): CircuitState {
  switch (event.type) {
    case 'taken':
      return state.name === 'closed' && state.failures === 0 ? state : CLOSED;
    case 'failed':
      return state.name === 'closed' ? failedClosed(state, event, waits) : failedOpen(state, event);
    case 'began':
      if (state.name === 'closed') return state;
      return {
        name: 'open',
        probes: state.probes + 1,
        probedAt: event.at,
        probeAt: Math.max(state.probeAt, event.at + probeWait(state.probes + 1, event.chance, waits)),
      };
    case 'hint': {
      if (state.name === 'closed') return state;
      const probeAt = Math.min(state.probeAt, Math.max(event.at, state.probedAt + LEAST_BETWEEN_MS));
      return probeAt === state.probeAt ? state : { ...state, probeAt };
    }
  }
}

/** How long until a request may go, in ms; 0: now. */
export function circuitWait(state: CircuitState, at: number): number {
  const wait = state.name === 'closed' ? 0 : state.probeAt - at;
  return wait <= TIMER_TOLERANCE_MS ? 0 : wait;
}

function failedClosed(
  state: CircuitState & { name: 'closed' },
  { at, chance, source, isUnread, retryAfterMs }: CircuitEvent & { type: 'failed' },
  waits: CircuitWaits,
): CircuitState {
  const failures = state.failures + 1;
  const unread = isUnread ? state.unread + 1 : 0;
  const isNew = state.sources.length < SOURCES_PROVE && !state.sources.includes(source);
  const sources = isNew ? [...state.sources, source] : state.sources;
  const isProven = unread >= UNREAD_PROVE || (failures >= FAILURES_PROVE && sources.length >= SOURCES_PROVE);
  if (!isProven) return { name: 'closed', failures, unread, sources };
  const probeAt = at + Math.max(retryAfterMs ?? 0, probeWait(0, chance, waits));
  return { name: 'open', probes: 0, probedAt: at, probeAt };
}

function failedOpen(
  state: CircuitState & { name: 'open' },
  { at, retryAfterMs }: CircuitEvent & { type: 'failed' },
): CircuitState {
  const asked = at + (retryAfterMs ?? 0);
  return asked <= state.probeAt ? state : { ...state, probeAt: asked };
}

function probeWait(probes: number, chance: number, { firstMs, longestMs }: CircuitWaits): number {
  return Math.min(firstMs * 2 ** Math.min(probes, 20), longestMs) * (0.75 + chance / 2);
}

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
 * Drives `nextCircuit`: a caller asks `mayBegin` before each request, reports `began` and its result, and is notified
 * when it may continue. No timer runs while it is closed.
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

  /** A request is sent; to be called before `mayBegin` is asked for the next one. */
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

  /** A request was not accepted. One that this agent cut itself shows nothing, and must not be reported. */
  failed(failure: CircuitFailure): void {
    const { clock, random } = this.options;
    this.feed({ type: 'failed', at: clock.monotonic(), chance: random(), ...failure });
  }

  /** Something else shows that the other side may be back: waiting callers are notified, and one request may be sent. */
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

  /** No one is notified any more. Idempotent. */
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

  /** The first caller with a request takes it; by turns, so that no caller waits for another's requests. */
  private probe(): void {
    const [first, ...others] = this.probeListeners;
    for (const listener of [...this.probeListeners]) listener();
    if (first !== undefined) this.probeListeners.splice(0, Infinity, ...others, first);
  }
}
