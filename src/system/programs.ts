import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { environment } from './environment.js';
import { type MachO, readMachO } from './machO.js';

/** A directory whose executables play the programs of macOS; for tests and trials on a machine that is no Mac. */
const STAND_INS_VARIABLE = 'STAND_IN_PROGRAMS';

/** The paths of the macOS programs that are started, except osascript (whose path is a setting). */
const ON_MACOS = {
  /** Keeps the Mac awake while another process lives: caffeinate(8). */
  caffeinate: '/usr/bin/caffeinate',
  /** Signs programs, and checks signatures; part of macOS, but signing needs the Command Line Tools: codesign(1). */
  codesign: '/usr/bin/codesign',
  /** Reads preferences, such as automatic login: defaults(1). */
  defaults: '/usr/bin/defaults',
  /** Shows whether the disk is encrypted: fdesetup(8). */
  fdesetup: '/usr/bin/fdesetup',
  /** Loads, starts and stops services: launchctl(1). */
  launchctl: '/bin/launchctl',
  /** Opens an application in the desktop session: open(1). */
  open: '/usr/bin/open',
  /** Finds processes by name: pgrep(1). */
  pgrep: '/usr/bin/pgrep',
  /** Checks property lists: plutil(1). */
  plutil: '/usr/bin/plutil',
  /** Shows and sets when the Mac sleeps: pmset(1). */
  pmset: '/usr/bin/pmset',
  /** Reads and writes the Keychain: security(1). */
  security: '/usr/bin/security',
  /** Converts images: sips(1). */
  sips: '/usr/bin/sips',
  /** Shows the version of macOS: sw_vers(1). */
  swVers: '/usr/bin/sw_vers',
  /** Removes what a file system notes of a file, such as that it was downloaded: xattr(1). */
  xattr: '/usr/bin/xattr',
};

/** Paths of programs. They are never looked up in PATH, which whatever starts the agent can set. */
export type Programs = Readonly<Record<keyof typeof ON_MACOS, string>>;

/** Where each program is; `standIns` are paths of what plays some of them, for tests. */
export function programs(standIns: Partial<Programs> = {}): Programs {
  const directory = standInDirectory();
  if (directory === undefined) return { ...ON_MACOS, ...standIns };
  const played = Object.entries(ON_MACOS).map(([name, path]) => [
    name,
    join(directory, path.replace(/.*\//, '')),
  ]);
  return { ...(Object.fromEntries(played) as Programs), ...standIns };
}

/** What this process runs on; with stand-ins for its programs any machine is a Mac. */
export function hostPlatform(): NodeJS.Platform {
  return standInDirectory() === undefined ? process.platform : 'darwin';
}

/**
 * What macOS sees in a program. On a played Mac programs are those of this machine: there a file of the same name in
 * `macho/` among the stand-ins has what is to be seen.
 */
export function inspectProgram(path: string, standIns = standInDirectory()): MachO {
  const played = standIns === undefined ? undefined : join(standIns, 'macho', basename(path));
  return readMachO(played !== undefined && existsSync(played) ? played : path);
}

function standInDirectory(): string | undefined {
  const directory = environment()[STAND_INS_VARIABLE];
  return directory === '' ? undefined : directory;
}
