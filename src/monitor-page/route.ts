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

/** What an address says that a person may have typed. */
export function routeOf(hash: string): Route {
  const [, name, at] = hash.split('/');
  const view = VIEWS.find((known) => known === name) ?? 'overview';
  return { view, at: at === undefined || at === '' ? undefined : decoded(at) };
}

function decoded(at: string): string {
  try {
    return decodeURIComponent(at);
  } catch {
    // An incomplete escape: it is used unchanged, and nothing has that name.
    return at;
  }
}

export function hrefOf(view: View, at?: string): string {
  return at === undefined ? `#/${view}` : `#/${view}/${encodeURIComponent(at)}`;
}
