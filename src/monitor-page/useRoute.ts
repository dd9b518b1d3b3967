import { useEffect, useState } from 'preact/hooks';

/** The views, in the order of the navigation. */
export const VIEWS = [
  'overview',
  'conversations',
  'commands',
  'schedule',
  'queues',
  'log',
  'doctor',
  'settings',
] as const;

export type View = (typeof VIEWS)[number];

/** Where the operator is: `#/commands/cmd_1` is the view `commands` at `cmd_1`. */
export interface Route {
  view: View;
  at: string | undefined;
}

export function routeOf(hash: string): Route {
  const [, name, at] = hash.split('/');
  const view = VIEWS.find((known) => known === name) ?? 'overview';
  return { view, at: at === undefined || at === '' ? undefined : decodeURIComponent(at) };
}

export function hrefOf(view: View, at?: string): string {
  return at === undefined ? `#/${view}` : `#/${view}/${encodeURIComponent(at)}`;
}

/** The route of the address; back and forward work. */
export function useRoute(): Route {
  const [route, setRoute] = useState(routeOf(location.hash));
  useEffect(() => {
    const follow = () => setRoute(routeOf(location.hash));
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);
  return route;
}
