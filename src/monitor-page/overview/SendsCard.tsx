import type { Answer, SendStatistics } from '../../monitor-client/index.js';
import { Answered } from '../pieces/Answered.js';
import { Card } from '../pieces/Card.js';
import { hoursSince } from './chartHours.js';
import { HourBars } from './HourBars.js';

const OUTCOMES = ['sent', 'unknown', 'failed'] as const;

/** How many texts were sent in each of the last hours, and how many were not. `since` is when the agent's record begins. */
export function SendsCard(props: { answer: Answer<SendStatistics> & { again: () => void }; since: number }) {
  return (
    <Card title="Sends per hour">
      <Answered
        answer={props.answer}
        empty={{
          when: ({ hours }) => hours.every(({ sent, failed, unknown }) => sent + failed + unknown === 0),
          title: 'Nothing was sent in the last 24 hours.',
        }}
      >
        {({ hours }) => <Sends hours={hours} since={props.since} />}
      </Answered>
    </Card>
  );
}

/** The bars of it, with what they come to. */
export function Sends({ hours, since }: { hours: SendStatistics['hours']; since: number }) {
  const total = (outcome: (typeof OUTCOMES)[number]) => hours.reduce((sum, hour) => sum + hour[outcome], 0);
  const chart = hours.map((hour) => ({ from: hour.from, values: OUTCOMES.map((outcome) => hour[outcome]) }));
  const busiest = Math.max(...hours.map(({ sent }) => sent));
  return (
    <>
      <HourBars
        caption="Sends per hour"
        hours={hoursSince(chart, since)}
        kinds={OUTCOMES}
        headline={total('sent').toLocaleString()}
        more={`${busiest.toLocaleString()} in the busiest hour`}
      />
      <p class="keys">
        {OUTCOMES.map((outcome) => (
          <span key={outcome} class={`key ${outcome}`}>
            {outcome} <strong>{total(outcome)}</strong>
          </span>
        ))}
      </p>
    </>
  );
}
