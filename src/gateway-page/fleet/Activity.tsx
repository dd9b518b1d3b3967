import type { MessageStatistics } from '../../model/gatewayApi.js';
import { hoursSince } from '../../monitor-page/overview/chartHours.js';
import { HourBars } from '../../monitor-page/overview/HourBars.js';
import { Sends } from '../../monitor-page/overview/SendsCard.js';
import { AnswerStates } from '../../monitor-page/pieces/AnswerStates.js';
import { Card } from '../../monitor-page/pieces/Card.js';
import { duration } from '../../monitor-page/words.js';
import { useResource } from '../useResource.js';

/** What applications had sent in each of the last hours, and how long it took: over all agents, or of one. */
export function Activity({ agent }: { agent?: string }) {
  const path = agent === undefined ? 'v1/statistics' : `v1/statistics?agent=${encodeURIComponent(agent)}`;
  // It is asked again each 10 s: on a busy day an event comes every moment.
  const statistics = useResource<MessageStatistics>(path, []);
  return (
    <>
      <Card title="Sends per hour">
        <AnswerStates
          answer={statistics}
          empty={{
            when: ({ hours }) => hours.every(({ sent, failed, unknown }) => sent + failed + unknown === 0),
            title: 'Nothing was sent in the last 24 hours.',
            words: 'Answers that a webhook gave in time are not counted.',
          }}
        >
          {({ hours, since }) => <Sends hours={hours} since={Date.parse(since)} />}
        </AnswerStates>
      </Card>
      <Card title="Round trip">
        <AnswerStates
          answer={statistics}
          empty={{
            when: ({ hours }) => hours.every(({ round_trip_ms }) => round_trip_ms === null),
            title: 'No message was acked in the last 24 hours.',
          }}
        >
          {(value) => <RoundTrip statistics={value} />}
        </AnswerStates>
      </Card>
    </>
  );
}

/** From the request of an application until the gateway had the first ack of the agent. */
function RoundTrip({ statistics: { hours, since } }: { statistics: MessageStatistics }) {
  const chart = hours.map(({ from, round_trip_ms }) => ({ from, values: [round_trip_ms ?? 0] }));
  const measured = hours.flatMap(({ round_trip_ms }) => round_trip_ms ?? []);
  return (
    <HourBars
      caption="Median from request to ack, by the hour"
      hours={hoursSince(chart, Date.parse(since))}
      kinds={['round trip']}
      headline={duration(measured.at(-1) ?? 0)}
      more={`${duration(Math.max(...measured))} in the slowest hour`}
      shown={duration}
    />
  );
}
