import { describe, expect, onTestFinished, test } from 'vitest';
import { ApiKeys } from '../../../src/gateway/api/ApiKeys.js';
import { createApiKey, findApiKey, revokeApiKey } from '../../../src/gateway/ledger/apiKeys.js';
import type { GatewayDatabase } from '../../../src/gateway/storage/GatewayDatabase.js';
import { FakeClock } from '../../support/FakeClock.js';
import { until } from '../../support/until.js';
import { GatewayWorld } from '../GatewayWorld.js';
import { gatewayEngines } from '../gatewayEngines.js';

const engines = gatewayEngines();
const NOW = Date.UTC(2026, 0, 1);

async function keyOf(database: GatewayDatabase) {
  const wanted = { name: 'an application', scopes: ['admin'], agents: null } as const;
  return database.transaction((tx) => createApiKey(tx, wanted, NOW));
}

const revoke = (database: GatewayDatabase, id: string) =>
  database.transaction((tx) => revokeApiKey(tx, id, NOW));

describe.each(engines)('a cached key, on $name', (engine) => {
  test('is no longer valid on any replica once it is revoked', async () => {
    const first = await GatewayWorld.start(engine);
    const isAlone = engine.name === 'SQLite';
    const worlds = isAlone ? [first] : [first, await GatewayWorld.open(first.settings)];
    const key = await first.addKey(['agents:read']);
    const statuses = () =>
      Promise.all(
        worlds.map(async ({ url }) => {
          const headers = { Authorization: `Bearer ${key}` };
          return (await fetch(`${url}/v1/agents`, { headers })).status;
        }),
      );
    expect(new Set(await statuses())).toEqual(new Set([200]));
    const { id = '' } = (await findApiKey(first.gateway.database, key)) ?? {};
    await first.admin['keys.revoke']({ id });
    await until(
      async () => (await statuses()).every((status) => status === 401),
      () => 'the refusals',
    );
  });

  test('is valid for 10 s where no notification of its revocation arrives, and not a moment longer', async () => {
    const database = await engine.open();
    const clock = new FakeClock(NOW);
    const keys = new ApiKeys(database, clock);
    const { key, secret } = await keyOf(database);
    expect(await keys.of(secret)).toEqual(key);
    await revoke(database, key.id);
    clock.advance(9_999);
    expect(await keys.of(secret)).toEqual(key);
    clock.advance(1);
    expect(await keys.of(secret)).toBeUndefined();
  });

  test('that is revoked during its lookup in the database is not cached', async () => {
    const database = await engine.open();
    const keys = new ApiKeys(database, new FakeClock(NOW));
    await keys.start();
    onTestFinished(() => keys.stop());
    const { key, secret } = await keyOf(database);
    const asked = keys.of(secret);
    keys.forget();
    expect(await asked).toEqual(key);
    await revoke(database, key.id);
    expect(await keys.of(secret)).toBeUndefined();
  });

  test('that does not exist yet is valid as soon as it is made', async () => {
    const database = await engine.open();
    const keys = new ApiKeys(database, new FakeClock(NOW));
    expect(await keys.of('eg_live_none')).toBeUndefined();
    const { key, secret } = await keyOf(database);
    expect(await keys.of(secret)).toEqual(key);
  });
});
