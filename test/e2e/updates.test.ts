import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { EdgeWorld } from '../support/EdgeWorld.js';

test('status and doctor report a newer version, and how to get it, once the check is switched on', async (context) => {
  const bin = { 'edge-agent': 'dist/cli/main.js' };
  let asked = 0;
  const server = createServer((_, response) => {
    asked += 1;
    response.end(JSON.stringify({ name: 'edge-agent', version: '99.0.0', bin }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const world = await EdgeWorld.open(context);
  world.place.env.npm_config_registry = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const daemon = await world.start();
  expect((await world.cli('doctor', '--json')).stdout).toContain('updates.check is off');
  expect(asked).toBe(0);
  world.writeConfig({ 'updates.check': true });
  const { exitCode, snapshot } = await daemon.statusUntil((answer) => answer.snapshot?.update !== undefined);
  expect(snapshot).toMatchObject({ state: 'healthy', update: { version: '99.0.0' } });
  expect(exitCode).toBe(0);
  expect(asked).toBe(1);
  const told = /99\.0\.0 is available; you run \d+\.\d+\.\d+/;
  const screen = (await world.cli('status')).stdout.replaceAll(/\s+/g, ' ');
  expect(screen).toMatch(told);
  expect(screen).toContain('npm install -g --allow-scripts=better-sqlite3 edge-agent@99.0.0');
  expect((await world.cli('doctor', '--json')).stdout).toMatch(told);
});
