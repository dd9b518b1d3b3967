import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { expect, type TestContext, test } from 'vitest';
import WebSocket from 'ws';
import { silent } from '../../src/kit/backend/persona.js';
import { SimulatedBackend } from '../../src/kit/backend/SimulatedBackend.js';
import { HEADERS, ID, nodeClient, python, pythonClient, SECRET, webSocketOf } from './publishedClients.js';

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
  await backend.until(({ acks }) => acks.length === 1);
  expect(await backend.commands.counts(ID)).toEqual({ pending: 0, acked: 1 });
}

test.for(['payload', 'data'] as const)(
  'the client for Node that reads a command under %s has its ping answered and executes a command',
  async (key, context) => {
    const backend = await devBackend(context);
    const client = nodeClient(context, backend.url, key);
    await carriesOut(backend);
    await client.ponged();
  },
);

/** The signed token of the instructions for production. */
function signedToken(agentId: string, phone: string): string {
  const data = `${agentId}:${phone}:${Math.floor(Date.now() / 1000)}`;
  const signature = createHmac('sha256', SECRET).update(data).digest('hex');
  return Buffer.from(`${data}:${signature}`).toString('base64');
}

test('the client that signs its token is admitted where the plain secret is not', async (context) => {
  const backend = await SimulatedBackend.start({
    port: 0,
    secret: SECRET,
    persona: silent,
    production: true,
    adminKey: 'the-key-of-the-operators',
  });
  context.onTestFinished(() => backend.stop());
  const dial = (token: string) => {
    const headers = { ...HEADERS, Authorization: `Bearer ${token}` };
    const ws = new WebSocket(webSocketOf(backend.url), { headers });
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

test.skipIf(python === undefined)(
  'the client for Python has its ping answered and executes a command',
  async (context) => {
    const backend = await devBackend(context);
    const client = pythonClient(context, backend.url);
    await carriesOut(backend);
    await client.ponged();
  },
);
