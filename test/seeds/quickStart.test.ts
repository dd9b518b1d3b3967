import { expect, test } from 'vitest';
import { nextToBuild } from '../../src/kit/conformance/nextStep.js';
import { judgeBackend, withVerdict } from '../kit/conformance/judgeBackend.js';
import { EdgeWorld, PERSON, SECRET as WORLD_SECRET } from '../support/EdgeWorld.js';
import { quickStartBackend } from './quickStartBackend.js';

const SECRET = 'your-shared-secret-here';

test('a backend with only what the quick start shows is judged by what it has, and gets advice on what to build next', async (context) => {
  const url = await quickStartBackend(SECRET, context);
  const results = await judgeBackend(url, { secret: SECRET, sendKey: SECRET, auth: 'secret' });
  expect(nextToBuild(results)).toBe(
    'Build next: POST /edge/sync (docs/protocol.md §6); without it nothing reaches an agent without a socket.',
  );
  expect(withVerdict(results, 'MISSING')).toEqual([
    'register.answer',
    'auth.http.signed',
    'auth.ack.signed',
    'auth.upload.signed',
  ]);
  expect(withVerdict(results, 'PASS')).toEqual(
    expect.arrayContaining([
      'auth.socket.signed',
      'auth.message.signed',
      'auth.message.missing',
      'auth.message.forged',
      'auth.socket.missing',
      'auth.socket.forged',
      'keepalive.pong',
      'push.live',
      'push.envelope',
      'push.order',
      'ack.socket',
      'message.reply',
      'message.sequence',
      'message.reflex',
      'size.message',
    ]),
  );
  // What it does wrong by the protocol, each to be found by the check that is named after it, and nothing else.
  expect(withVerdict(results, 'FAIL')).toEqual([
    'auth.socket.query',
    'socket.plain-get',
    'socket.replaced',
    'redelivery.reconnect',
    'redelivery.offline',
    'message.repeat',
  ]);
});

test('a backend that compares the plain secret is shown how it can be judged', async (context) => {
  const url = await quickStartBackend(SECRET, context);
  const only = ['auth.message.signed'];
  const results = await judgeBackend(url, { secret: SECRET }, { only });
  expect(results.at(-1)).toMatchObject({ verdict: 'FAIL' });
  expect(results.at(-1)?.came).toContain('It accepts the plain secret: use --auth secret');
});

test('a real agent answers a person over such a backend, each bubble once', async (context) => {
  const world = await EdgeWorld.open(context);
  world.writeConfig({ 'backend.url': await quickStartBackend(WORLD_SECRET, context), 'auth.mode': 'secret' });
  const daemon = await world.start();
  world.mac.chatDb.receive({ from: PERSON, text: 'Can you find me the best deal for a Mac mini?' });
  await world.sent(3);
  expect(world.texts).toEqual(['okie lemme see', 'bubble 2', 'bubble 3']);
  const { snapshot } = await daemon.statusUntil((status) => status.snapshot?.acks_undelivered === 0);
  expect(snapshot?.problems).toEqual([]);
});
