import { chmodSync, closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeError, EdgeError } from '../errors.js';
import { packageVersion } from '../system/version.js';
import { type Activation, activate } from './activate.js';
import { boundErrorLog } from './boundErrorLog.js';
import { copyProgram } from './copyProgram.js';
import { fillPlist } from './launchAgentPlist.js';
import { type RuntimeChoice, requireOutside, stageRuntime, sweepRuntimes, tryVersion } from './runtime.js';
import type { Service } from './Service.js';
import type { ServicePlaces } from './servicePlaces.js';
import {
  currentVersion,
  finishVersion,
  nextVersion,
  otherVersion,
  unfinishedDirectory,
  versionDirectory,
} from './versions.js';

interface InstallOptions {
  readonly configPath: string;
  readonly runtime: RuntimeChoice;
}

export interface Installed extends Activation {
  readonly version: string;
  /** The one that `rollback` would go back to. */
  readonly previous: string | undefined;
}

/**
 * Installs this very program beside what is installed, and switches to it. What can fail is done before the switch and
 * leaves what was installed running; what was left behind by an installation that was killed is swept.
 */
export async function install(service: Service, options: InstallOptions): Promise<Installed> {
  const { places, agent, say } = service;
  await agent.jobOfSession();
  return service.alone(async () => {
    if (options.runtime === 'current') requireOutside(places, service.node);
    const current = currentVersion(places);
    const version = nextVersion(places, packageVersion());
    await prepare(service, version, options);
    say(current === undefined ? `Starting ${version}` : `Switching from ${current} to ${version}`);
    const activation = await activate(service, version);
    return { ...activation, version, previous: otherVersion(places) };
  });
}

/** Puts the whole version together aside, tries it, and makes it one of the installed. */
async function prepare(service: Service, version: string, options: InstallOptions): Promise<void> {
  const { places, say, run } = service;
  const directory = unfinishedDirectory(places, version);
  try {
    await sweepRuntimes(places);
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    say(`Copying the program to ${versionDirectory(places, version)}`);
    copyProgram(service.program, directory);
    const staged = await stageRuntime(directory, options.runtime, run, service.node);
    say(runtimeWords(staged, places, options.runtime));
    await tryVersion(directory, run);
    await writeChecked(service, join(directory, 'edge-agent.plist'), options.configPath);
    layErrorLog(places.errorLog);
    finishVersion(places, version);
  } catch (cause) {
    rmSync(directory, { recursive: true, force: true });
    if (cause instanceof EdgeError) throw cause;
    throw new EdgeError(
      'install_failed',
      `The program cannot be put in its place: ${describeError(cause)}. What was installed before is untouched.`,
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

async function writeChecked(service: Service, path: string, configPath: string): Promise<void> {
  const { places, programs, run } = service;
  const template = readFileSync(join(service.program, 'launchd', 'edge-agent.plist'), 'utf8');
  const values = {
    RUNTIME: places.runtime,
    PROGRAM: places.current,
    CONFIG: configPath,
    HOME: places.homeDir,
    ERRORS: places.errorLog,
  };
  writeFileSync(path, fillPlist(template, values));
  chmodSync(path, 0o600);
  const lint = await run(programs.plutil, ['-lint', path]);
  if (lint.kind === 'ended' && lint.code === 0) return;
  const said = lint.kind === 'ended' ? (lint.stderr || lint.stdout).trim() : lint.kind;
  throw new EdgeError('install_failed', `plutil rejects the LaunchAgent: ${said}`, 'Report it.');
}

function runtimeWords(
  staged: Awaited<ReturnType<typeof stageRuntime>>,
  places: ServicePlaces,
  wanted: RuntimeChoice,
): string {
  if (staged.choice === 'private')
    return `Copied node ${process.version}, for the agent alone: ${places.runtime}`;
  if (wanted === 'current') return `Using node where it is: ${staged.node}`;
  return [
    `A copy of ${staged.node} does not run on its own (${staged.refusal}), so the original is used.`,
    'When it is upgraded, macOS takes its permissions away. Better: Node from nodejs.org, then install again.',
  ].join('\n');
}
