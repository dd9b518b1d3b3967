import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { InstanceLock } from '../store/InstanceLock.js';
import type { ServicePlaces } from './servicePlaces.js';

/** What the agent makes in its state directory. Anything else there was put there by somebody else, and stays. */
const OURS = [
  /^edge-agent\.(db|log|sock)/,
  /^agent\.lock/,
  /^(applescript|uploads|sends)$/,
  /^selftest\.json$/,
  /^launchd\.err\.log$/,
];

export interface PurgeTargets {
  readonly stateDirectory: string;
  readonly configPath: string | null;
  readonly logFile: string | null;
}

/** Everything that a purge would remove and that is there: configuration with its secrets, state, logs. */
export function toPurge(places: ServicePlaces, targets: PurgeTargets): string[] {
  const { stateDirectory, configPath, logFile } = targets;
  const inside = existsSync(stateDirectory) ? readdirSync(stateDirectory) : [];
  const found = [
    ...(configPath === null ? [] : [configPath, join(dirname(configPath), '.env')]),
    ...inside
      .filter((name) => OURS.some((ours) => ours.test(name)))
      .map((name) => join(stateDirectory, name)),
    ...(logFile === null ? [] : rotationsOf(logFile)),
    places.errorLog,
  ];
  return [...new Set(found)].filter((path) => existsSync(path)).toSorted();
}

/**
 * Removes these, and the directories that are empty then. Throws EdgeError `already_running`, with everything still
 * there, while an agent uses the state directory.
 */
export function purge(places: ServicePlaces, targets: PurgeTargets, paths: readonly string[]): void {
  const { stateDirectory } = targets;
  if (existsSync(stateDirectory)) InstanceLock.acquire(join(stateDirectory, 'agent.lock')).release();
  for (const path of [...paths, join(stateDirectory, 'agent.lock')])
    rmSync(path, { recursive: true, force: true });
  for (const directory of [stateDirectory, dirname(places.errorLog)]) {
    if (existsSync(directory) && readdirSync(directory).length === 0) rmdirSync(directory);
  }
}

function rotationsOf(logFile: string): string[] {
  const directory = dirname(logFile);
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .map((name) => join(directory, name))
    .filter((path) => path === logFile || path.startsWith(`${logFile}.`));
}
