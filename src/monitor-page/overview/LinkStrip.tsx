import { LINK_WORDS } from '../frame/AgentState.js';
import { clockTime, duration } from '../words.js';
import { linkShares, percent, type Segment } from './linkSegments.js';

const WIDTH = 1440;
const HEIGHT = 60;
/** Height distinguishes the states too, for users who cannot see the colours. */
const HEIGHTS: Readonly<Record<Segment['state'], number>> = {
  realtime: 60,
  polling: 38,
  offline: 18,
  stopped: 8,
  unknown: 3,
};
/** Shorter ones would not be seen, and are what one looks for. */
const THINNEST = 2.5;
/** Of the strip, from its end: where a time is written below. */
const LABELS = [1, 0.75, 0.5, 0.25, 0];

/** A strip of the time since `start`: each state a block of its colour and height, from left to right. */
export function LinkTimeline({
  segments,
  start,
  now,
}: {
  segments: readonly Segment[];
  start: number;
  now: number;
}) {
  const shares = linkShares(segments);
  const words = shares.map(({ state, share }) => `${LINK_WORDS[state]} ${percent(share)}`).join(', ');
  const x = (at: number) => ((at - start) / (now - start)) * WIDTH;
  return (
    <figure class="strip">
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`The last ${duration(now - start)}: ${words === '' ? 'no data yet' : words}`}
      >
        {[...segments]
          .sort((one, other) => Number(one.state !== 'realtime') - Number(other.state !== 'realtime'))
          .map(({ state, from, to }) => (
            <rect
              key={`${state}${from}`}
              class={state}
              x={Math.min(x(from), WIDTH - THINNEST)}
              width={Math.max(x(to) - x(from), THINNEST)}
              y={HEIGHT - HEIGHTS[state]}
              height={HEIGHTS[state]}
            >
              <title>
                {`${LINK_WORDS[state] ?? 'Not known'}: ${clockTime(from)} to ${clockTime(to)} (${duration(to - from)})`}
              </title>
            </rect>
          ))}
      </svg>
      <div class="axis soft" aria-hidden="true">
        {LABELS.map((part) => (
          <span key={part}>{part === 0 ? 'now' : clockTime(now - part * (now - start))}</span>
        ))}
      </div>
      <figcaption>
        {shares.map(({ state, share }) => (
          <span key={state} class={`key ${state}`}>
            {LINK_WORDS[state]} <strong>{percent(share)}</strong>
          </span>
        ))}
        {shares.length === 0 && <span class="soft">No data yet.</span>}
      </figcaption>
    </figure>
  );
}
