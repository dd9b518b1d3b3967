import type { ErrorCode } from '../../model/errorCodes.js';

/** Whom an alert goes to: the webhook, and the notification on this Mac. */
export type AlertChannel = 'webhook' | 'notification';

/** One event, with its own id. Times are Unix ms. It names no person and contains no text. */
export interface Alert {
  readonly id: string;
  readonly event: 'degraded' | 'healthy' | 'set_aside' | 'test';
  readonly at: number;
  /** Since when the agent was degraded; null where it is about something else. */
  readonly since: number | null;
  /** What keeps it from its work; empty where nothing does. */
  readonly codes: readonly ErrorCode[];
  /** How many messages and other items were set aside. */
  readonly count: number;
}

/** An alert that one channel does not have yet. `attempts` were begun; before `notBefore` (Unix ms) there is none. */
export interface AlertDelivery {
  readonly alert: Alert;
  readonly channel: AlertChannel;
  readonly attempts: number;
  readonly notBefore: number;
}

/** Items that were set aside and are to be reported: how many, and since when (Unix ms). */
interface Gathered {
  readonly since: number;
  readonly count: number;
}

type ByChannel<T> = { readonly [Channel in AlertChannel]?: T };

/** The state needed to report each event once per channel. Times are Unix ms. */
export interface AlertBook {
  /** Since when the agent is degraded, with pauses of less than `settleMs`. */
  readonly degradedSince: number | null;
  /** Since when it is healthy within that time. */
  readonly healthySince: number | null;
  /** The channels that were notified that it is degraded. */
  readonly told: readonly AlertChannel[];
  /** What was set aside since the last alert about that. */
  readonly gathered: ByChannel<Gathered>;
  /** When a report of set-aside items was last tried. */
  readonly setAsideAt: ByChannel<number>;
  /** The oldest first. */
  readonly deliveries: readonly AlertDelivery[];
}

export interface AlertRules {
  readonly channels: readonly AlertChannel[];
  /** How long the agent must be degraded. */
  readonly afterMs: number;
  readonly freshId: () => string;
}

export const EMPTY_BOOK: AlertBook = {
  degradedSince: null,
  healthySince: null,
  told: [],
  gathered: {},
  setAsideAt: {},
  deliveries: [],
};

/** For so long the agent must be healthy before it counts as such: a link that comes and goes is not healthy between. */
const LONGEST_SETTLE_MS = 60_000;
/** Items that are set aside within this time are one alert. */
const GATHER_MS = 30_000;
/** So far apart are alerts about items that were set aside: a backend that refuses everything is no flood. */
const APART_MS = 600_000;
/** An alert this old is not tried any more. */
const GIVE_UP_MS = 24 * 3_600_000;
/** Not even where the clock is set back again and again. */
const MOST_ATTEMPTS = 60;
const FIRST_RETRY_MS = 30_000;
const LONGEST_RETRY_MS = 3_600_000;
/** More deliveries than these do not wait: the oldest goes. */
const MOST_WAITING = 40;

/** The book after a check of the agent's state: `codes` are those of its problems. Pure; the same book if nothing changed. */
export function noteState(
  book: AlertBook,
  codes: readonly ErrorCode[],
  now: number,
  rules: AlertRules,
): AlertBook {
  if (codes.length > 0) {
    // A clock that was set back makes nothing last longer than it did.
    const since = Math.min(book.degradedSince ?? now, now);
    const seen =
      since === book.degradedSince && book.healthySince === null
        ? book
        : { ...book, degradedSince: since, healthySince: null };
    // A channel that was switched off meanwhile is notified again.
    const told = seen.told.filter((channel) => rules.channels.includes(channel));
    const untold =
      now - since < rules.afterMs ? [] : rules.channels.filter((channel) => !told.includes(channel));
    if (untold.length === 0) return told.length === seen.told.length ? seen : { ...seen, told };
    const alert = { event: 'degraded', at: now, since, codes, count: 0 } as const;
    return added({ ...seen, told: [...told, ...untold] }, alert, untold, rules);
  }
  if (book.degradedSince === null) return book;
  const healthySince = Math.min(book.healthySince ?? now, now);
  if (now - healthySince < Math.min(LONGEST_SETTLE_MS, rules.afterMs)) {
    return healthySince === book.healthySince ? book : { ...book, healthySince };
  }
  const settled = { ...book, degradedSince: null, healthySince: null, told: [] };
  const alert = {
    event: 'healthy',
    at: healthySince,
    since: book.degradedSince,
    codes: [],
    count: 0,
  } as const;
  const told = book.told.filter((channel) => rules.channels.includes(channel));
  return added(settled, alert, told, rules);
}

/** The book after one more item was set aside. Pure. */
export function noteSetAside(book: AlertBook, now: number, channels: readonly AlertChannel[]): AlertBook {
  const gathered = { ...book.gathered };
  for (const channel of channels) {
    const { since, count } = gathered[channel] ?? { since: now, count: 0 };
    gathered[channel] = { since, count: count + 1 };
  }
  return { ...book, gathered };
}

/**
 * The book with an alert for each channel whose items have gathered for long enough, and long enough after its last such alert. While
 * that one waits, they gather on, and nothing waits behind them. Pure; the same book if nothing changed.
 */
export function sendGathered(book: AlertBook, now: number, rules: AlertRules): AlertBook {
  let next = book;
  for (const channel of rules.channels) {
    const items = book.gathered[channel];
    const last = book.setAsideAt[channel];
    const isWaiting = book.deliveries.some(
      (delivery) => delivery.channel === channel && delivery.alert.event === 'set_aside',
    );
    if (items === undefined || isWaiting) continue;
    if (!isPast(items.since, GATHER_MS, now)) continue;
    if (last !== undefined && !isPast(last, APART_MS, now)) continue;
    const { [channel]: _told, ...gathered } = next.gathered;
    const alert = { event: 'set_aside', at: now, since: null, codes: [], count: items.count } as const;
    next = added({ ...next, gathered }, alert, [channel], rules);
  }
  return next;
}

/** The first due delivery of each channel. Later ones wait, so that the order is kept. */
export function dueDeliveries(book: AlertBook, now: number): AlertDelivery[] {
  const heads = new Map<AlertChannel, AlertDelivery>();
  for (const delivery of book.deliveries) {
    if (!heads.has(delivery.channel)) heads.set(delivery.channel, delivery);
  }
  // What would wait longer than any delivery does was put off by another clock.
  const isDue = ({ notBefore }: AlertDelivery) => notBefore <= now || notBefore > now + LONGEST_RETRY_MS;
  return [...heads.values()].filter(isDue);
}

/** The book with an attempt begun: to be stored before it is. Pure. */
export function noteAttempt(book: AlertBook, begun: AlertDelivery, now: number): AlertBook {
  const attempts = begun.attempts + 1;
  const wait = Math.min(FIRST_RETRY_MS * 2 ** begun.attempts, LONGEST_RETRY_MS);
  const deliveries = book.deliveries.map((delivery) =>
    isSame(delivery, begun) ? { ...delivery, attempts, notBefore: now + wait } : delivery,
  );
  const isSetAside = begun.alert.event === 'set_aside';
  const setAsideAt = isSetAside ? { ...book.setAsideAt, [begun.channel]: now } : book.setAsideAt;
  return { ...book, deliveries, setAsideAt };
}

/** The book once these channels may work again: what waits for them is due, as if it had not been tried. Pure. */
export function noteMended(book: AlertBook, channels: readonly AlertChannel[]): AlertBook {
  const deliveries = book.deliveries.map((delivery) =>
    channels.includes(delivery.channel) ? { ...delivery, attempts: 0, notBefore: 0 } : delivery,
  );
  return { ...book, deliveries };
}

/** The book without a delivery, which has ended. Pure. */
export function noteEnd(book: AlertBook, ended: AlertDelivery): AlertBook {
  return { ...book, deliveries: book.deliveries.filter((delivery) => !isSame(delivery, ended)) };
}

/**
 * The book without deliveries that are dropped: the channel was switched off, they are too old, or were tried too
 * often. Pure.
 */
export function withoutHopeless(book: AlertBook, now: number, channels: readonly AlertChannel[]): AlertBook {
  const deliveries = book.deliveries.filter(
    ({ alert, channel, attempts }) =>
      channels.includes(channel) && now - alert.at < GIVE_UP_MS && attempts < MOST_ATTEMPTS,
  );
  const all = Object.entries(book.gathered);
  const gathered = all.filter(([name]) => channels.some((channel) => channel === name));
  if (deliveries.length === book.deliveries.length && gathered.length === all.length) return book;
  return { ...book, deliveries, gathered: Object.fromEntries(gathered) };
}

function added(
  book: AlertBook,
  event: Omit<Alert, 'id'>,
  channels: readonly AlertChannel[],
  { freshId }: AlertRules,
): AlertBook {
  if (channels.length === 0) return book;
  const alert: Alert = { id: freshId(), ...event };
  const fresh = channels.map((channel) => ({ alert, channel, attempts: 0, notBefore: 0 }));
  return { ...book, deliveries: [...book.deliveries, ...fresh].slice(-MOST_WAITING) };
}

/** A clock that was set back makes nothing wait. */
function isPast(at: number, ms: number, now: number): boolean {
  return at > now || now - at >= ms;
}

function isSame(one: AlertDelivery, other: AlertDelivery): boolean {
  return one.alert.id === other.alert.id && one.channel === other.channel;
}
