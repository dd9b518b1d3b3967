import { environment } from '../../system/environment.js';
import { isNewer, newestVersion } from '../../system/npmRegistry.js';
import { upgradeRemedy } from '../../system/upgradeRemedy.js';
import { type Check, pass, skip, warn } from '../checks/check.js';
import { outboundOf } from './network.js';

/** Whether there is a newer version. Asked only where the operator allows it. */
export const updateCheck = (version: string): Check => ({
  id: 'update',
  title: 'a newer version',
  async run(context) {
    if (!context.config.loaded.config.updates.check) return skip('updates.check is off');
    // As npm would: its variables are among ours, and a check starts with few of them.
    const ports = {
      ...context,
      env: environment(),
      outbound: outboundOf(context),
      signal: new AbortController().signal,
    };
    const newest = await newestVersion(ports);
    if (newest.kind === 'unknown') return skip(`not known: ${newest.detail}`);
    if (!isNewer(newest.version, version)) return pass(`${version} is the newest`);
    return warn(`${newest.version} is available; you run ${version}`, upgradeRemedy(newest.version));
  },
});
