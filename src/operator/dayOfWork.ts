import type { DayOfWork, HourOfWork } from '../model/operatorApi.js';
import type { Store } from '../store/Store.js';
import type { LinkHours } from './LinkHours.js';
import type { LinkTimeline } from './LinkTimeline.js';

const HOUR_MS = 3600_000;
const HOURS = 24;
/** Only so many are counted, so that the question costs the same on any day. */
const MOST_MESSAGES = 5_000;

/** When each of the last 24 hours begins, the newest one last. Unix ms, as `now` is. */
export function dayOfHours(now: number): number[] {
  const newest = now - (now % HOUR_MS);
  return Array.from({ length: HOURS }, (_, index) => newest - (HOURS - 1 - index) * HOUR_MS);
}

/** What came in and how the link was in the last 24 hours; of more than 5 000 messages, the newest. `now` is Unix ms. */
export function dayOfWork(
  sources: {
    store: Pick<Store, 'recentTexts'>;
    strip: Pick<LinkTimeline, 'history'>;
    linkHours: Pick<LinkHours, 'at'>;
  },
  now: number,
): DayOfWork {
  const begins = dayOfHours(now);
  const [first = now] = begins;
  const received = sources.store.recentTexts.receivedHours(first - 1, MOST_MESSAGES);
  const hours = begins.map(
    (from): HourOfWork => ({
      from: new Date(from).toISOString(),
      received: received.find((hour) => hour.from === from)?.count ?? 0,
      ...sources.linkHours.at(from),
    }),
  );
  const since = sources.strip.history()[0]?.at ?? now;
  return { since: new Date(since).toISOString(), hours };
}
