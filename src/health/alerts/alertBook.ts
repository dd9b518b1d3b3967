import type { ErrorCode } from '../../model/errorCodes.js';

/** Whom an alert goes to: the webhook, and the notification on this Mac. */
export type AlertChannel = 'webhook' | 'notification';

/** One thing to be told of, by its own id. Times are Unix ms. It names no person and holds no text. */
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

/** What must be known to tell each event once. Times are Unix ms. */
export interface AlertBook {
  /** Since when the agent is degraded, with pauses of less than `settleMs`. */
  readonly degradedSince: number | null;
  /** Since when it is healthy within that time. */
  readonly healthySince: number | null;
  /** Whether anybody was told that it is degraded. */
  readonly isTold: boolean;
  /** When an alert about items that were set aside was last made. */
  readonly setAsideAt: number | null;
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
  isTold: false,
  setAsideAt: null,
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

/** The book after a look at the state of the agent: `codes` are of what keeps it from its work. Pure; the same book if nothing changed. */
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
    if (seen.isTold || now - since < rules.afterMs) return seen;
    return added({ ...seen, isTold: true }, { event: 'degraded', at: now, since, codes }, rules);
  }
  if (book.degradedSince === null) return book;
  const healthySince = Math.min(book.healthySince ?? now, now);
  if (now - healthySince < Math.min(LONGEST_SETTLE_MS, rules.afterMs)) {
    return healthySince === book.healthySince ? book : { ...book, healthySince };
  }
  const settled = { ...book, degradedSince: null, healthySince: null, isTold: false };
  if (!book.isTold) return settled;
  const { degradedSince: since } = book;
  return added(settled, { event: 'healthy', at: healthySince, since, codes: [] }, rules);
}

/** The book after one more item was set aside. Pure. */
export function noteSetAside(book: AlertBook, now: number, rules: AlertRules): AlertBook {
  const isOpen = ({ alert, attempts }: AlertDelivery) => alert.event === 'set_aside' && attempts === 0;
  if (book.deliveries.some(isOpen)) {
    const deliveries = book.deliveries.map((delivery) =>
      isOpen(delivery)
        ? { ...delivery, alert: { ...delivery.alert, count: delivery.alert.count + 1 } }
        : delivery,
    );
    return { ...book, deliveries };
  }
  const last = Math.min(book.setAsideAt ?? Number.NEGATIVE_INFINITY, now);
  const notBefore = Math.max(now + GATHER_MS, last + APART_MS);
  const event = { event: 'set_aside', at: now, since: null, codes: [] } as const;
  return added({ ...book, setAsideAt: now }, event, rules, notBefore);
}

/** The first delivery of each channel that is due. Those behind it wait, so that nothing is told out of order. */
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
  return { ...book, deliveries };
}

/** The book without a delivery, which has ended. Pure. */
export function noteEnd(book: AlertBook, ended: AlertDelivery): AlertBook {
  return { ...book, deliveries: book.deliveries.filter((delivery) => !isSame(delivery, ended)) };
}

/** The book without what nobody is to get any more: its channel was switched off, it is too old, or was tried too often. Pure. */
export function withoutHopeless(book: AlertBook, now: number, channels: readonly AlertChannel[]): AlertBook {
  const deliveries = book.deliveries.filter(
    ({ alert, channel, attempts }) =>
      channels.includes(channel) && now - alert.at < GIVE_UP_MS && attempts < MOST_ATTEMPTS,
  );
  return deliveries.length === book.deliveries.length ? book : { ...book, deliveries };
}

function added(
  book: AlertBook,
  event: Omit<Alert, 'id' | 'count'>,
  { channels, freshId }: AlertRules,
  notBefore = 0,
): AlertBook {
  const alert: Alert = { id: freshId(), count: event.event === 'set_aside' ? 1 : 0, ...event };
  const fresh = channels.map((channel) => ({ alert, channel, attempts: 0, notBefore }));
  return { ...book, deliveries: [...book.deliveries, ...fresh].slice(-MOST_WAITING) };
}

function isSame(one: AlertDelivery, other: AlertDelivery): boolean {
  return one.alert.id === other.alert.id && one.channel === other.channel;
}
