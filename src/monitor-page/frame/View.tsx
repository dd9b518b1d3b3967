import { useEffect } from 'preact/hooks';
import { Commands } from '../commands/Commands.js';
import { Conversations } from '../conversations/Conversations.js';
import { Doctor } from '../doctor/Doctor.js';
import { Log } from '../log/Log.js';
import { Overview } from '../overview/Overview.js';
import { Queues } from '../queues/Queues.js';
import { Schedule } from '../queues/Schedule.js';
import type { Route } from '../route.js';
import { Settings } from '../settings/Settings.js';
import type { OwnPresence } from './usePresence.js';

/** The view of the route. */
export function View({ route, presence }: { route: Route; presence: OwnPresence }) {
  useEffect(() => {
    scrollTo(0, 0);
  }, [route.view]);
  switch (route.view) {
    case 'overview':
      return <Overview presence={presence} />;
    case 'conversations':
      return <Conversations at={route.at} />;
    case 'commands':
      return <Commands at={route.at} />;
    case 'schedule':
      return <Schedule />;
    case 'queues':
      return <Queues />;
    case 'log':
      return <Log />;
    case 'doctor':
      return <Doctor />;
    case 'settings':
      return <Settings />;
  }
}
