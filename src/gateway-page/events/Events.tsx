import { useState } from 'preact/hooks';
import type { GatewayEvent } from '../../model/gatewayEvents.js';
import { Card } from '../../monitor-page/pieces/Card.js';
import { Empty } from '../../monitor-page/pieces/Empty.js';
import { Field } from '../../monitor-page/pieces/Field.js';
import { exactTime, fullTime } from '../../monitor-page/words.js';
import { useConsole, useNames } from '../gatewayConsole.js';

/** The events for applications, live, the newest first. */
export function Events() {
  const { events } = useConsole();
  const [filter, setFilter] = useState('');
  const shown = events.filter(({ type, agent }) => `${type} ${agent ?? ''}`.includes(filter.trim()));
  return (
    <>
      <div class="bar">
        <Field label="Filter" value={filter} onValue={setFilter} hint="a type, or an agent" />
      </div>
      <Card title="Events" aside={<span class="soft">since this page was opened</span>}>
        {shown.length === 0 ? (
          <Empty
            title={events.length === 0 ? 'No events yet.' : 'No event matches.'}
            words={events.length === 0 ? 'Events appear here as they happen.' : undefined}
          />
        ) : (
          <ul class="rows feed" aria-label="Events">
            {shown.map((event) => (
              <Row key={event.id} event={event} />
            ))}
          </ul>
        )}
      </Card>
    </>
  );
}

function Row({ event }: { event: GatewayEvent }) {
  const name = useNames();
  const at = Date.parse(event.timestamp);
  return (
    <li>
      <time dateTime={event.timestamp} title={fullTime(at)}>
        {exactTime(at)}
      </time>
      <strong class="type cut">{event.type}</strong>
      <span class="grow cut">{eventWords(event, name)}</span>
      <span class="soft cut">{event.agent === null ? '' : name(event.agent)}</span>
    </li>
  );
}

/** What happened, without message texts. */
function eventWords({ data }: GatewayEvent, name: (handle: string) => string): string {
  const said: Partial<Record<string, unknown>> = data;
  const words = [said.status, said.action, said.change, said.event_type, said.command_type, said.reason];
  const where = typeof said.conversation === 'string' ? name(said.conversation) : '';
  return [where, ...words].filter((word) => typeof word === 'string' && word !== '').join(' · ');
}
