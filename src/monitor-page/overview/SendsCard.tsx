import type { Answer, SendStatistics } from '../../monitor-client/index.js';
import { Answered } from '../pieces/Answered.js';
import { Card } from '../pieces/Card.js';
import { ChartTable } from '../pieces/ChartTable.js';
import { clockTime } from '../words.js';

const OUTCOMES = ['sent', 'unknown', 'failed'] as const;
const HEIGHT = 100;
const STEP = 10;
const BAR = 7;

/** How many texts went out in each of the last 24 hours, and how many did not. */
export function SendsCard({ answer }: { answer: Answer<SendStatistics> & { again: () => void } }) {
  return (
    <Card title="Sends per hour">
      <Answered
        answer={answer}
        empty={{
          when: ({ hours }) => hours.every(({ sent, failed, unknown }) => sent + failed + unknown === 0),
          title: 'Nothing was sent in the last 24 hours.',
        }}
      >
        {({ hours }) => <Bars hours={hours} />}
      </Answered>
    </Card>
  );
}

function Bars({ hours }: { hours: SendStatistics['hours'] }) {
  const most = Math.max(...hours.map(({ sent, failed, unknown }) => sent + failed + unknown));
  const total = (outcome: (typeof OUTCOMES)[number]) => hours.reduce((sum, hour) => sum + hour[outcome], 0);
  const words = OUTCOMES.map((outcome) => `${total(outcome)} ${outcome}`).join(', ');
  return (
    <figure class="bars">
      <p class="headline">
        <strong>{total('sent').toLocaleString()}</strong>
        <span class="soft">in 24 h · {most.toLocaleString()} in the busiest hour</span>
      </p>
      <svg
        viewBox={`0 0 ${hours.length * STEP} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`Sends in the last 24 hours: ${words}`}
      >
        {hours.map((hour, index) => (
          <g key={hour.from}>
            <title>
              {`${clockTime(Date.parse(hour.from))}: ${OUTCOMES.map((outcome) => `${hour[outcome]} ${outcome}`).join(', ')}`}
            </title>
            <rect class="back" x={index * STEP} width={STEP} y={0} height={HEIGHT} />
            {stacked(hour, most).map(({ outcome, y, height }) => (
              <rect key={outcome} class={outcome} x={index * STEP + 1.5} width={BAR} y={y} height={height} />
            ))}
          </g>
        ))}
      </svg>
      <div class="axis soft" aria-hidden="true">
        {[0, 6, 12, 18].map((index) => (
          <span key={index}>{clockTime(Date.parse(hours[index]?.from ?? ''))}</span>
        ))}
        <span>now</span>
      </div>
      <figcaption>
        {OUTCOMES.map((outcome) => (
          <span key={outcome} class={`key ${outcome}`}>
            {outcome} <strong>{total(outcome)}</strong>
          </span>
        ))}
      </figcaption>
      <ChartTable
        caption="Sends per hour"
        heads={['From', ...OUTCOMES]}
        rows={hours.map((hour) => [clockTime(Date.parse(hour.from)), hour.sent, hour.unknown, hour.failed])}
      />
    </figure>
  );
}

/** The outcomes of an hour on top of one another, from the ground up. */
function stacked(hour: SendStatistics['hours'][number], most: number) {
  let top = HEIGHT;
  return OUTCOMES.flatMap((outcome) => {
    const height = (hour[outcome] / most) * HEIGHT;
    top -= height;
    return height === 0 ? [] : [{ outcome, y: top, height }];
  });
}
