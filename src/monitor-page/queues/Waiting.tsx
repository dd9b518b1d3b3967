import type { Status } from '../../monitor-client/index.js';
import { useOperator } from '../operator.js';
import { Card } from '../pieces/Card.js';

const QUEUES: readonly (readonly [string, (status: Status) => number])[] = [
  ['Messages for the backend', (status) => status.incoming_queued],
  ['Texts to be sent', (status) => status.sends_queued],
  ['Of these, held for new people', (status) => status.sends_held.new_recipients],
  ['Of these, held by the rate limit', (status) => status.sends_held.per_minute],
  ['Commands in progress', (status) => status.commands_waiting],
  ['Acks to be delivered', (status) => status.acks_undelivered],
  ['Events to be delivered', (status) => status.events_undelivered],
  ['Images to be uploaded', (status) => status.uploads_queued],
];

/** Every queue with its length; these empty on their own. */
export function Waiting() {
  const status = useOperator().monitor.snapshot?.status;
  return (
    <Card title="Waiting" class="wide">
      <dl class="counts">
        {QUEUES.map(([name, count]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{status === undefined ? '–' : count(status).toLocaleString()}</dd>
          </div>
        ))}
      </dl>
    </Card>
  );
}
