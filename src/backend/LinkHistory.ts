import type { Clock } from '../system/clock.js';
import { isLive, pollerMode } from './linkState.js';
import type { LinkState } from './linkTypes.js';
import { describeLoss } from './linkTypes.js';
import type { LinkView } from './view.js';

const DAY_MS = 86_400_000;
/** A link that is up this long without interruption holds, ms: longer than two agents with one id let each other. */
const STEADY_MS = 90_000;
/** What last happened longer ago than this does not happen again and again, ms. */
const SERIES_LASTS_MS = 3_600_000;
/** More reconnects than this in a day are not told apart. */
const REMEMBERED = 5_000;

/** Something that happens again and again. `since` is Unix ms, `lastAt` monotonic ms. */
interface Repeated {
  readonly since: number;
  readonly lastAt: number;
  readonly count: number;
}

/** What the link did, in wall-clock time, for status. */
export class LinkHistory {
  private since: number;
  private downSince: number | null;
  private refusedSince: number | null = null;
  private lastPongAt: number | null = null;
  private lastDisconnect: { readonly cause: string; readonly at: number } | undefined;
  private reconnects: number[] = [];
  private wasOnline = false;
  private onlineSince: number | null = null;
  private shortLived: Repeated | null = null;
  private takenOver: Repeated | null = null;

  constructor(private readonly clock: Clock) {
    this.since = clock.now();
    this.downSince = this.since;
  }

  /** True if the link came back by it. */
  changed(before: LinkState, after: LinkState): boolean {
    const now = this.clock.now();
    this.since = now;
    if (after.lastLoss && after.lastLoss !== before.lastLoss) {
      this.lastDisconnect = { cause: describeLoss(after.lastLoss), at: now };
    }
    if (isLive(after)) this.downSince = null;
    else this.downSince ??= now;
    if (after.name === 'blocked') this.refusedSince ??= now;
    else if (isLive(after) || after.name === 'waiting') this.refusedSince = null;
    this.noteSteadiness(before, after, now);
    if (before.name !== 'proving' || after.name !== 'online') return false;
    this.onlineSince = now;
    const cameBack = this.wasOnline;
    if (cameBack) this.reconnects = [...this.recent(now), now].slice(-REMEMBERED);
    this.wasOnline = true;
    return cameBack;
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

  /** Links that dropped soon after they opened, with none in between that held; null while there is no such series. */
  get shortLinks(): Repeated | null {
    return this.lasting(this.shortLived);
  }

  /** How often another agent took the link over (4409), with no link in between that held. */
  get takeovers(): Repeated | null {
    return this.lasting(this.takenOver);
  }

  /** When the newest pong came, Unix ms. */
  get pongedAt(): number | null {
    return this.lastPongAt;
  }

  view(state: LinkState): Omit<LinkView, 'problems' | 'seen' | 'refusedAcks'> {
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

  private noteSteadiness(before: LinkState, after: LinkState, now: number): void {
    const { lastLoss } = after;
    const isNew = lastLoss !== null && lastLoss !== before.lastLoss;
    const hasEnded = isLive(before) && !isLive(after);
    if (hasEnded && this.onlineSince !== null) {
      if (now - this.onlineSince >= STEADY_MS) {
        this.shortLived = null;
        this.takenOver = null;
      }
      // Given up by ourselves: that says nothing of the link.
      if (isNew && lastLoss.kind !== 'replaced') this.shortLived = this.again(this.shortLived, now);
      this.onlineSince = null;
    }
    if (isNew && lastLoss.kind === 'closed' && lastLoss.code === 4409)
      this.takenOver = this.again(this.takenOver, now);
  }

  private again(before: Repeated | null, now: number): Repeated {
    const lastAt = this.clock.monotonic();
    return { since: before?.since ?? now, lastAt, count: (before?.count ?? 0) + 1 };
  }

  private lasting(series: Repeated | null): Repeated | null {
    if (series === null || this.isSteady) return null;
    return this.clock.monotonic() - series.lastAt < SERIES_LASTS_MS ? series : null;
  }

  private get isSteady(): boolean {
    return this.onlineSince !== null && this.clock.now() - this.onlineSince >= STEADY_MS;
  }

  private recent(now: number): number[] {
    return this.reconnects.filter((at) => at > now - DAY_MS);
  }
}
