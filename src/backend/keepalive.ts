import type { KeepaliveState, LinkEffect, LinkRules } from './linkTypes.js';

/** What a look at the keepalive's clocks found. */
type Beat =
  | { readonly kind: 'well'; readonly keepalive: KeepaliveState; readonly effects: readonly LinkEffect[] }
  /** Dead unless a frame comes before `until`. */
  | {
      readonly kind: 'doubtful';
      readonly keepalive: KeepaliveState;
      readonly effects: readonly LinkEffect[];
      readonly until: number;
    };

/** A socket just opened: both kinds of ping leave at once. */
export function freshKeepalive(at: number, rules: LinkRules): KeepaliveState {
  return {
    openedAt: at,
    ping: { sentAt: at, alive: false },
    nextPingAt: at + rules.pingIntervalMs,
    wsPingAt: at,
    nextWsPingAt: at + rules.wsPingIntervalMs,
    wsPings: 'untried',
    hadPong: false,
    rttMs: null,
  };
}

/** A data frame came. The same keepalive is returned when that changes nothing: the hot path allocates nothing. */
export function frameReceived(keepalive: KeepaliveState, at: number, pong: boolean): KeepaliveState {
  // A frame is better evidence, so the answer to a WebSocket-level ping is no longer needed; except for the first,
  // whose answer shows whether to send more.
  const wsPingAt = keepalive.wsPings === 'answered' ? null : keepalive.wsPingAt;
  if (pong) {
    const rttMs = keepalive.ping ? at - keepalive.ping.sentAt : keepalive.rttMs;
    return {
      ...keepalive,
      ping: null,
      wsPingAt,
      hadPong: true,
      rttMs,
    };
  }
  if (wsPingAt === keepalive.wsPingAt && (keepalive.ping === null || keepalive.ping.alive)) return keepalive;
  return { ...keepalive, ping: keepalive.ping && { ...keepalive.ping, alive: true }, wsPingAt };
}

/** A WebSocket-level pong came: the transport lives, which says nothing of the application behind it. */
export function transportAnswered(keepalive: KeepaliveState): KeepaliveState {
  return { ...keepalive, wsPingAt: null, wsPings: 'answered' };
}

/** The instant at which the keepalive must be looked at next. */
export function nextBeatAt(keepalive: KeepaliveState, rules: LinkRules): number {
  const json = keepalive.ping
    ? keepalive.ping.sentAt + jsonDoubtMs(keepalive.ping.alive, rules)
    : keepalive.nextPingAt;
  const ws =
    keepalive.wsPingAt === null ? keepalive.nextWsPingAt : keepalive.wsPingAt + rules.wsPongTimeoutMs;
  return keepalive.wsPings === 'never' ? json : Math.min(json, ws);
}

/** Does what the keepalive's clocks say at `at`: pings that are due, doubts, a ping given up on. */
export function beat(before: KeepaliveState, epoch: number, at: number, rules: LinkRules): Beat {
  let keepalive = before;
  const effects: LinkEffect[] = [];
  let doubtUntil: number | null = null;
  if (keepalive.ping && at >= keepalive.ping.sentAt + jsonDoubtMs(keepalive.ping.alive, rules)) {
    // Frames came but no pong: alive. The ping is given up, so that the next one may leave.
    if (keepalive.ping.alive) keepalive = { ...keepalive, ping: null };
    else doubtUntil = keepalive.ping.sentAt + rules.pongTimeoutMs;
  }
  if (keepalive.wsPingAt !== null && at >= keepalive.wsPingAt + rules.wsPongTimeoutMs) {
    if (keepalive.wsPings === 'answered') doubtUntil ??= at + rules.suspicionMs;
    else keepalive = { ...keepalive, wsPings: 'never' };
    keepalive = { ...keepalive, wsPingAt: null };
  }
  if (keepalive.ping === null && (doubtUntil !== null || at >= keepalive.nextPingAt)) {
    keepalive = pinged(keepalive, at, rules);
    effects.push({ do: 'ping', epoch });
  }
  if (doubtUntil !== null) return { kind: 'doubtful', keepalive, effects, until: doubtUntil };
  if (keepalive.wsPings !== 'never' && keepalive.wsPingAt === null && at >= keepalive.nextWsPingAt) {
    keepalive = { ...keepalive, wsPingAt: at, nextWsPingAt: at + rules.wsPingIntervalMs };
    effects.push({ do: 'wsPing', epoch });
  }
  return { kind: 'well', keepalive, effects };
}

/** A JSON ping leaves now. */
export function pinged(keepalive: KeepaliveState, at: number, rules: LinkRules): KeepaliveState {
  return { ...keepalive, ping: { sentAt: at, alive: false }, nextPingAt: at + rules.pingIntervalMs };
}

/** Whether the link was stable enough to restart at the first backoff step. */
export function wasStable(keepalive: KeepaliveState, at: number, rules: LinkRules): boolean {
  return keepalive.hadPong && at - keepalive.openedAt >= rules.stableMs;
}

function jsonDoubtMs(alive: boolean, rules: LinkRules): number {
  return alive ? rules.pongTimeoutMs : Math.max(rules.pongTimeoutMs - rules.suspicionMs, 0);
}
