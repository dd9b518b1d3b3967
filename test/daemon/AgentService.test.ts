import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { AgentService } from '../../src/daemon/AgentService.js';
import { socketPath } from '../../src/operator/socketPath.js';
import { InstanceLock } from '../../src/store/InstanceLock.js';
import { systemClock } from '../../src/system/clock.js';
import { temporaryDirectory } from '../support/temporaryStore.js';
import { until } from '../support/until.js';

test('between waiting and running, the agent’s lock is never free', async () => {
  const directory = temporaryDirectory();
  const state = join(directory, 'state');
  const config = join(directory, 'config.yaml');
  const env = { EDGE_STATE_DIRECTORY: state, USER_PHONE: '+13105550100', BACKEND_URL: 'http://127.0.0.1:9' };
  writeFileSync(config, 'nonsense: 1\n');
  const held: boolean[] = [];
  const isHeld = () => InstanceLock.isHeld(join(state, 'agent.lock'));
  const service = new AgentService({
    places: { configPath: config, env, cwd: directory, homeDir: directory, platform: 'linux' },
    clock: systemClock,
    stopped: new Promise(() => undefined),
    run: (_, lock) => {
      held.push(isHeld());
      lock?.release();
      held.push(isHeld());
      return Promise.resolve(undefined);
    },
    complain: () => undefined,
  });
  const ended = service.run();
  await until(
    () => existsSync(socketPath(state)),
    () => 'the socket of the waiting agent',
  );
  writeFileSync(config, 'edge:\n');
  await ended;
  expect(held).toEqual([true, false]);
});
