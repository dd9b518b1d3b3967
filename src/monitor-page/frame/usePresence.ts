import { useEffect, useState } from 'preact/hooks';
import type { MonitorClient, Presence } from '../../monitor-client/index.js';

/** What the operator says of themselves. */
export interface OwnPresence {
  chosen: Presence;
  choose: (presence: Presence) => void;
}

/** Who has chosen to be online is away while the page is out of sight. */
export function usePresence(client: MonitorClient): OwnPresence {
  const [chosen, choose] = useState<Presence>('online');
  useEffect(() => {
    const send = () => client.setPresence(chosen === 'online' && document.hidden ? 'away' : chosen);
    send();
    document.addEventListener('visibilitychange', send);
    return () => document.removeEventListener('visibilitychange', send);
  }, [client, chosen]);
  return { chosen, choose };
}
