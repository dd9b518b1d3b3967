import { join } from 'node:path';

/** The name of the agent in launchd. One per user: each has a separate desktop session, and so a separate domain. */
export const LABEL = 'edge-agent';

/** Where the service of a user is. None of these paths ever changes, whichever version is installed. */
export interface ServicePlaces {
  readonly homeDir: string;
  /** Everything that `uninstall` removes besides the plist. */
  readonly root: string;
  /** What macOS gives permissions to: an application around a copy of node. */
  readonly app: string;
  /** What launchd starts of it. */
  readonly executable: string;
  /** A link to what the current version runs with: the executable of the app, or a node elsewhere. */
  readonly runtime: string;
  /** One directory a version, `<version>-<number of the installation>`. */
  readonly versions: string;
  /** A link to the directory of the version that runs at the next start. */
  readonly current: string;
  readonly plist: string;
  /** What the program says before it has a log. */
  readonly errorLog: string;
}

/** The name that System Settings shows. */
export const APP = 'Edge Agent.app';

/** Where in an app its executable is. */
export const EXECUTABLE = join('Contents', 'MacOS', 'edge-agent');

export function servicePlaces(homeDir: string): ServicePlaces {
  const support = join(homeDir, 'Library', 'Application Support', 'edge-agent');
  const root = join(support, 'program');
  const app = join(root, APP);
  return {
    homeDir,
    root,
    app,
    executable: join(app, EXECUTABLE),
    runtime: join(root, 'edge-agent'),
    versions: join(root, 'versions'),
    current: join(root, 'current'),
    plist: join(homeDir, 'Library', 'LaunchAgents', `${LABEL}.plist`),
    errorLog: join(support, 'launchd.err.log'),
  };
}
