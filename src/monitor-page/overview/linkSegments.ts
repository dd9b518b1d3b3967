import type { LinkWord } from '../../monitor-client/index.js';

export const DAY_MS = 86_400_000;

/** A stretch of time in one state. Unix ms. `unknown`: before anything was recorded. */
export interface Segment {
  state: LinkWord | 'unknown';
  from: number;
  to: number;
}

/** A strip is never of less, so that the first seconds do not fill it. */
const SHORTEST_MS = 60_000;

/** When the strip begins: a day ago, or when the record of a younger agent does. Unix ms. */
export function stripStart(changes: readonly { at: string }[], now: number): number {
  const [first] = changes;
  const began = first === undefined ? now : Date.parse(first.at);
  return Math.max(now - DAY_MS, Math.min(began, now - SHORTEST_MS));
}

/** The time from `start` to `now` without a gap, the earliest first. */
export function linkSegments(
  changes: readonly { at: string; state: LinkWord }[],
  now: number,
  start = now - DAY_MS,
): Segment[] {
  const points: { at: number; state: Segment['state'] }[] = [
    { at: start, state: 'unknown' },
    ...changes.map(({ at, state }) => ({ at: Math.min(Math.max(Date.parse(at), start), now), state })),
  ];
  return points
    .map(({ at, state }, index) => ({ state, from: at, to: points[index + 1]?.at ?? now }))
    .filter(({ from, to }) => to > from);
}

/** The share of each state in what is known, 0 to 1; of an unknown day, nothing. */
export function linkShares(segments: readonly Segment[]): { state: LinkWord; share: number }[] {
  const known = segments.filter(({ state }) => state !== 'unknown');
  const whole = known.reduce((sum, { from, to }) => sum + to - from, 0);
  const states: LinkWord[] = ['realtime', 'polling', 'offline', 'stopped'];
  return states
    .map((state) => ({
      state,
      share:
        known.filter((part) => part.state === state).reduce((sum, { from, to }) => sum + to - from, 0) /
        whole,
    }))
    .filter(({ share }) => share > 0);
}

/** A readable percentage that distinguishes 100 % from nearly 100 %. */
export function percent(share: number): string {
  if (share === 1) return '100 %';
  if (share > 0.999) return '99.9 %';
  return share < 0.001 ? '< 0.1 %' : `${(share * 100).toFixed(share < 0.1 || share > 0.9 ? 1 : 0)} %`;
}
