import { fork } from 'node:child_process';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { GATEWAY_CHILD } from './GatewayProcess.js';
import { settingsOn } from './GatewayWorld.js';
import { gatewayEngines } from './gatewayEngines.js';

const [sqlite] = gatewayEngines('SQLite');

test('a gateway of a test or a bench ends with that, however that dies', async () => {
  if (sqlite === undefined) throw new Error('an engine');
  const settings = await settingsOn(sqlite);
  const order = { settings: { ...settings, key: settings.key.toString('base64') } };
  const child = fork(GATEWAY_CHILD, [JSON.stringify(order)], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  if (child.stdout === null) throw new Error('unreachable: it is a pipe');
  await once(child.stdout, 'data');
  // As the kernel does for a parent that dies.
  child.disconnect();
  expect(await once(child, 'exit')).toEqual([0, null]);
});
