import { useEffect, useState } from 'preact/hooks';

/** The views, in the order of the navigation. */
export const VIEWS = ['fleet', 'messages', 'webhooks', 'events'] as const;

export type ConsoleView = (typeof VIEWS)[number];

/** Where the operator is: `#/messages/edge_1/msg_2` is the view `messages` at these two. */
export interface ConsoleRoute {
  readonly view: ConsoleView;
  readonly at: readonly string[];
}

/** What an address says that a person may have typed. */
function consoleRouteOf(hash: string): ConsoleRoute {
  const [, name, ...at] = hash.split('/');
  const view = VIEWS.find((known) => known === name) ?? 'fleet';
  return { view, at: at.filter((part) => part !== '').map(decoded) };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    // Half an escape: nothing has that name.
    return part;
  }
}

export function consoleHref(view: ConsoleView, ...at: readonly string[]): string {
  return `#/${[view, ...at.map(encodeURIComponent)].join('/')}`;
}

/** The route of the address; back and forward work. */
export function useConsoleRoute(): ConsoleRoute {
  const [route, setRoute] = useState(consoleRouteOf(location.hash));
  useEffect(() => {
    const follow = () => setRoute(consoleRouteOf(location.hash));
    addEventListener('hashchange', follow);
    // It may have changed between the first look and the listener.
    follow();
    return () => removeEventListener('hashchange', follow);
  }, []);
  return route;
}
