import { describeError } from '../errors.js';
import type { Clock, Timer } from '../system/clock.js';
import type { Outbound } from '../system/Outbound.js';
import type { Random } from '../system/random.js';
import type { DatedHeaders } from './BackendTime.js';
import { initialState, isLive, next, pollerMode, wakeAt } from './linkState.js';
import {
  describeLoss,
  type LinkEffect,
  type LinkEvent,
  type LinkRules,
  type LinkState,
  type Loss,
} from './linkTypes.js';
import { type Frame, PING_FRAME, PONG_FRAME, parseFrame } from './protocol.js';
import type { LinkView } from './view.js';
import { WebSocketClient } from './WebSocketClient.js';

/** A timer this much late means that the loop was blocked: buffered frames are read before it is believed (docs/facts.md, bug 13). */
const LATE_MS = 1_000;
/** A gap this long means that the machine slept (protocol §3). */
const SLEPT_MS = 10_000;

export type DialTarget =
  | { readonly kind: 'ready'; readonly url: string; readonly headers: Readonly<Record<string, string>> }
  | { readonly kind: 'none'; readonly reason: string };

/** The notifications of the link to the rest of the folder. Called synchronously; must not throw. */
export interface LinkPorts {
  readonly clock: Clock;
  readonly outbound: Outbound;
  readonly random: Random;
  readonly rules: () => LinkRules;
  /** Asked at each dial, so that tokens are fresh and corrected settings count. */
  readonly target: () => DialTarget;
  /** After teardown, before anything new is begun. */
  readonly onChange: (before: LinkState, after: LinkState) => void;
  readonly onFrame: (frame: Frame) => void;
  readonly onBinary: (bytes: number) => void;
  readonly onPinged: () => void;
  readonly onPonged: () => void;
  readonly onSync: (why: 'online' | 'dropped') => void;
  readonly onReregister: () => void;
  readonly onFinalFlush: (socket: boolean) => void;
  /** Whether HTTP takes the credentials that the handshake had. */
  readonly httpTakesUs?: () => boolean;
  /** Called with the backend's time in the answer to a handshake. */
  readonly onDate?: (headers: DatedHeaders) => void;
}

type Occurrence = LinkEvent extends infer E
  ? E extends LinkEvent
    ? Omit<E, 'at' | 'chance'>
    : never
  : never;

/**
 * Drives the state machine of the link. It owns at any time at most one socket and one timer; events that arrive
 * while one is being handled wait their turn, so no handler meets a half-made transition.
 */
export class Link {
  private current: LinkState;
  private rules: LinkRules;
  private socket: WebSocketClient | null = null;
  private timer: { readonly due: number; readonly wallDue: number; readonly handle: Timer } | null = null;
  private readonly queue: LinkEvent[] = [];
  private busy = false;
  private grace = false;
  private woken = false;
  private dialed = '';

  constructor(private readonly ports: LinkPorts) {
    this.rules = ports.rules();
    this.current = initialState(ports.clock.monotonic());
  }

  get state(): LinkState {
    return this.current;
  }

  /** Whether acks and events travel by the socket now. */
  get live(): boolean {
    return isLive(this.current);
  }

  /** Where the newest dial went. */
  get url(): string {
    return this.dialed;
  }

  /** Bytes that wait to leave. */
  get backlog(): number {
    return this.socket?.backlog ?? 0;
  }

  /** Writes a frame to the live socket; false if there is none. Written is not read: see the pong rule. */
  send(text: string): boolean {
    return this.live && (this.socket?.send(text) ?? false);
  }

  /** The machine woke up: judged after one turn of the loop, when buffered frames have been read. */
  wake(): void {
    if (this.current.name === 'stopped') return;
    this.woken = true;
    this.arm();
  }

  /** Takes an event; its effects are done when this returns, unless one is being handled already. */
  feed(occurrence: Occurrence): void {
    const { clock, random } = this.ports;
    this.queue.push({ ...occurrence, at: clock.monotonic(), chance: random() } as LinkEvent);
    if (this.busy) return;
    this.busy = true;
    const before = this.current;
    try {
      for (let event = this.queue.shift(); event !== undefined; event = this.queue.shift()) this.step(event);
    } finally {
      this.busy = false;
    }
    if (this.current !== before) this.arm();
  }

  private step(event: LinkEvent): void {
    const before = this.current;
    // Frames are the hot path and none of them turns on a setting: those are read at every other event.
    if (event.type !== 'frame') this.rules = this.ports.rules();
    const { state, effects } = next(before, event, this.rules);
    this.current = state;
    for (const effect of effects) if (isTeardown(effect)) this.perform(effect);
    if (state.transition !== before.transition) this.ports.onChange(before, state);
    for (const effect of effects) if (!isTeardown(effect)) this.perform(effect);
  }

  private perform(effect: LinkEffect): void {
    switch (effect.do) {
      case 'dial':
        this.dial(effect.epoch);
        break;
      case 'terminate':
        this.socket?.terminate();
        this.socket = null;
        break;
      case 'close':
        this.socket?.close();
        break;
      case 'ping':
        // Called even if the socket just closed: its loss follows, and an unanswered ping proves nothing.
        this.socket?.send(PING_FRAME);
        this.ports.onPinged();
        break;
      case 'wsPing':
        this.socket?.ping();
        break;
      case 'sync':
        this.ports.onSync(effect.why);
        break;
      case 'reregister':
        this.ports.onReregister();
        break;
      case 'lastWords':
        this.ports.onFinalFlush(effect.socket);
        break;
    }
  }

  private dial(epoch: number): void {
    const lost = (loss: Loss) => this.feed({ type: 'lost', epoch, loss: this.withContext(loss) });
    const ours = () => this.current.epoch === epoch;
    try {
      const target = this.ports.target();
      if (target.kind === 'none') {
        this.feed({ type: 'uncredentialed', epoch, reason: target.reason });
        return;
      }
      this.dialed = target.url;
      this.socket = new WebSocketClient(
        {
          url: target.url,
          headers: target.headers,
          outbound: this.ports.outbound,
          now: () => this.ports.clock.now(),
        },
        {
          opened: () => this.feed({ type: 'opened', epoch }),
          text: (text) => {
            if (ours()) this.read(text, epoch);
          },
          binary: (bytes) => {
            this.feed({ type: 'frame', epoch, pong: false });
            this.ports.onBinary(bytes);
          },
          ponged: () => this.feed({ type: 'wsPong', epoch }),
          lost,
          answeredAt: (headers) => this.ports.onDate?.(headers),
        },
      );
    } catch (error) {
      lost({ kind: 'failed', detail: describeError(error) });
    }
  }

  private withContext(loss: Loss): Loss {
    return loss.kind === 'refused' && this.ports.httpTakesUs?.() === true
      ? { ...loss, httpTakesUs: true }
      : loss;
  }

  private read(text: string, epoch: number): void {
    const frame = readFrame(text);
    if (frame.type === 'pong') this.ports.onPonged();
    this.feed({ type: 'frame', epoch, pong: frame.type === 'pong' });
    if (frame.type === 'ping') this.socket?.answerPing(PONG_FRAME);
    else if (frame.type !== 'pong') this.ports.onFrame(frame);
  }

  private arm(): void {
    const { clock } = this.ports;
    const now = clock.monotonic();
    // A link that has stopped waits for nothing, not even if the machine woke up right before.
    const due = this.woken && this.current.name !== 'stopped' ? now : wakeAt(this.current, this.rules);
    if (this.timer?.due === due) return;
    this.timer?.handle.cancel();
    this.timer = null;
    if (due === undefined) return;
    const wait = Math.max(due - now, 0);
    const handle = clock.after(wait, () => this.onTimer());
    this.timer = { due, wallDue: clock.now() + wait, handle };
  }

  private onTimer(): void {
    const fired = this.timer;
    this.timer = null;
    if (fired === null) return;
    const { clock } = this.ports;
    const late = Math.max(clock.monotonic() - fired.due, clock.now() - fired.wallDue);
    if (late > LATE_MS && !this.grace) {
      // The one timer again, one loop turn later: the data in the socket's buffer is read first.
      this.grace = true;
      if (late > SLEPT_MS) this.woken = true;
      const handle = clock.after(0, () => this.onTimer());
      this.timer = { due: clock.monotonic(), wallDue: clock.now(), handle };
      return;
    }
    this.grace = false;
    if (this.woken) {
      this.woken = false;
      this.feed({ type: 'wake' });
    }
    this.feed({ type: 'timer' });
    this.arm();
  }
}

/** A frame that causes an internal error affects only itself. */
function readFrame(text: string): Frame {
  try {
    return parseFrame(text);
  } catch (error) {
    return { type: 'malformed', reason: `it cannot be read: ${describeError(error)}` };
  }
}

function isTeardown(effect: LinkEffect): boolean {
  return effect.do === 'terminate' || effect.do === 'close';
}

const DAY_MS = 86_400_000;
/** A link that is up this long without interruption holds, ms: longer than two agents with one id let each other. */
const STEADY_MS = 90_000;
/** What last happened longer ago than this does not happen again and again, ms. */
const SERIES_LASTS_MS = 3_600_000;
/** More reconnects than this in a day are not counted exactly. */
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
