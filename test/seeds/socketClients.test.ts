import { spawn, spawnSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, type TestContext, test } from 'vitest';
import WebSocket from 'ws';
import { silent } from '../../src/kit/backend/persona.js';
import { SimulatedBackend } from '../../src/kit/backend/SimulatedBackend.js';
import { ROOT } from '../docs/page.js';
import { until } from '../support/until.js';

/*
 * Clients as the published instructions write them, in the place of an agent. They show the plain secret, ping, read a command under
 * `payload` or under `data`, and ack it.
 */

const SECRET = 'your-secret-here';
const ID = 'edge_13238407486';

async function devBackend(context: TestContext): Promise<SimulatedBackend> {
  const backend = await SimulatedBackend.start({ port: 0, secret: SECRET, persona: silent });
  context.onTestFinished(() => backend.stop());
  return backend;
}

/** Pushes a text as soon as the client is there; resolves when its ack was read. */
async function carriesOut(backend: SimulatedBackend): Promise<void> {
  await backend.until(({ connections }) => connections.length === 1);
  backend.pushCommand({
    command_id: 'msg_xyz789',
    command_type: 'schedule_message',
    payload: { thread_id: 'iMessage;-;+15551234567', message_text: 'hey!', send_at: '2025-11-15T18:30:00Z' },
  });
  await backend.until(({ commands }) => commands.counts(ID).acked === 1);
}

const headersOf = { Authorization: `Bearer ${SECRET}`, 'X-Edge-Agent-Id': ID };
const addressOf = ({ url }: SimulatedBackend) => `${url.replace('http', 'ws')}/edge/ws?edge_agent_id=${ID}`;

test.for(['payload', 'data'] as const)(
  'the client for Node that reads a command under %s has its ping answered and carries a command out',
  async (key, context) => {
    const backend = await devBackend(context);
    const ws = new WebSocket(addressOf(backend), { headers: headersOf });
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
    await carriesOut(backend);
    await until(
      () => types.includes('pong'),
      () => `a pong among ${types.join(', ')}`,
    );
  },
);

/** The signed token of the instructions for production. */
function signedToken(agentId: string, phone: string): string {
  const data = `${agentId}:${phone}:${Math.floor(Date.now() / 1000)}`;
  const signature = createHmac('sha256', SECRET).update(data).digest('hex');
  return Buffer.from(`${data}:${signature}`).toString('base64');
}

test('the client that signs its token is let in where the plain secret is not', async (context) => {
  const backend = await SimulatedBackend.start({
    port: 0,
    secret: SECRET,
    persona: silent,
    production: true,
    adminKey: 'the-key-of-the-operators',
  });
  context.onTestFinished(() => backend.stop());
  const dial = (token: string) => {
    const headers = { ...headersOf, Authorization: `Bearer ${token}` };
    const ws = new WebSocket(addressOf(backend), { headers });
    context.onTestFinished(() => ws.terminate());
    return ws;
  };
  const [code] = await once(dial(SECRET), 'close');
  expect(code).toBe(1008);
  const ws = dial(signedToken(ID, '+13238407486'));
  ws.on('message', (data) => {
    const msg = JSON.parse(String(data));
    if (msg.type !== 'command') return;
    const ack = {
      command_id: msg.data.command_id,
      status: 'completed',
      completed_at: new Date().toISOString(),
      error: null,
    };
    ws.send(JSON.stringify({ type: 'command_ack', data: ack }));
  });
  await carriesOut(backend);
});

/** A Python that has the package `websockets`; undefined, and said loudly, where there is none. */
function pythonWithWebsockets(): string | undefined {
  const program = ['python3', '/usr/bin/python3'].find(
    (one) => spawnSync(one, ['-c', 'import websockets'], { stdio: 'ignore' }).status === 0,
  );
  if (program === undefined)
    process.stderr.write(
      '\n  SKIPPED: the client in Python needs websockets (Debian: python3-websockets).\n',
    );
  return program;
}

const python = pythonWithWebsockets();

test.skipIf(python === undefined)(
  'the client for Python has its ping answered and carries a command out',
  async (context) => {
    const backend = await devBackend(context);
    const script = join(ROOT, 'test', 'seeds', 'client.py');
    const env = { EDGE_SECRET: SECRET, EDGE_AGENT_ID: ID, BACKEND_URL: backend.url.replace('http', 'ws') };
    const child = spawn(python ?? '', [script], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    context.onTestFinished(() => void child.kill('SIGKILL'));
    let said = '';
    child.stdout.on('data', (chunk) => {
      said += String(chunk);
    });
    await carriesOut(backend);
    await until(
      () => said.includes('pong'),
      () => `a pong in ${said}`,
    );
  },
);
