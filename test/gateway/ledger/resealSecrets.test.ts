import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { addAgent, rotateSecret, secretsOf } from '../../../src/gateway/ledger/agents.js';
import { resealSecrets } from '../../../src/gateway/ledger/resealSecrets.js';
import { SecretBox } from '../../../src/gateway/ledger/SecretBox.js';
import {
  createWebhook,
  rotateWebhookSecret,
  webhookWithSecrets,
} from '../../../src/gateway/ledger/webhookEndpoints.js';
import type { GatewayDatabase } from '../../../src/gateway/storage/GatewayDatabase.js';
import { gatewayEngines } from '../gatewayEngines.js';
import { gate } from '../storage/contract.js';

const NOW = 1_000_000;
const OVERLAP_MS = 60_000;
const [OLD, NEW] = [randomBytes(32), randomBytes(32)];
const oldBox = new SecretBox(OLD);

/** Agents and a webhook, each with two secrets, all sealed under the old key; gives the id of the webhook. */
async function filled(database: GatewayDatabase): Promise<string> {
  return database.transaction(async (transaction) => {
    for (const id of ['edge_1', 'edge_2']) {
      await addAgent(transaction, oldBox, { id, name: null, isInvited: false }, NOW);
      await rotateSecret(transaction, oldBox, id, OVERLAP_MS, NOW + 1);
    }
    const wanted = {
      keyId: 'key',
      url: 'https://a.example.com/',
      events: ['*'],
      agents: null,
      description: null,
    };
    const { endpoint } = await createWebhook(transaction, oldBox, wanted, NOW);
    await rotateWebhookSecret(transaction, oldBox, endpoint.id, OVERLAP_MS, NOW);
    return endpoint.id;
  });
}

/** Every secret, as it opens with a box. */
async function secrets(
  database: GatewayDatabase,
  box: SecretBox,
  webhook: string,
): Promise<readonly string[]> {
  const of = (id: string) => secretsOf(database, box, id, NOW + 2);
  const hook = await webhookWithSecrets(database, box, webhook, NOW + 2);
  return [...(await of('edge_1')), ...(await of('edge_2')), ...(hook?.secrets ?? [])];
}

const ENGINES = gatewayEngines();

describe.each(ENGINES)('a new key of the gateway on $name', (engine) => {
  test('opens every secret alone once all are sealed again, and nothing is left to do', async () => {
    const database = await engine.open();
    const webhook = await filled(database);
    const before = await secrets(database, oldBox, webhook);
    expect(before).toHaveLength(6);
    const both = new SecretBox(NEW, [OLD]);
    expect(await resealSecrets(database, both)).toBe(5);
    expect(await secrets(database, new SecretBox(NEW), webhook)).toEqual(before);
    expect(await resealSecrets(database, both)).toBe(0);
  });

  test('that meets a secret which a rotation has just replaced keeps the newer one, and seals that', async () => {
    const database = await engine.open();
    const webhook = await filled(database);
    const both = new SecretBox(NEW, [OLD]);
    const rotated = new Map<string, string | undefined>();
    let looks = 0;
    const racing: GatewayDatabase = {
      ...bound(database),
      async transaction(work) {
        looks += 1;
        // The first one only waits for others. What was read before this is out of date when it is written.
        if (looks === 2)
          rotated.set(
            'edge_1',
            await database.transaction((tx) => rotateSecret(tx, oldBox, 'edge_1', OVERLAP_MS, NOW + 2)),
          );
        if (looks === 3)
          rotated.set(
            webhook,
            await database.transaction((tx) => rotateWebhookSecret(tx, oldBox, webhook, OVERLAP_MS, NOW)),
          );
        return database.transaction(work);
      },
    };
    await resealSecrets(racing, both);
    const after = await secrets(database, new SecretBox(NEW), webhook);
    expect(after).toEqual(expect.arrayContaining([...rotated.values()]));
  });

  test('that cannot open one secret leaves the others readable, and says so', async () => {
    const database = await engine.open();
    const webhook = await filled(database);
    const stranger = new SecretBox(randomBytes(32));
    await database.transaction((tx) =>
      addAgent(tx, stranger, { id: 'edge_3', name: null, isInvited: false }, NOW),
    );
    const both = new SecretBox(NEW, [OLD]);
    await expect(resealSecrets(database, both)).rejects.toMatchObject({ code: 'secret_missing' });
    expect(await secrets(database, both, webhook)).toHaveLength(6);
  });
});

// On PostgreSQL the keys change over by restarts, which end what is being stored.
test.each(ENGINES.filter(({ name }) => name === 'SQLite'))(
  'a new key of the gateway on $name also seals what was being stored under the old one at that moment',
  async (engine) => {
    const database = await engine.open();
    const box = new SecretBox(OLD);
    const sealed = gate();
    const stored = gate();
    const adding = database.transaction(async (tx) => {
      await addAgent(tx, box, { id: 'edge_1', name: null, isInvited: false }, NOW);
      sealed.resolve();
      await stored.promise;
    });
    await sealed.promise;
    box.adopt(NEW);
    const resealing = resealSecrets(database, box);
    stored.resolve();
    await adding;
    expect(await resealing).toBe(1);
    expect(await secretsOf(database, new SecretBox(NEW), 'edge_1', NOW)).toHaveLength(1);
  },
);

function bound(database: GatewayDatabase): GatewayDatabase {
  return {
    dialect: database.dialect,
    nowMs: database.nowMs,
    soon: database.soon,
    waitingMs: 0,
    query: (...given) => database.query(...given),
    transaction: (work) => database.transaction(work),
    notify: (...given) => database.notify(...given),
    listen: (...given) => database.listen(...given),
    close: () => database.close(),
  };
}
