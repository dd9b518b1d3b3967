import { ChartTable } from '../pieces/ChartTable.js';
import { useNow } from '../useNow.js';
import { clockTime, shortTime } from '../words.js';
import type { ChartHour } from './chartHours.js';

const HEIGHT = 100;
const STEP = 10;
/** Of an hour's width, at most; and the widest of the whole chart, so that one hour alone is no wall. */
const MOST_WIDTH = 0.7;
const WIDEST = 1 / 9;
/** The number of time labels below the bars, in addition to "now". */
const LABELS = 4;

/** Bars by the hour. `kinds` are the classes of the values, also their names; `shown` writes a value. */
export function HourBars(props: {
  caption: string;
  hours: readonly ChartHour[];
  kinds: readonly string[];
  headline: string;
  /** Follows "since 18:00" in the headline. */
  more: string;
  shown?: (value: number) => string;
}) {
  const { caption, hours, kinds, shown = (value) => value.toLocaleString() } = props;
  const now = useNow(60_000);
  const most = Math.max(1e-9, ...hours.map(({ values }) => values.reduce((sum, value) => sum + value, 0)));
  const first = Date.parse(hours[0]?.from ?? '');
  const words = (values: readonly number[]) =>
    kinds.map((kind, index) => `${shown(values[index] ?? 0)} ${kind}`).join(', ');
  const width = STEP * Math.min(MOST_WIDTH, hours.length * WIDEST);
  const every = Math.ceil(hours.length / LABELS);
  return (
    <figure class="bars">
      <p class="headline">
        <strong>{props.headline}</strong>
        <span class="soft">
          since {shortTime(first, now)}
          {props.more !== '' && ` · ${props.more}`}
        </span>
      </p>
      <svg
        viewBox={`0 0 ${hours.length * STEP} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${caption}: ${props.headline} since ${shortTime(first, now)}`}
      >
        {hours.map(({ from, values }, index) => (
          <g key={from}>
            <title>{`${clockTime(Date.parse(from))}: ${words(values)}`}</title>
            <rect class="back" x={index * STEP} width={STEP} y={0} height={HEIGHT} />
            {stacked(values, most).map(({ kind, y, height }) => (
              <rect
                key={kind}
                class={kinds[kind] ?? ''}
                x={index * STEP + (STEP - width) / 2}
                width={width}
                y={y}
                height={height}
              />
            ))}
          </g>
        ))}
      </svg>
      <div class="axis soft" aria-hidden="true">
        {hours
          .filter((_, index) => index % every === 0)
          .map(({ from }) => (
            <span key={from}>{clockTime(Date.parse(from))}</span>
          ))}
        <span>now</span>
      </div>
      <ChartTable
        caption={caption}
        heads={['From', ...kinds]}
        rows={hours.map(({ from, values }) => [clockTime(Date.parse(from)), ...values.map(shown)])}
      />
    </figure>
  );
}

/** The values of an hour on top of one another, from the ground up. */
function stacked(values: readonly number[], most: number) {
  let top = HEIGHT;
  return values.flatMap((value, kind) => {
    const height = (value / most) * HEIGHT;
    top -= height;
    return height === 0 ? [] : [{ kind, y: top, height }];
  });
}
