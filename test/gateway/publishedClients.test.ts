import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { ROOT } from '../docs/page.js';
import { readJson } from '../kit/backend/PlainAgent.js';
import { until } from '../support/until.js';
import { GatewayWorld } from './GatewayWorld.js';
import { gatewayEngines } from './gatewayEngines.js';

/*
 * Clients as the published instructions write them, in the place of an agent: they show the plain secret. The gateway has to be told to
 * take that.
 */

const SECRET = 'your-secret-here';
const ID = 'edge_13238407486';
const [engine] = gatewayEngines();

async function clientsGateway(): Promise<{ world: GatewayWorld; key: string }> {
  if (engine === undefined) throw new Error('there is an engine');
  const world = await GatewayWorld.start(engine, { plainSecrets: true });
  await world.addAgent(ID, SECRET);
  return { world, key: await world.addKey(['admin']) };
}

/** Has a text sent as the instructions say, and resolves when the client has acked it. */
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

const python = ['python3', '/usr/bin/python3'].find(
  (one) => spawnSync(one, ['-c', 'import websockets'], { stdio: 'ignore' }).status === 0,
);
if (python === undefined)
  process.stderr.write('\n  SKIPPED: the client in Python needs websockets (Debian: python3-websockets).\n');

describe('a published client', () => {
  test.for(['payload', 'data'] as const)('for Node that reads a command under %s', async (key, context) => {
    const { world, key: admin } = await clientsGateway();
    const headers = { Authorization: `Bearer ${SECRET}`, 'X-Edge-Agent-Id': ID };
    const ws = new WebSocket(`${world.webSocketUrl}?edge_agent_id=${ID}`, { headers });
    context.onTestFinished(() => ws.terminate());
    const types: string[] = [];
    ws.on('open', () => ws.send(JSON.stringify({ type: 'ping' })));
    ws.on('message', (data) => {
      const message = JSON.parse(data.toString());
      types.push(message.type);
      if (message.type !== 'command') return;
      const { command_id } = message[key];
      ws.send(JSON.stringify({ type: 'command_ack', data: { command_id, status: 'completed' } }));
    });
    await carriesOut(world, admin);
    expect(types).toContain('pong');
  });

  test.skipIf(python === undefined)('for Python', async (context) => {
    const { world, key } = await clientsGateway();
    const env = { EDGE_SECRET: SECRET, EDGE_AGENT_ID: ID, BACKEND_URL: world.url.replace('http', 'ws') };
    const script = join(ROOT, 'test', 'seeds', 'client.py');
    const child = spawn(python ?? '', [script], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    context.onTestFinished(() => void child.kill('SIGKILL'));
    let said = '';
    child.stdout.on('data', (chunk) => {
      said += String(chunk);
    });
    await carriesOut(world, key);
    await until(
      () => said.includes('pong'),
      () => `a pong in ${said}`,
    );
  });
});
