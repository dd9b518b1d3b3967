import { rmSync } from 'node:fs';
import type { Service } from './Service.js';
import { uninterrupted } from './uninterrupted.js';

/**
 * Stops the agent and removes LaunchAgent, program and runtime; configuration, state and logs stay. launchd keeps no
 * record of it. False: it was not installed. Without a desktop session there is no job, and the files are removed
 * anyway.
 */
export async function uninstall(service: Service): Promise<boolean> {
  const { agent, places } = service;
  const wasInstalled = service.plist() !== undefined;
  await service.alone(async () => {
    const job = await agent.job();
    await uninterrupted(async () => {
      if (job.kind === 'loaded') await agent.unload();
      // First: a LaunchAgent without its program would fail to start at each login.
      rmSync(places.plist, { force: true });
      rmSync(places.root, { recursive: true, force: true });
      if (wasInstalled && job.kind !== 'noSession') await agent.enable(true);
    });
  });
  return wasInstalled;
}
