import { readdirSync, readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isMissing } from '../system/missingFile.js';
import type { ServicePlaces } from './servicePlaces.js';

const NAME = /^.+-(\d+)$/;
const UNFINISHED = '.unfinished';

/** The versions that are wholly there, the oldest installation first. */
export function installedVersions(places: ServicePlaces): string[] {
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

/** The version to go back to: the newest but the current one. */
export function otherVersion(places: ServicePlaces): string | undefined {
  const current = currentVersion(places);
  return installedVersions(places)
    .filter((name) => name !== current)
    .at(-1);
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

/** Makes a version that was put together one of the installed, and forgets all others but the current one. */
export function finishVersion(places: ServicePlaces, version: string): void {
  const current = currentVersion(places);
  for (const name of entries(places)) {
    if (name === current || name === version + UNFINISHED) continue;
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
