import type { Answer, DayOfWork } from '../../monitor-client/index.js';
import { Answered } from '../pieces/Answered.js';
import { Card } from '../pieces/Card.js';
import { duration } from '../words.js';
import { hoursSince } from './chartHours.js';
import { HourBars } from './HourBars.js';

type Asked = Answer<DayOfWork> & { again: () => void };

/** Messages that came in, the round trip of the link and how often it came back, by the hour. */
export function WorkCards({ answer }: { answer: Asked }) {
  return (
    <>
      <Card title="Messages in per hour">
        <Answered
          answer={answer}
          empty={{
            when: ({ hours }) => hours.every(({ received }) => received === 0),
            title: 'No messages arrived in the last 24 hours.',
          }}
        >
          {(day) => {
            const hours = chart(day, ({ received }) => received);
            return (
              <HourBars
                caption="Messages in per hour"
                hours={hours}
                kinds={['received']}
                headline={sum(hours).toLocaleString()}
                more={`${most(hours).toLocaleString()} in the busiest hour`}
              />
            );
          }}
        </Answered>
      </Card>
      <Card title="Round trip to the backend">
        <Answered
          answer={answer}
          empty={{
            when: ({ hours }) => hours.every(({ rttMs }) => rttMs === null),
            title: 'No ping was answered yet.',
            words: 'The link is measured once a minute while it is up.',
          }}
        >
          {(day) => {
            const hours = chart(day, ({ rttMs }) => rttMs ?? 0);
            const measured = hours.filter(({ values }) => (values[0] ?? 0) > 0);
            return (
              <HourBars
                caption="Mean round trip by the hour"
                hours={hours}
                kinds={['round trip']}
                headline={duration(sum(measured) / Math.max(1, measured.length))}
                more={`${duration(most(hours))} in the slowest hour`}
                shown={duration}
              />
            );
          }}
        </Answered>
      </Card>
      <Card title="Reconnects per hour">
        <Answered
          answer={answer}
          empty={{
            when: ({ hours }) => hours.every(({ reconnects }) => reconnects === 0),
            title: 'No reconnects in the last 24 hours.',
          }}
        >
          {(day) => {
            const hours = chart(day, ({ reconnects }) => reconnects);
            return (
              <HourBars
                caption="Reconnects per hour"
                hours={hours}
                kinds={['reconnects']}
                headline={sum(hours).toLocaleString()}
                more={`${most(hours).toLocaleString()} in the worst hour`}
              />
            );
          }}
        </Answered>
      </Card>
    </>
  );
}

function chart({ since, hours }: DayOfWork, value: (hour: DayOfWork['hours'][number]) => number) {
  return hoursSince(
    hours.map((hour) => ({ from: hour.from, values: [value(hour)] })),
    Date.parse(since),
  );
}

const sum = (hours: readonly { values: readonly number[] }[]) =>
  hours.reduce((total, { values }) => total + (values[0] ?? 0), 0);
const most = (hours: readonly { values: readonly number[] }[]) =>
  Math.max(0, ...hours.map(({ values }) => values[0] ?? 0));
