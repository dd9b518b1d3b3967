import type { HourOfSends, SendLatency, SendStatistics } from '../model/operatorApi.js';
import type { Store } from '../store/Store.js';
import { dayOfHours } from './dayOfWork.js';

const BUCKETS_MS = [250, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, Infinity];
/** Only so many are counted, so that the question costs the same on any day: some 10 ms. */
const MOST_TEXTS = 5_000;

/** The results of texts in the last 24 hours; of more than 5 000, the newest. `now` is Unix ms. */
export function sendStatistics(store: Pick<Store, 'recentTexts'>, now: number): SendStatistics {
  const begins = dayOfHours(now);
  const [since = now] = begins;
  const counted = store.recentTexts.hours(since - 1, MOST_TEXTS);
  const count = (from: number, wanted: string) =>
    counted.find((hour) => hour.from === from && hour.state === wanted)?.count ?? 0;
  const hours = begins.map(
    (from): HourOfSends => ({
      from: new Date(from).toISOString(),
      sent: count(from, 'sent'),
      failed: count(from, 'failed'),
      unknown: count(from, 'unknown'),
    }),
  );
  return { hours, latency: latencyOf(store.recentTexts.latencies(since - 1, MOST_TEXTS)) };
}

function latencyOf(latencies: readonly number[]): SendLatency {
  const sorted = latencies.map((ms) => Math.max(0, ms)).toSorted((a, b) => a - b);
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? null;
  const buckets = BUCKETS_MS.map((upToMs, index) => {
    const from = BUCKETS_MS[index - 1] ?? -1;
    const count = sorted.filter((ms) => ms > from && ms <= upToMs).length;
    return { upToMs: upToMs === Infinity ? null : upToMs, count };
  });
  return { buckets, p50Ms: at(0.5), p95Ms: at(0.95) };
}
