import type { Heart, LinkEffect, LinkRules } from './linkTypes.js';

/** What a look at the heart's clocks found. */
export type Beat =
  | { readonly kind: 'well'; readonly heart: Heart; readonly effects: readonly LinkEffect[] }
  /** Dead unless a frame comes before `until`. */
  | {
      readonly kind: 'doubtful';
      readonly heart: Heart;
      readonly effects: readonly LinkEffect[];
      readonly until: number;
    };

/** A socket just opened: both kinds of ping leave at once. */
export function freshHeart(at: number, rules: LinkRules): Heart {
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

/** A data frame came. The same heart is returned when that changes nothing: the hot path allocates nothing. */
export function heard(heart: Heart, at: number, pong: boolean): Heart {
  // A frame is the better proof of life, so a WebSocket-level ping need not be waited for any more; unless it is the
  // first, whose answer tells whether there is any point in sending more.
  const wsPingAt = heart.wsPings === 'answered' ? null : heart.wsPingAt;
  if (pong) {
    const rttMs = heart.ping ? at - heart.ping.sentAt : heart.rttMs;
    return { ...heart, ping: null, wsPingAt, hadPong: heart.hadPong || heart.ping !== null, rttMs };
  }
  if (wsPingAt === heart.wsPingAt && (heart.ping === null || heart.ping.alive)) return heart;
  return { ...heart, ping: heart.ping && { ...heart.ping, alive: true }, wsPingAt };
}

/** A WebSocket-level pong came: the transport lives, which says nothing of the application behind it. */
export function transportAnswered(heart: Heart): Heart {
  return { ...heart, wsPingAt: null, wsPings: 'answered' };
}

/** The instant at which the heart must be looked at next. */
export function nextBeatAt(heart: Heart, rules: LinkRules): number {
  const json = heart.ping ? heart.ping.sentAt + jsonDoubtMs(heart.ping.alive, rules) : heart.nextPingAt;
  const ws = heart.wsPingAt === null ? heart.nextWsPingAt : heart.wsPingAt + rules.wsPongTimeoutMs;
  return heart.wsPings === 'never' ? json : Math.min(json, ws);
}

/** Does what the heart's clocks say at `at`: pings that are due, doubts, a ping given up on. */
export function beat(before: Heart, epoch: number, at: number, rules: LinkRules): Beat {
  let heart = before;
  const effects: LinkEffect[] = [];
  let doubtUntil: number | null = null;
  if (heart.ping && at >= heart.ping.sentAt + jsonDoubtMs(heart.ping.alive, rules)) {
    // Frames came but no pong: alive. The ping is given up, so that the next one may leave.
    if (heart.ping.alive) heart = { ...heart, ping: null };
    else doubtUntil = heart.ping.sentAt + rules.pongTimeoutMs;
  }
  if (heart.wsPingAt !== null && at >= heart.wsPingAt + rules.wsPongTimeoutMs) {
    if (heart.wsPings === 'answered') doubtUntil ??= at + rules.suspicionMs;
    else heart = { ...heart, wsPings: 'never' };
    heart = { ...heart, wsPingAt: null };
  }
  if (heart.ping === null && (doubtUntil !== null || at >= heart.nextPingAt)) {
    heart = pinged(heart, at, rules);
    effects.push({ do: 'ping', epoch });
  }
  if (doubtUntil !== null) return { kind: 'doubtful', heart, effects, until: doubtUntil };
  if (heart.wsPings !== 'never' && heart.wsPingAt === null && at >= heart.nextWsPingAt) {
    heart = { ...heart, wsPingAt: at, nextWsPingAt: at + rules.wsPingIntervalMs };
    effects.push({ do: 'wsPing', epoch });
  }
  return { kind: 'well', heart, effects };
}

/** A JSON ping leaves now. */
export function pinged(heart: Heart, at: number, rules: LinkRules): Heart {
  return { ...heart, ping: { sentAt: at, alive: false }, nextPingAt: at + rules.pingIntervalMs };
}

/** Whether the link was good enough to start anew at the first backoff step. */
export function wasStable(heart: Heart, at: number, rules: LinkRules): boolean {
  return heart.hadPong && at - heart.openedAt >= rules.stableMs;
}

function jsonDoubtMs(alive: boolean, rules: LinkRules): number {
  return alive ? rules.pongTimeoutMs : Math.max(rules.pongTimeoutMs - rules.suspicionMs, 0);
}
