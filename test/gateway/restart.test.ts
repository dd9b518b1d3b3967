import { expect, test } from 'vitest';
import { publishMessage } from '../../src/gateway/ledger/agentReports.js';
import { addAgent } from '../../src/gateway/ledger/agents.js';
import { claimConnection, holderOf, renewReplica } from '../../src/gateway/ledger/connections.js';
import { SecretBox } from '../../src/gateway/ledger/SecretBox.js';
import { createWebhook } from '../../src/gateway/ledger/webhookEndpoints.js';
import { leaseLanes } from '../../src/gateway/ledger/webhookLanes.js';
import { AGENT_ID, SECRET } from '../kit/backend/PlainAgent.js';
import { GatewayWorld, settingsOn } from './GatewayWorld.js';
import { gatewayEngines } from './gatewayEngines.js';
import { Receiver } from './webhooks/Receiver.js';

const sqlite = gatewayEngines('SQLite').filter(({ name }) => name === 'SQLite');

test.each(sqlite)('a gateway on $name that was killed waits for none of its own leases', async (engine) => {
  const settings = await settingsOn(engine);
  const receiver = await Receiver.start();
  const database = await engine.open(settings.storage.kind === 'sqlite' ? settings.storage.path : '');
  const now = Date.now();
  // What a process leaves behind that dies while it posts to a webhook.
  await database.transaction(async (tx) => {
    const box = new SecretBox(settings.key);
    await addAgent(tx, box, { id: AGENT_ID, name: null, isInvited: false, secret: SECRET }, now);
    await renewReplica(tx, 'dead', 15_000, now);
    await claimConnection(tx, AGENT_ID, 'dead', now);
    const wanted = { keyId: 'k', url: receiver.url, events: ['*'], agents: null, description: null };
    const { endpoint } = await createWebhook(tx, box, wanted, now);
    const body = { message_guid: 'g1', thread_id: '+1', sender: '+1', filtered_text: 'hi' };
    await publishMessage(tx, AGENT_ID, 'g1', body, now);
    await leaseLanes(tx, endpoint.id, { owner: 'dead', leaseMs: 90_000, limit: 1 }, now);
  });
  await database.close();
  const world = await GatewayWorld.open(settings);
  expect(await holderOf(world.gateway.database, AGENT_ID)).toBeUndefined();
  await receiver.count(1);
});
