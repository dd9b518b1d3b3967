import {
  existsSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { isMissing } from '../system/missingFile.js';
import type { ServicePlaces } from './servicePlaces.js';

const NAME = /^.+-(\d+)$/;
const UNFINISHED = '.unfinished';
/** A file in the directory of a version that has been seen to run. */
const HAS_RUN = 'has-run';

/** The versions that are wholly there, the oldest installation first. */
function installedVersions(places: ServicePlaces): string[] {
  return entries(places)
    .filter((name) => NAME.test(name))
    .toSorted((a, b) => numberOf(a) - numberOf(b));
}

/** The version that runs at the next start; undefined if none is installed. */
export function currentVersion(places: ServicePlaces): string | undefined {
  try {
    return basename(readlinkSync(places.current));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** The version to go back to: the newest but the current one, of those that have run if there are such. */
export function otherVersion(places: ServicePlaces): string | undefined {
  const current = currentVersion(places);
  const others = installedVersions(places).filter((name) => name !== current);
  return others.findLast((name) => hasRun(places, name)) ?? others.at(-1);
}

/** Keeps in mind that the current version has been seen to run, so that it is there to go back to. */
export function noteThatItRuns(places: ServicePlaces): void {
  writeFileSync(join(places.current, HAS_RUN), '', { mode: 0o600 });
}

/** The name of a new installation; no name is ever used twice while the older one is there. */
export function nextVersion(places: ServicePlaces, packageVersion: string): string {
  const highest = Math.max(0, ...installedVersions(places).map(numberOf));
  return `${packageVersion}-${highest + 1}`;
}

export function versionDirectory(places: ServicePlaces, version: string): string {
  return join(places.versions, version);
}

/** Where a version is put together. Nothing looks there, so that one that was left half-made is not in the way. */
export function unfinishedDirectory(places: ServicePlaces, version: string): string {
  return join(places.versions, version + UNFINISHED);
}

/**
 * Makes a version that was put together one of the installed, and forgets all others but the current one, and, where that
 * one never ran, the newest that did.
 */
export function finishVersion(places: ServicePlaces, version: string): void {
  const current = currentVersion(places);
  const kept = [current, version + UNFINISHED];
  if (current === undefined || !hasRun(places, current))
    kept.push(installedVersions(places).findLast((name) => hasRun(places, name)));
  for (const name of entries(places)) {
    if (kept.includes(name)) continue;
    rmSync(join(places.versions, name), { recursive: true, force: true });
  }
  renameSync(unfinishedDirectory(places, version), versionDirectory(places, version));
}

/** Lets the next start run that version: in one step, so that there is always one that would run. */
export function pointAt(places: ServicePlaces, version: string): void {
  const link = `${places.current}.new`;
  rmSync(link, { force: true });
  symlinkSync(join(basename(places.versions), version), link);
  renameSync(link, places.current);
}

function hasRun(places: ServicePlaces, version: string): boolean {
  return existsSync(join(versionDirectory(places, version), HAS_RUN));
}

function entries(places: ServicePlaces): string[] {
  try {
    return readdirSync(places.versions);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function numberOf(name: string): number {
  return Number(NAME.exec(name)?.[1] ?? 0);
}
