import type { MonitorView } from '../../monitor-client/index.js';
import { counted } from '../words.js';

/** What the browser's tab says of the agent while another tab is in front. `icon` is a file of the page. */
interface TabSign {
  words: string;
  icon: 'well' | 'wrong' | 'away';
}

/** What is wrong first: a tab shows only the beginning of its title. */
export function tabSign(
  title: string,
  { connection, snapshot }: Pick<MonitorView, 'connection' | 'snapshot'>,
): TabSign {
  const name = `${title} · edge-agent`;
  if (connection.name === 'waiting' || (connection.name === 'connecting' && connection.attempt > 1))
    return { words: `Disconnected · ${name}`, icon: 'away' };
  const count = snapshot?.status.problems.length ?? 0;
  return count === 0
    ? { words: name, icon: 'well' }
    : { words: `✗ ${counted(count, 'problem')} · ${name}`, icon: 'wrong' };
}

export function showTabSign({ words, icon }: TabSign): void {
  document.title = words;
  const link = document.querySelector('link[rel=icon]');
  const file = `icon-${icon}.svg`;
  // Setting it again would reload it.
  if (link?.getAttribute('href') !== file) link?.setAttribute('href', file);
}
