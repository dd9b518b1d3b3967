import type { Logger } from '../logging/Logger.js';
import type { Problem } from '../model/problem.js';
import type { Clock, Timer } from '../system/clock.js';
import { Canary, type CanaryEnd, type CanaryPort } from './Canary.js';

/** Why messages are believed not to arrive, and for how many minutes chat.db has been silent. */
export interface Stall {
  readonly cause: 'no_rows' | 'canary_not_sent' | 'canary_not_received';
  readonly minutes: number;
}

interface InboundWatchOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** The highest ROWID of chat.db; null while it cannot be read. */
  readonly highestRow: () => number | null;
  /** Whether the backend is reachable: otherwise nothing can be reported, and Messages often has no network either. */
  readonly linkUp: () => boolean;
  /** 0: off. Read at each use. */
  readonly settings: () => { readonly stallMs: number; readonly canaryMs: number };
  readonly canary: CanaryPort;
  /** Called once for each stall. */
  readonly onStall: (stall: Stall) => void;
  /** Tries to wake Messages. */
  readonly nudge: () => void;
}

const CHECK_EVERY_MS = 60_000;
const LEAST_CHECK_MS = 1_000;
/** A send waits for its turn, for Messages and for Apple's servers; a push that takes longer is the stall we look for. */
const CANARY_PATIENCE_MS = 3 * 60_000;
const CAUSES: Readonly<Record<Exclude<CanaryEnd, 'alive'>, Stall['cause']>> = {
  notSent: 'canary_not_sent',
  notReceived: 'canary_not_received',
};

/**
 * Detects that Messages has stopped receiving while everything looks healthy. It causes a notice, an event and a nudge;
 * silence alone proves nothing, so only a lost canary is a fault too. A stall is reported once, and again when a canary
 * proves it; it ends with the next row.
 */
export class InboundWatch {
  private readonly canary: Canary;
  private timer: Timer | undefined;
  private newest: number | null = null;
  private movedAt = 0;
  private nudgedAt = 0;
  private flownAt = Number.NEGATIVE_INFINITY;
  private stalled: { readonly cause: Stall['cause']; readonly since: number } | undefined;

  constructor(private readonly options: InboundWatchOptions) {
    const { canary, clock, settings } = options;
    const patience = () => Math.min(CANARY_PATIENCE_MS, settings().canaryMs || CANARY_PATIENCE_MS);
    this.canary = new Canary(canary, clock, patience);
  }

  start(): void {
    this.reset();
    this.looked();
    this.checkLater();
  }

  /** Idempotent. */
  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  /** To be called after each look at chat.db; some microseconds, more only while a canary is on its way. */
  looked(): void {
    const newest = this.options.highestRow();
    // An unreadable chat.db is another fault, reported elsewhere; silence is counted from when it can be read again.
    if (newest === null || this.newest === null) this.reset();
    const hasMoved = newest !== null && this.newest !== null && newest !== this.newest;
    this.newest = newest;
    if (!hasMoved) return;
    this.reset();
    if (this.canary.isFlying) this.judgeCanary();
    // A row of ours proves that Messages sends, not that anything comes.
    else if (this.stalled?.cause !== 'canary_not_received') this.recovered();
  }

  /** A message from a person was read. */
  arrived(): void {
    this.recovered();
  }

  /** The Mac slept: that nothing arrived meanwhile means nothing. */
  woke(): void {
    this.reset();
  }

  fault(): Problem<number, 'inbound_stalled'> | undefined {
    if (this.stalled === undefined || this.stalled.cause === 'no_rows') return undefined;
    const { cause, since } = this.stalled;
    const what = cause === 'canary_not_sent' ? 'was never sent' : 'was sent and did not come back';
    return {
      code: 'inbound_stalled',
      since,
      message: `Messages seems to have stopped receiving: a text to our own number ${what}.`,
      remedy: 'Check on the Mac that Messages is signed in and online; quit it and open it again.',
    };
  }

  private reset(): void {
    this.movedAt = this.options.clock.monotonic();
    this.nudgedAt = this.movedAt;
  }

  private checkLater(): void {
    this.timer = this.options.clock.after(this.checkEveryMs(), () => {
      this.check();
      this.checkLater();
    });
  }

  /** As often as the shortest limit wants it. */
  private checkEveryMs(): number {
    const { stallMs, canaryMs } = this.options.settings();
    const limits = [stallMs, canaryMs].filter((ms) => ms > 0);
    return Math.max(LEAST_CHECK_MS, Math.min(CHECK_EVERY_MS, ...limits));
  }

  private check(): void {
    const { clock, linkUp, settings } = this.options;
    this.judgeCanary();
    if (this.newest === null || !linkUp()) return;
    const now = clock.monotonic();
    const { stallMs, canaryMs } = settings();
    if (canaryMs > 0 && now - this.movedAt >= canaryMs && now - this.flownAt >= canaryMs) {
      this.flownAt = now;
      this.canary.fly(this.newest);
    }
    if (stallMs > 0 && now - this.movedAt >= stallMs) this.suspect('no_rows', stallMs);
  }

  private judgeCanary(): void {
    const end = this.canary.look();
    if (end === undefined) return;
    if (end === 'alive') this.recovered();
    else this.suspect(CAUSES[end], 0);
  }

  private recovered(): void {
    if (this.stalled !== undefined) this.options.log.info('Messages writes to chat.db again');
    this.stalled = undefined;
  }

  /** `everyMs`: no second nudge within that time. */
  private suspect(cause: Stall['cause'], everyMs: number): void {
    const { clock, log, onStall, nudge } = this.options;
    const now = clock.monotonic();
    const minutes = Math.floor((now - this.movedAt) / 60_000);
    const isProof = cause !== 'no_rows' && this.stalled?.cause === 'no_rows';
    if (this.stalled === undefined || isProof) {
      this.stalled = { cause, since: this.stalled?.since ?? clock.now() };
      log.warn('No messages seem to arrive on this Mac; nudging Messages', { cause, minutes });
      onStall({ cause, minutes });
    }
    if (now - this.nudgedAt < everyMs) return;
    this.nudgedAt = now;
    nudge();
  }
}
