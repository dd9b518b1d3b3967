import { Icon } from '../../monitor-page/pieces/Icon.js';
import { type ConsoleView, consoleHref, VIEWS } from '../route.js';

export const VIEW_TITLES: Readonly<Record<ConsoleView, string>> = {
  fleet: 'Agents',
  messages: 'Messages',
  webhooks: 'Webhooks',
  events: 'Events',
};

const ICONS = { fleet: 'overview', messages: 'conversations', webhooks: 'queues', events: 'log' } as const;

/** The way to each view. */
export function ConsoleNavigation({ view }: { view: ConsoleView }) {
  return (
    <nav class="console-nav" aria-label="Views">
      {VIEWS.map((name) => (
        <a key={name} href={consoleHref(name)} aria-current={name === view ? 'page' : undefined}>
          <Icon name={ICONS[name]} />
          <span>{VIEW_TITLES[name]}</span>
        </a>
      ))}
    </nav>
  );
}
