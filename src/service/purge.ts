import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { keptConfigs } from '../config/replaceConfig.js';
import { behindLinks } from '../config/replaceFile.js';
import { SCHEMA_FILE } from '../config/starterFiles.js';
import { logFiles } from '../logging/LineFile.js';
import { InstanceLock } from '../store/InstanceLock.js';
import type { ServicePlaces } from './servicePlaces.js';

/** The files that the agent creates in its state directory. Anything else there belongs to others, and stays. */
const OURS = [
  /^edge-agent\.(db|sock)/,
  /^agent\.lock/,
  /^(applescript|uploads|sends|handover)$/,
  /^(selftest|doctor)\.json(\.new)?$/,
  /^monitor-(secret|open\.html)$/,
  /^launchd\.err\.log$/,
  /^selftest-\w{6}$/,
];

export interface PurgeTargets {
  readonly stateDirectory: string;
  /** The file that remembers it. */
  readonly lastDirectory: string;
  readonly configPath: string | null;
  readonly logFile: string | null;
  /** What it has made elsewhere in the home directory. */
  readonly outside: readonly string[];
}

/** Everything that a purge would remove and that is there: configuration with its secrets, state, logs. */
export function toPurge(places: ServicePlaces, targets: PurgeTargets): string[] {
  const { stateDirectory, configPath, logFile, outside } = targets;
  const inside = existsSync(stateDirectory) ? readdirSync(stateDirectory) : [];
  const found = [
    ...(configPath === null ? [] : configurationAt(configPath)),
    ...inside
      .filter((name) => OURS.some((ours) => ours.test(name)))
      .map((name) => join(stateDirectory, name)),
    ...[join(stateDirectory, 'edge-agent.log'), ...(logFile === null ? [] : [logFile])].flatMap(logsAt),
    places.errorLog,
    targets.lastDirectory,
    `${targets.lastDirectory}.new`,
    ...outside,
  ];
  return [...new Set(found)].filter((path) => existsSync(path)).toSorted();
}

/**
 * Removes these, and the directories that are empty then. Throws EdgeError `already_running`, with everything still
 * there, while an agent uses the state directory.
 */
export function purge(places: ServicePlaces, targets: PurgeTargets, paths: readonly string[]): void {
  const { stateDirectory, lastDirectory, outside } = targets;
  if (existsSync(stateDirectory)) InstanceLock.acquire(join(stateDirectory, 'agent.lock')).release();
  for (const path of [...paths, join(stateDirectory, 'agent.lock')])
    rmSync(path, { recursive: true, force: true });
  const used = [stateDirectory, ...[lastDirectory, places.errorLog, ...outside].map((path) => dirname(path))];
  for (const directory of new Set(used)) {
    if (existsSync(directory) && readdirSync(directory).length === 0) rmdirSync(directory);
  }
}

/** With what `setup`, `config set` and `config edit` make beside it: drafts, the files before, and half-written ones, which may hold the secret. */
function configurationAt(configPath: string): string[] {
  const directory = dirname(configPath);
  const files = [configPath, join(directory, '.env'), join(directory, SCHEMA_FILE)];
  const beside = files.map(behindLinks).flatMap((file) => [`${file}.new`, ...logFiles(`${file}.draft`)]);
  return [...files, ...beside, ...keptConfigs(configPath)];
}

/** The log, its rotated files, and a copy that a rotation was about to make; not other files next to them. */
function logsAt(file: string): string[] {
  return [...logFiles(file), `${file}.rotating`];
}
