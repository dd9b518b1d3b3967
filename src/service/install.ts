import { chmodSync, closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeError, EdgeError } from '../errors.js';
import { packageVersion } from '../system/version.js';
import { type Activation, activate } from './activate.js';
import { requireLint } from './app.js';
import { boundErrorLog } from './boundErrorLog.js';
import { copyProgram } from './copyProgram.js';
import { fillPlist } from './launchAgentPlist.js';
import { type RuntimeWishes, stageRuntime } from './runtime.js';
import { finishRuntime, runtimeIn, sweepRuntimes } from './runtimePlace.js';
import type { Service } from './Service.js';
import {
  currentVersion,
  finishVersion,
  nextVersion,
  otherVersion,
  unfinishedDirectory,
  versionDirectory,
} from './versions.js';

interface InstallOptions extends RuntimeWishes {
  readonly configPath: string;
}

export interface Installed extends Activation {
  readonly version: string;
  /** The one that `rollback` would go back to. */
  readonly previous: string | undefined;
}

/**
 * Installs this program next to the installed one, and switches to it. Steps that can fail are done before the switch
 * and leave the old version running; remains of a killed installation are removed.
 */
export async function install(service: Service, options: InstallOptions): Promise<Installed> {
  const { places, agent, print } = service;
  await agent.jobOfSession();
  return service.alone(async () => {
    const current = currentVersion(places);
    const version = nextVersion(places, packageVersion());
    await prepare(service, version, options);
    print(current === undefined ? `Starting ${version}` : `Switching from ${current} to ${version}`);
    const activation = await activate(service, version);
    return { ...activation, version, previous: otherVersion(places) };
  });
}

/** Puts the whole version together aside, tries it, and makes it one of the installed. */
async function prepare(service: Service, version: string, options: InstallOptions): Promise<void> {
  const { places, print } = service;
  const directory = unfinishedDirectory(places, version);
  try {
    finishRuntime(places);
    sweepRuntimes(places);
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    print(`Copying the program to ${versionDirectory(places, version)}`);
    copyProgram(service.program, directory);
    print(await stageRuntime(service, directory, options));
    await writePlist(service, directory, options.configPath);
    layErrorLog(places.errorLog);
    finishVersion(places, version);
  } catch (cause) {
    rmSync(directory, { recursive: true, force: true });
    if (cause instanceof EdgeError) throw cause;
    throw new EdgeError(
      'install_failed',
      `The program cannot be copied to its place: ${describeError(cause)}. What was installed before is untouched.`,
      `Check the free space and the owner of ${places.root}, then run this again.`,
      { cause },
    );
  }
}

/** Before launchd makes it, for everybody to read. */
function layErrorLog(path: string): void {
  const file = openSync(path, 'a', 0o600);
  try {
    boundErrorLog(file);
  } finally {
    closeSync(file);
  }
}

async function writePlist(service: Service, directory: string, configPath: string): Promise<void> {
  const { places } = service;
  const path = join(directory, 'edge-agent.plist');
  const template = readFileSync(join(service.program, 'launchd', 'edge-agent.plist'), 'utf8');
  const values = {
    RUNTIME: runtimeIn(directory).kind === 'app' ? places.executable : places.runtime,
    BUNDLE: service.bundleId,
    PROGRAM: places.current,
    CONFIG: configPath,
    HOME: places.homeDir,
    ERRORS: places.errorLog,
  };
  writeFileSync(path, fillPlist(template, values));
  chmodSync(path, 0o600);
  await requireLint(service, path);
}
