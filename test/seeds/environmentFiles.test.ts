import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { echo } from '../../src/kit/backend/persona.js';
import { SimulatedBackend } from '../../src/kit/backend/SimulatedBackend.js';
import { agentIdOf } from '../../src/model/agentId.js';
import { Sandbox } from '../config/sandbox.js';
import { DaemonProcess } from '../support/DaemonProcess.js';
import { EdgeWorld, PERSON } from '../support/EdgeWorld.js';
import { cleanEnvironment } from '../support/runCli.js';
import { temporaryDirectory } from '../support/temporaryDirectory.js';

const FILES = {
  'id, secret and the address of the socket': [
    'EDGE_SECRET=<shared_secret>          # shared signing secret\nEDGE_AGENT_ID=edge_13106781670  # yours\nBACKEND_WS_URL=wss://api.example.com/edge/ws\n',
    { phone: '+13106781670', url: 'https://api.example.com' },
    ['edge.user_phone from edge.agent_id (.env:2)', 'backend.url from backend.websocket_url (.env:3)'],
  ],
  'the address of the backend as a WebSocket': [
    'BACKEND_URL=wss://dev.example.com\nEDGE_SECRET=your-shared-secret-here\nEDGE_AGENT_ID=edge_13238407486\n',
    { phone: '+13238407486', url: 'https://dev.example.com' },
    ['edge.user_phone from edge.agent_id (.env:3)'],
  ],
} as const;

test.for(Object.entries(FILES))('an .env with %s is enough', ([, [text, expected, derived]]) => {
  const box = new Sandbox();
  box.write('work/.env', text);
  const loaded = box.load();
  const { edge, backend } = loaded.config;
  expect({ phone: edge.user_phone, url: backend.url }).toEqual(expected);
  expect(loaded.derived).toEqual(derived);
  expect(loaded.sources['edge.user_phone']).toBe('derived');
});

test('an empty config.yaml is like none', () => {
  const box = new Sandbox();
  box.write('work/.env', FILES['id, secret and the address of the socket'][0]);
  for (const text of ['', '\n  \n', '# nothing yet\n'])
    expect(box.loadYaml(text).config.edge.user_phone).toBe('+13106781670');
});

test('a given value overrides a derived one', () => {
  const box = new Sandbox();
  box.write('work/.env', FILES['id, secret and the address of the socket'][0]);
  const loaded = box.loadYaml(
    'edge:\n  user_phone: "+13105550100"\nbackend:\n  url: https://b.example.com\n',
  );
  expect(loaded.config.edge.user_phone).toBe('+13105550100');
  expect(loaded.config.backend.url).toBe('https://b.example.com');
  expect(loaded.derived).toEqual([]);
});

test.for(['my-mac', 'edge_', 'edge_12', 'edge_13106781670_b', 'edge_+13106781670'])(
  'an id that is not made of a phone number identifies no one: %s',
  (id) => {
    const box = new Sandbox();
    const env = { EDGE_AGENT_ID: id, BACKEND_WS_URL: 'wss://api.example.com/edge/ws' };
    expect(() => box.load({ env })).toThrowError(/edge\.user_phone: found nothing/);
  },
);

test('a socket address that is refused is reported once, and no backend URL is derived from it', () => {
  const box = new Sandbox();
  const env = { EDGE_AGENT_ID: 'edge_13106781670', BACKEND_WS_URL: 'ws://api.example.com/edge/ws' };
  expect(() => box.load({ env })).toThrowError(/backend\.websocket_url: found/);
});

test('a config.yaml that is emptied while the agent runs does not select every default', () => {
  const box = new Sandbox();
  box.write('work/.env', FILES['id, secret and the address of the socket'][0]);
  const loaded = box.loadYaml('privacy:\n  redact: [phone]\n');
  box.write('work/config.yaml', '');
  expect(() => loaded.reload()).toThrowError(/config\.yaml is empty/);
});

test('the agent runs with such an .env alone, and its status says what was derived', async (context) => {
  const secret = 'your-shared-secret-here';
  const backend = await SimulatedBackend.start({ port: 0, secret, persona: echo });
  const cwd = temporaryDirectory(context);
  const socket = `${backend.url.replace('http', 'ws')}/edge/ws`;
  writeFileSync(
    join(cwd, '.env'),
    `EDGE_SECRET=${secret}\nEDGE_AGENT_ID=edge_13106781670\nBACKEND_WS_URL=${socket}\n`,
    { mode: 0o600 },
  );
  const daemon = DaemonProcess.spawn({ cwd, env: cleanEnvironment(cwd) });
  context.onTestFinished(async () => {
    await daemon.dispose();
    await backend.stop();
  });
  await daemon.line(/WebSocket connected - real-time mode enabled/);
  const { snapshot } = await daemon.status();
  expect(snapshot?.agent_id).toBe('edge_13106781670');
  expect(snapshot?.derived_settings).toEqual([
    'edge.user_phone from edge.agent_id (.env:2)',
    'backend.url from backend.websocket_url (.env:3)',
  ]);
});

test('an account with only an e-mail address is known by it, and its agent is named after it', () => {
  const box = new Sandbox();
  const env = { USER_ADDRESS: 'Someone@Example.com', BACKEND_URL: 'https://b.example.com' };
  const loaded = box.load({ env });
  expect(loaded.config.edge.user_phone).toBe('someone@example.com');
  expect(loaded.derived).toEqual(['edge.user_phone from edge.user_address (USER_ADDRESS (environment))']);
  expect(agentIdOf(loaded.config.edge.user_phone)).toBe('edge_someone@example.com');
  const byId = box.load({ env: { ...env, USER_ADDRESS: '', EDGE_AGENT_ID: 'edge_someone@example.com' } });
  expect(byId.config.edge.user_phone).toBe('someone@example.com');
  expect(() => box.load({ env: { BACKEND_URL: env.BACKEND_URL } })).toThrowError(/USER_PHONE.*USER_ADDRESS/);
});

test('the agent of such an account registers, links and answers', async (context) => {
  const world = await EdgeWorld.open(context);
  world.writeConfig({ 'edge.user_phone': 'Someone@example.com' });
  await world.start();
  await world.backend.until(({ connections }) => connections.length === 1);
  expect(world.backend.connections[0]?.agentId).toBe('edge_someone@example.com');
  world.mac.chatDb.receive({ from: PERSON, text: 'hello' });
  await world.sent(1);
});
