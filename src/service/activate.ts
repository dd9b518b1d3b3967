import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describeError, EdgeError } from '../errors.js';
import type { RunningAgent } from './LaunchAgent.js';
import { isSameSigner } from './runtime.js';
import { finishRuntime, isInPlace, layRuntime, runtimeIn } from './runtimePlace.js';
import type { Service } from './Service.js';
import { uninterrupted } from './uninterrupted.js';
import { currentVersion, pointAt, versionDirectory } from './versions.js';

export interface Activation {
  readonly running: RunningAgent;
  /** The runtime was replaced by another one: macOS may ask for permissions again. */
  readonly runtimeChanged: boolean;
  /** The same certificate vouches for the one and the other: macOS asks for nothing again. */
  readonly isSameSigner: boolean;
}

/**
 * Activates an installed version, and checks that it runs. If only the program differs, launchd keeps its job: the link
 * is switched, the old process stops cleanly, the new one starts. Otherwise the job is removed, everything is switched,
 * and it is loaded again; if launchd refuses it, the previous version is loaded again.
 *
 * Killed at any point, what is on the disk would run: the version is switched by one rename, a runtime that belongs to
 * it is put in its place by whoever starts next, and the LaunchAgent is written only while its job is out.
 */
export async function activate(service: Service, version: string): Promise<Activation> {
  try {
    return await switchTo(service, version);
  } catch (cause) {
    if (cause instanceof EdgeError) throw cause;
    throw new EdgeError(
      'install_failed',
      `${version} could not be activated: ${describeError(cause)}.`,
      'Fix that, then run this again; edge-agent start runs what is installed.',
      { cause },
    );
  }
}

async function switchTo(service: Service, version: string): Promise<Activation> {
  const { agent, places } = service;
  const directory = versionDirectory(places, version);
  service.requireNode(runtimeIn(directory).path);
  const plist = readFileSync(join(directory, 'edge-agent.plist'), 'utf8');
  const runtimeChanged = !isInPlace(places, version);
  const change = { runtimeChanged, isSameSigner: isSameSigner(places, version) };
  if (runtimeChanged) layRuntime(places, version);
  const job = await agent.jobOfSession();
  const keepsJob =
    job.kind === 'loaded' && job.path === places.plist && !runtimeChanged && service.plist() === plist;
  if (keepsJob) {
    // A `stop` that got half way leaves it to be gone after the next login.
    await agent.enable(true);
    await uninterrupted(async () => {
      pointAt(places, version);
      await agent.restart(job.pid);
    });
    return { running: await service.verify(), ...change };
  }
  stagePlist(places.plist, plist);
  const ranBefore = job.kind === 'loaded' && job.path === places.plist ? installedNow(service) : undefined;
  // While the old one still runs: launchd may refuse this.
  await agent.enable(true);
  await uninterrupted(async () => {
    await agent.bootout();
    try {
      await agent.untilGone();
      await putIn(service, version);
    } catch (cause) {
      if (ranBefore === undefined) throw cause;
      throw await withOldOneBack(service, ranBefore, cause);
    }
  });
  return { running: await service.verify(), ...change };
}

/** What an installation consists of, to be put back if need be. */
interface Installation {
  readonly version: string;
  readonly plist: string;
}

function installedNow(service: Service): Installation | undefined {
  const version = currentVersion(service.places);
  const plist = service.plist();
  return version === undefined || plist === undefined ? undefined : { version, plist };
}

/**
 * Switches to the version, whose runtime and plist are laid ready, and hands it to launchd. A plist that starts the app
 * comes when the app is in its place. One that starts `places.runtime` comes first: that leads to what the version
 * before runs with until the runtime is switched, so that no version is ever started with the node of another.
 */
async function putIn({ agent, places }: Service, version: string): Promise<void> {
  const isApp = runtimeIn(versionDirectory(places, version)).kind === 'app';
  const putPlist = () => renameSync(stagedName(places.plist), places.plist);
  if (!isApp) putPlist();
  pointAt(places, version);
  finishRuntime(places);
  if (isApp) putPlist();
  await agent.load();
}

/** Lets what ran before run again. Returns what went wrong, with whether an agent runs now. */
async function withOldOneBack(service: Service, before: Installation, cause: unknown): Promise<EdgeError> {
  const { places } = service;
  const fault =
    cause instanceof EdgeError ? cause : new EdgeError('install_failed', `${describeError(cause)}.`, '');
  try {
    if (!isInPlace(places, before.version)) layRuntime(places, before.version);
    stagePlist(places.plist, before.plist);
    await putIn(service, before.version);
  } catch (again) {
    return new EdgeError(
      fault.code,
      `${fault.message} The agent does not run now: ${before.version} could not be put back either (${describeError(again)}).`,
      `${fault.remedy} To have the agent run again: edge-agent start; for ${before.version}, if that is not the one: edge-agent rollback`.trim(),
      { cause },
    );
  }
  return new EdgeError(fault.code, `${fault.message} ${before.version} runs again.`, fault.remedy, { cause });
}

/** launchd accepts no plist that others may write to; others need not read it either. */
function stagePlist(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  rmSync(stagedName(path), { force: true });
  writeFileSync(stagedName(path), content, { mode: 0o600 });
}

/** launchd loads nothing at a login whose name does not end in .plist. */
function stagedName(path: string): string {
  return `${path}.new`;
}
