import { describe, expect, test } from 'vitest';
import { readJson } from '../kit/backend/PlainAgent.js';
import { ID, nodeClient, python, pythonClient, SECRET } from '../seeds/publishedClients.js';
import { until } from '../support/until.js';
import { GatewayWorld } from './GatewayWorld.js';
import { gatewayEngines } from './gatewayEngines.js';

const [engine] = gatewayEngines();

/** A gateway that accepts the plain secret. */
async function clientsGateway(): Promise<{ world: GatewayWorld; key: string }> {
  if (engine === undefined) throw new Error('there is an engine');
  const world = await GatewayWorld.start(engine, { plainSecrets: true });
  await world.addAgent(ID, SECRET);
  return { world, key: await world.addKey(['admin']) };
}

/** Has a text sent as the instructions show, and resolves when the client has acked it. */
async function carriesOut(world: GatewayWorld, key: string): Promise<void> {
  const stats = async () =>
    readJson(await fetch(`${world.url}/edge/websocket/stats`, { headers: { 'X-Admin-Key': key } }));
  await until(
    async () => (await stats()).total_connections === 1,
    () => 'the client to connect',
  );
  const body = JSON.stringify({ edge_agent_id: ID, thread_id: '+15551234567', message: 'hey!' });
  const answer = await fetch(`${world.url}/api/send-message`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${key}` },
    body,
  });
  expect(await readJson(answer)).toMatchObject({ success: true, delivery: 'websocket', instant: true });
  await until(
    async () => (await stats()).commands_acked === 1,
    () => 'the ack of the client',
  );
}

describe('a published client', () => {
  test.for(['payload', 'data'] as const)('for Node that reads a command under %s', async (key, context) => {
    const { world, key: admin } = await clientsGateway();
    const client = nodeClient(context, world.url, key);
    await carriesOut(world, admin);
    await client.ponged();
  });

  test.skipIf(python === undefined)('for Python', async (context) => {
    const { world, key } = await clientsGateway();
    const client = pythonClient(context, world.url);
    await carriesOut(world, key);
    await client.ponged();
  });
});
