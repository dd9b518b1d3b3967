import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describeError, EdgeError } from '../errors.js';
import type { RunningAgent } from './LaunchAgent.js';
import { finishRuntime, isSameRuntime, layRuntime } from './runtime.js';
import type { Service } from './Service.js';
import { uninterrupted } from './uninterrupted.js';
import { pointAt, versionDirectory } from './versions.js';

export interface Activation {
  readonly running: RunningAgent;
  /** The runtime was replaced by another one: macOS may ask for permissions again. */
  readonly runtimeChanged: boolean;
}

/**
 * Makes an installed version the one that runs, and sees that it does. Where only the program differs, launchd keeps
 * its job all the while: the link is switched, the old process ends in order, the new one starts. Else the job is taken
 * out, everything is switched, and it is put in again.
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
      `${version} could not be put in the place of what runs: ${describeError(cause)}.`,
      'Mend that, then run this again; edge-agent start runs what is there.',
      { cause },
    );
  }
}

async function switchTo(service: Service, version: string): Promise<Activation> {
  const { agent, places } = service;
  const directory = versionDirectory(places, version);
  const plist = readFileSync(join(directory, 'edge-agent.plist'), 'utf8');
  const runtimeChanged = !isSameRuntime(join(directory, 'runtime'), places.runtime);
  if (runtimeChanged) layRuntime(places, version);
  const job = await agent.jobOfSession();
  const keepsJob =
    job.kind === 'loaded' && job.path === places.plist && !runtimeChanged && service.plist() === plist;
  if (!keepsJob) stagePlist(places.plist, plist);
  await uninterrupted(async () => {
    if (keepsJob) {
      pointAt(places, version);
      await agent.restart(job.pid);
      return;
    }
    await agent.unload();
    pointAt(places, version);
    finishRuntime(places);
    renameSync(stagedName(places.plist), places.plist);
    await agent.load();
  });
  return { running: await agent.verify(), runtimeChanged };
}

/** launchd takes no plist that others may write to; nobody else need read it either. */
function stagePlist(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  rmSync(stagedName(path), { force: true });
  writeFileSync(stagedName(path), content, { mode: 0o600 });
}

/** launchd loads nothing at a login whose name does not end in .plist. */
function stagedName(path: string): string {
  return `${path}.new`;
}
