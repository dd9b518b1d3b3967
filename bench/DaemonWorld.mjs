import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { agentEnvironment, openPlaces } from './AgentWorld.mjs';

export const MAIN = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const PROBE = new URL('./usageProbe.mjs', import.meta.url).href;

/** The agent as a separate process, as in service, with its Mac and backend in this process. */
export class DaemonWorld {
  /** `extra`: what else is in its environment, or what gives that for its places. `preloaded`: URLs of modules that it loads first. */
  static async open(extra = {}, preloaded = []) {
    const places = await openPlaces();
    const more = typeof extra === 'function' ? extra(places) : extra;
    const env = { ...agentEnvironment(places), ...more };
    const { directory } = places;
    const configPath = join(directory, 'config.yaml');
    writeFileSync(configPath, 'logging:\n  level: info\n');
    const daemon = fork(MAIN, ['run'], {
      cwd: directory,
      env,
      execArgv: ['--optimize-for-size', ...[PROBE, ...preloaded].flatMap((url) => ['--import', url])],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    await places.backend.until((backend) => backend.statuses.length > 0, 15_000);
    return new DaemonWorld(places, env, daemon, configPath);
  }

  constructor(places, env, daemon, configPath) {
    const { directory, mac, backend } = places;
    Object.assign(this, { directory, mac, backend, places, env, daemon, configPath });
  }

  /**
   * The daemon's CPU time since its start (µs), resident memory now and at most (bytes), commits to its store, and bytes that it wrote to the disk (Linux
   * alone).
   */
  async usage() {
    this.daemon.send('usage');
    const [usage] = await once(this.daemon, 'message');
    return usage;
  }

  async close() {
    this.daemon.kill('SIGTERM');
    await once(this.daemon, 'exit');
    await this.places.close();
  }
}
