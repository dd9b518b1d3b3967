import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';

const LOAD = join(import.meta.dirname, '../../../bench/load.mjs');

test('200 agents and 100 commands a second: each gets its own commands, once, and every ack is counted', async () => {
  const { measureLoad } = await import(pathToFileURL(LOAD).href);
  const load = await measureLoad({ agents: 200, perSecond: 100, seconds: 2 });
  expect(load).toMatchObject({ connected: 200, sent: 200, acked: 200, strays: 0 });
  expect(load.pushToAck).toMatchObject({ count: 200, p99: expect.any(Number) });
  expect(load.pongs).toBeGreaterThan(0);
});
