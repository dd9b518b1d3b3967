import { EdgeError } from '../errors.js';
import { type Activation, activate } from './activate.js';
import type { RunningAgent } from './LaunchAgent.js';
import { finishRuntime } from './runtimePlace.js';
import type { Service } from './Service.js';
import { uninterrupted } from './uninterrupted.js';
import { currentVersion, otherVersion } from './versions.js';

/** Lets launchd run the installed agent, now and at each login; resolves when it answers. Idempotent. */
export async function start(service: Service): Promise<RunningAgent> {
  const { agent, places } = service;
  service.requireInstalled();
  return service.alone(async () => {
    finishRuntime(places);
    service.requireNode(places.runtime);
    const job = await agent.jobOfSession();
    // Also of one that runs: a `stop` that got half way leaves it to be gone after the next login.
    await agent.enable(true);
    if (job.kind === 'loaded' && job.path === places.plist) await agent.kickstart();
    else {
      await uninterrupted(async () => {
        if (job.kind === 'loaded') await agent.unload();
        await agent.load();
      });
    }
    return service.verify();
  });
}

/** Ends the agent in order and keeps it from coming back, also at the next login, until `start`. Idempotent. */
export async function stop(service: Service): Promise<void> {
  const { agent } = service;
  service.requireInstalled();
  await service.alone(async () => {
    await agent.jobOfSession();
    await uninterrupted(async () => {
      // First: launchd may refuse this, and then all is as it was.
      await agent.enable(false);
      try {
        await agent.bootout();
      } catch (cause) {
        await agent.enable(true);
        throw cause;
      }
      await agent.untilGone();
    });
  });
}

/** Stops the agent cleanly and starts it again; resolves when the new process answers. */
export async function restart(service: Service): Promise<RunningAgent> {
  const { agent, places } = service;
  service.requireInstalled();
  const job = await agent.jobOfSession();
  if (job.kind !== 'loaded' || job.path !== places.plist) return start(service);
  service.requireNode(places.runtime);
  return service.alone(async () => {
    await agent.enable(true);
    await uninterrupted(() => agent.restart(job.pid));
    return service.verify();
  });
}

/**
 * Switches back to the version that ran before, the newest that is known to run; again, and it is the newer one. Throws
 * `not_installed` if there is no other.
 */
export async function rollback(service: Service): Promise<Activation & { from: string; to: string }> {
  const { places, print } = service;
  service.requireInstalled();
  return service.alone(async () => {
    const from = currentVersion(places);
    const to = otherVersion(places);
    if (from === undefined || to === undefined) {
      throw new EdgeError(
        'not_installed',
        'There is no other version to switch to.',
        'To install a specific version, run edge-agent install from that version.',
      );
    }
    print(`Switching back from ${from} to ${to}`);
    return { ...(await activate(service, to)), from, to };
  });
}
