import { join } from 'node:path';

/** What launchd knows the agent by. One per user: each has a desktop session, and so a domain, of its own. */
export const LABEL = 'edge-agent';

/** Where the service of a user is. None of these paths ever changes, whichever version is installed. */
export interface ServicePlaces {
  readonly homeDir: string;
  /** Everything that `uninstall` removes beside the plist. */
  readonly root: string;
  /** What macOS gives permissions to: a copy of node under the agent's name, or a link to the node that is used. */
  readonly runtime: string;
  /** One directory a version, `<version>-<number of the installation>`. */
  readonly versions: string;
  /** A link to the directory of the version that runs at the next start. */
  readonly current: string;
  readonly plist: string;
  /** What the program says before it has a log. */
  readonly errorLog: string;
}

export function servicePlaces(homeDir: string): ServicePlaces {
  const support = join(homeDir, 'Library', 'Application Support', 'edge-agent');
  const root = join(support, 'program');
  return {
    homeDir,
    root,
    runtime: join(root, 'edge-agent'),
    versions: join(root, 'versions'),
    current: join(root, 'current'),
    plist: join(homeDir, 'Library', 'LaunchAgents', `${LABEL}.plist`),
    errorLog: join(support, 'launchd.err.log'),
  };
}
