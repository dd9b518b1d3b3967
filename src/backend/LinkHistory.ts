import type { Clock } from '../system/clock.js';
import { isLive, pollerMode } from './linkState.js';
import type { LinkState } from './linkTypes.js';
import { describeLoss } from './linkTypes.js';
import type { LinkView } from './view.js';

const DAY_MS = 86_400_000;
/** More reconnects than this in a day are not told apart. */
const REMEMBERED = 5_000;

/** What the link did, in wall-clock time, for status. */
export class LinkHistory {
  private since: number;
  private downSince: number | null;
  private refusedSince: number | null = null;
  private lastPongAt: number | null = null;
  private lastDisconnect: { readonly cause: string; readonly at: number } | undefined;
  private reconnects: number[] = [];
  private wasOnline = false;

  constructor(private readonly clock: Clock) {
    this.since = clock.now();
    this.downSince = this.since;
  }

  changed(before: LinkState, after: LinkState): void {
    const now = this.clock.now();
    this.since = now;
    if (after.lastLoss && after.lastLoss !== before.lastLoss) {
      this.lastDisconnect = { cause: describeLoss(after.lastLoss), at: now };
    }
    if (isLive(after)) this.downSince = null;
    else this.downSince ??= now;
    if (after.name === 'blocked') this.refusedSince ??= now;
    else if (isLive(after) || after.name === 'waiting') this.refusedSince = null;
    if (before.name === 'proving' && after.name === 'online') {
      if (this.wasOnline) this.reconnects = [...this.recent(now), now].slice(-REMEMBERED);
      this.wasOnline = true;
    }
  }

  ponged(): void {
    this.lastPongAt = this.clock.now();
  }

  /** How long there has been no live socket, ms; 0 while there is one. */
  get downMs(): number {
    return this.downSince === null ? 0 : this.clock.now() - this.downSince;
  }

  get downFrom(): number | null {
    return this.downSince;
  }

  /** Since when the backend refuses us, retries included; null if it does not. */
  get refusedFrom(): number | null {
    return this.refusedSince;
  }

  view(state: LinkState): Omit<LinkView, 'problems'> {
    const now = this.clock.now();
    const waits = state.name === 'waiting' || state.name === 'blocked';
    return {
      state: state.name,
      isLive: isLive(state),
      since: this.since,
      attempt: state.failures,
      rttMs: 'keepalive' in state ? (state.keepalive?.rttMs ?? null) : null,
      lastPongAt: this.lastPongAt,
      reconnects24h: this.recent(now).length,
      nextAttemptAt: waits ? Math.round(now + Math.max(state.until - this.clock.monotonic(), 0)) : null,
      poller: pollerMode(state),
      ...(this.lastDisconnect ? { lastDisconnect: this.lastDisconnect } : {}),
    };
  }

  private recent(now: number): number[] {
    return this.reconnects.filter((at) => at > now - DAY_MS);
  }
}
