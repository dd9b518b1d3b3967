import { useOperator } from '../operator.js';
import { Icon } from '../pieces/Icon.js';
import { hrefOf, VIEWS, type View } from '../route.js';

export const TITLES: Readonly<Record<View, string>> = {
  overview: 'Overview',
  conversations: 'Conversations',
  commands: 'Commands',
  schedule: 'Schedule',
  queues: 'Queues',
  log: 'Log',
  doctor: 'Doctor',
  settings: 'Settings',
};

/** The way to each view, with the number of what waits there. */
export function Navigation({ view }: { view: View }) {
  const status = useOperator().monitor.snapshot?.status;
  const waiting: Partial<Record<View, number>> =
    status === undefined
      ? {}
      : {
          overview: status.problems.length,
          commands: status.commands_waiting,
          schedule: status.scheduled_messages,
          queues: status.incoming_parked,
        };
  return (
    <nav aria-label="Views">
      {VIEWS.map((name) => (
        <a key={name} href={hrefOf(name)} aria-current={name === view ? 'page' : undefined}>
          <Icon name={name} />
          <span>{TITLES[name]}</span>
          {(waiting[name] ?? 0) > 0 && (
            <span class={`count ${name === 'overview' || name === 'queues' ? 'bad' : ''}`}>
              {waiting[name]}
            </span>
          )}
        </a>
      ))}
    </nav>
  );
}
