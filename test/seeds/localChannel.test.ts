import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import WebSocket from 'ws';
import { Browser, browserPath } from '../support/Browser.js';
import { type Cleanup, EdgeWorld, PERSON } from '../support/EdgeWorld.js';
import { until } from '../support/until.js';

/** The real daemon with its local channel open, and the address that a client dials. */
async function channel(cleanup: Cleanup) {
  const world = await EdgeWorld.open(cleanup, { settings: { 'monitor.enabled': true, 'monitor.port': 0 } });
  const daemon = await world.start();
  const port = (await daemon.status()).snapshot?.monitor.port ?? 0;
  const { stdout } = await world.cli('monitor', 'token');
  return { world, url: `ws://127.0.0.1:${port}/ws?token=${stdout.trim()}` };
}

test('the client for Node of the instructions is admitted, and receives agent, texts, people and backend frames', async (cleanup) => {
  const { world, url } = await channel(cleanup);
  const ws = new WebSocket(url);
  cleanup.onTestFinished(() => ws.terminate());
  const heard: { type: string; data: Record<string, unknown> }[] = [];
  ws.on('open', () => ws.send(JSON.stringify({ type: 'user_presence', data: 'online' })));
  ws.on('message', (data) => heard.push(JSON.parse(String(data))));
  const comes = (type: string, fits: (data: Record<string, unknown>) => boolean = () => true) =>
    until(
      () => heard.some((frame) => frame.type === type && fits(frame.data)),
      () => `${type} among ${heard.map((frame) => frame.type).join(', ')}`,
    );
  await comes('user_presence', ({ status }) => status === 'online');
  expect(heard[0]).toMatchObject({ type: 'auth', data: { success: true } });
  await comes('agent_status', ({ state }) => state === 'idle');
  world.mac.chatDb.receive({ from: PERSON, text: 'hello' });
  await comes(
    'chat_message',
    ({ content, conversationId }) => content === 'hello' && conversationId === PERSON,
  );
  expect(world.backend.notify('All tests passed!', 'success')).toBe(true);
  await comes('notification', ({ level, message }) => level === 'success' && message === 'All tests passed!');
});

/** What the hook of the instructions does, without React: it never pings, and keeps what it receives. */
const HOOK = `(url) => {
  window.told = { isConnected: false, agentStatus: null, notifications: [] };
  const ws = new WebSocket(url);
  ws.onopen = () => { told.isConnected = true; };
  ws.onclose = () => { told.isConnected = false; };
  ws.onmessage = (event) => {
    const message = JSON.parse(event.data);
    if (message.type === 'agent_status') told.agentStatus = message.data;
    if (message.type === 'notification') told.notifications.push(message.data);
  };
}`;

const path = browserPath();

/** A page of another program on this machine; resolves with its address. */
async function page(cleanup: Cleanup): Promise<string> {
  const server = createServer((_request, response) =>
    response.setHeader('Content-Type', 'text/html').end('<!doctype html><link rel="icon" href="data:,">'),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanup.onTestFinished(() => server.closeAllConnections());
  cleanup.onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test.skipIf(path === undefined)(
  'a hook in a page of this machine is admitted and receives the same',
  async (cleanup) => {
    const { world, url } = await channel(cleanup);
    const browser = await Browser.open(path ?? '');
    cleanup.onTestFinished(() => browser.close());
    const { page: tab, faults } = await browser.tab();
    await tab.goto(await page(cleanup));
    await tab.evaluate(`(${HOOK})(${JSON.stringify(url)})`);
    await tab.waitForFunction('told.isConnected && told.agentStatus !== null');
    world.backend.notify('maintenance at noon', 'warning');
    await tab.waitForFunction('told.notifications.length > 0');
    expect(await tab.evaluate('told.notifications')).toContainEqual(
      expect.objectContaining({ level: 'warning', message: 'maintenance at noon' }),
    );
    expect(faults).toEqual([]);
  },
);

/** The class of the instructions: a heartbeat, a switch over what comes, and a presence. */
const CLIENT = `(url) => {
  window.heard = [];
  class CloudAgentsWebSocket {
    constructor() {
      this.ws = new WebSocket(url);
      this.ws.onopen = () => {
        this.send({ type: 'ping' });
        this.send({ type: 'user_presence', data: 'busy' });
      };
      this.ws.onmessage = ({ data }) => heard.push(JSON.parse(data));
    }
    send(message) {
      if (this.ws.readyState === WebSocket.OPEN) this.ws.send(JSON.stringify(message));
    }
  }
  window.client = new CloudAgentsWebSocket();
}`;

test.skipIf(path === undefined)('the client for browsers pings, and sends its presence', async (cleanup) => {
  const { url } = await channel(cleanup);
  const browser = await Browser.open(path ?? '');
  cleanup.onTestFinished(() => browser.close());
  const { page: tab, faults } = await browser.tab();
  await tab.goto(await page(cleanup));
  await tab.evaluate(`(${CLIENT})(${JSON.stringify(url)})`);
  await tab.waitForFunction("heard.some(({ type }) => type === 'pong')");
  await tab.waitForFunction(
    "heard.some(({ type, data }) => type === 'user_presence' && data.status === 'busy')",
  );
  expect(faults).toEqual([]);
});
