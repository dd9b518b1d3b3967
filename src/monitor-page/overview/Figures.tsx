import type { Status } from '../../monitor-client/index.js';
import { useOperator } from '../operator.js';
import { Card } from '../pieces/Card.js';
import { Time } from '../pieces/Time.js';
import { duration } from '../words.js';

/** What waits, by the way it goes, and the agent itself. */
export function Figures() {
  const status = useOperator().monitor.snapshot?.status;
  if (status === undefined) {
    return (
      <Card title="Now" class="wide">
        <div class="loading" aria-busy="true">
          <i />
          <i />
        </div>
      </Card>
    );
  }
  return (
    <section class="figures wide" aria-label="Now">
      <Figure name="Incoming" value={status.incoming_queued} unit="queued">
        last <Time at={status.last_incoming_at} />
      </Figure>
      <Figure name="Outgoing" value={status.sends_queued} unit="queued">
        last sent <Time at={status.last_sent_at} />
      </Figure>
      <Figure name="Commands" value={status.commands_waiting} unit="open">
        {undelivered(status)}
      </Figure>
      <Figure name="Scheduled" value={status.scheduled_messages} unit="to come">
        next <Time at={status.next_scheduled_at} none="–" />
      </Figure>
      <Figure
        name="Set aside"
        value={status.incoming_parked}
        unit="messages"
        isBad={status.incoming_parked > 0}
      >
        {status.incoming_expired} expired in 7 d
      </Figure>
      <Figure name="Agent" value={duration(status.uptime_seconds * 1000)} unit="up">
        {status.memory_usage_mb} MB of memory
      </Figure>
    </section>
  );
}

function undelivered({ acks_undelivered, events_undelivered }: Status): string {
  const waiting = acks_undelivered + events_undelivered;
  return waiting === 0
    ? 'every ack delivered'
    : `${acks_undelivered} acks, ${events_undelivered} events to deliver`;
}

function Figure(props: {
  name: string;
  value: number | string;
  unit: string;
  isBad?: boolean;
  children: preact.ComponentChildren;
}) {
  const value = typeof props.value === 'number' ? props.value.toLocaleString() : props.value;
  return (
    <div class={`figure ${props.isBad === true ? 'bad' : ''}`}>
      <h2>{props.name}</h2>
      <p>
        <strong>{value}</strong> {props.unit}
      </p>
      <p class="soft">{props.children}</p>
    </div>
  );
}
