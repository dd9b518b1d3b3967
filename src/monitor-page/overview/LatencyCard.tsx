import type { Answer, SendStatistics } from '../../monitor-client/index.js';
import { Answered } from '../pieces/Answered.js';
import { Card } from '../pieces/Card.js';
import { ChartTable } from '../pieces/ChartTable.js';
import { duration } from '../words.js';

/** How long the texts of the last 24 hours took from being stored to being sent. */
export function LatencyCard({ answer }: { answer: Answer<SendStatistics> & { again: () => void } }) {
  return (
    <Card title="Time to send">
      <Answered
        answer={answer}
        empty={{
          when: ({ latency }) => latency.p50Ms === null,
          title: 'Nothing was sent in the last 24 hours.',
        }}
      >
        {({ latency }) => <Histogram latency={latency} />}
      </Answered>
    </Card>
  );
}

function Histogram({ latency }: { latency: SendStatistics['latency'] }) {
  const { buckets } = latency;
  const most = Math.max(1, ...buckets.map(({ count }) => count));
  const bound = (upToMs: number | null) => (upToMs === null ? 'longer' : `≤ ${duration(upToMs)}`);
  return (
    <figure class="histogram">
      <p class="headline">
        <strong>{latency.p50Ms === null ? '–' : duration(latency.p50Ms)}</strong>
        <span class="soft">
          half of them · 95 % within {latency.p95Ms === null ? '–' : duration(latency.p95Ms)}
        </span>
      </p>
      <ol aria-hidden="true">
        {buckets.map(({ upToMs, count }) => (
          <li key={upToMs}>
            <span class="soft">{bound(upToMs)}</span>
            <svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
              <rect class="sent" width={(count / most) * 100} height="10" />
            </svg>
            <span>{count}</span>
          </li>
        ))}
      </ol>
      <ChartTable
        caption="Time to send"
        heads={['Time', 'Texts']}
        rows={buckets.map(({ upToMs, count }) => [bound(upToMs), count])}
      />
    </figure>
  );
}
