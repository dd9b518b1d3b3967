import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { TestContext } from 'vitest';
import WebSocket from 'ws';
import { ROOT } from '../docs/page.js';
import { until } from '../support/until.js';

/*
 * Clients as the published instructions write them, in the place of an agent. They show the plain secret, ping, read a command under
 * `payload` or under `data`, and ack it.
 */

export const SECRET = 'your-secret-here';
export const ID = 'edge_13238407486';
export const HEADERS = { Authorization: `Bearer ${SECRET}`, 'X-Edge-Agent-Id': ID };

/** A client that runs; `ponged` resolves once its ping was answered. */
export interface PublishedClient {
  ponged(): Promise<void>;
}

/** The client for Node that reads a command under `key`, on this backend or gateway (`http://…`). */
export function nodeClient(context: TestContext, url: string, key: 'payload' | 'data'): PublishedClient {
  const ws = new WebSocket(webSocketOf(url), { headers: HEADERS });
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
  return {
    ponged: () =>
      until(
        () => types.includes('pong'),
        () => `a pong among ${types.join(', ')}`,
      ),
  };
}

/** A Python that has the package `websockets`; undefined, with a loud warning, where there is none. */
export const python = ['python3', '/usr/bin/python3'].find(
  (one) => spawnSync(one, ['-c', 'import websockets'], { stdio: 'ignore' }).status === 0,
);
if (python === undefined)
  process.stderr.write('\n  SKIPPED: the client in Python needs websockets (Debian: python3-websockets).\n');

export function pythonClient(context: TestContext, url: string): PublishedClient {
  const env = { EDGE_SECRET: SECRET, EDGE_AGENT_ID: ID, BACKEND_URL: url.replace('http', 'ws') };
  const script = join(ROOT, 'test', 'seeds', 'client.py');
  const child = spawn(python ?? '', [script], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  context.onTestFinished(() => void child.kill('SIGKILL'));
  let said = '';
  child.stdout.on('data', (chunk) => {
    said += String(chunk);
  });
  return {
    ponged: () =>
      until(
        () => said.includes('pong'),
        () => `a pong in ${said}`,
      ),
  };
}

/** Where the clients connect. */
export function webSocketOf(url: string): string {
  return `${url.replace('http', 'ws')}/edge/ws?edge_agent_id=${ID}`;
}
