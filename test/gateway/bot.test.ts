import type { ServerResponse } from 'node:http';
import { describe, expect, test } from 'vitest';
import { incoming, SECRET as PLAIN_SECRET } from '../kit/backend/PlainAgent.js';
import { EdgeWorld, PERSON, SECRET } from '../support/EdgeWorld.js';
import { until } from '../support/until.js';
import { GatewayWorld } from './GatewayWorld.js';
import { gatewayEngines } from './gatewayEngines.js';
import { Receiver } from './webhooks/Receiver.js';

const say = (response: ServerResponse, ...bubbles: string[]) =>
  response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify({ bubbles }));

describe.each(gatewayEngines('SQLite'))('a bot behind the gateway on $name', (engine) => {
  test('answers a message in the reply of its request, and every repeat gets the same one', async () => {
    const world = await GatewayWorld.start(engine);
    const bot = await Receiver.start();
    bot.answer = (response, { event }) =>
      say(response, `you said ${JSON.stringify(event.data).includes('hello')}`);
    await world.addWebhook(bot.url);
    const posts = [1, 2, 3].map(() => world.post('/edge/message', incoming('g1')));
    for (const { status, body } of await Promise.all(posts))
      expect([status, body]).toEqual([200, { should_respond: true, burst_messages: ['you said true'] }]);
    expect((await world.post('/edge/message', incoming('g1'))).body).toMatchObject({ should_respond: true });
    expect(bot.received).toHaveLength(1);
  });

  test('that takes too long is silent in the reply, and its answer follows as a command, once', async () => {
    const world = await GatewayWorld.start(engine, { answerMs: 300 });
    const bot = await Receiver.start();
    let speak: (() => void) | undefined;
    bot.answer = (response) => {
      speak = () => say(response, 'at last');
    };
    await world.addWebhook(bot.url);
    const socket = await world.connect();
    expect((await world.post('/edge/message', incoming('g1'))).body).toEqual({ should_respond: false });
    await bot.count(1);
    speak?.();
    expect(await socket.next('command')).toMatchObject({
      data: { payload: { text: 'at last', thread_id: '+13105551234', in_reply_to: 'g1' } },
    });
    expect((await world.post('/edge/message', incoming('g1'))).body).toEqual({ should_respond: false });
    await socket.barrier();
    expect(socket.commandIds()).toHaveLength(1);
  });

  test('that answers nothing releases the agent at once', async () => {
    const world = await GatewayWorld.start(engine);
    const bot = await Receiver.start();
    await world.addWebhook(bot.url);
    expect((await world.post('/edge/message', incoming('g1'))).body).toEqual({ should_respond: false });
  });

  test('is asked by the next gateway where the first stops during its work, and the agent is answered once', async () => {
    const world = await GatewayWorld.start(engine);
    const bot = await Receiver.start();
    bot.answer = () => undefined;
    await world.addWebhook(bot.url);
    const waiting = world.post('/edge/message', incoming('g1'));
    await bot.count(1);
    const stopped = world.gateway.stop();
    expect(await waiting).toMatchObject({ status: 503 });
    await stopped;
    bot.answer = (response) => say(response, 'hi');
    const next = await GatewayWorld.open(world.settings);
    expect((await next.post('/edge/message', incoming('g1'))).body).toMatchObject({ burst_messages: ['hi'] });
    expect(await next.eventTypes()).toEqual(['message.received']);
  });

  test('talks with a person through a real agent on a Mac', async (context) => {
    const gateway = await GatewayWorld.start(engine);
    const world = await EdgeWorld.open(context, {
      settings: { 'backend.url': gateway.url },
      secret: PLAIN_SECRET,
    });
    expect(SECRET).not.toBe(PLAIN_SECRET);
    const bot = await Receiver.start();
    bot.answer = (response) => say(response, 'hi', 'what can I do for you?');
    await gateway.addWebhook(bot.url);
    await world.start();
    world.mac.chatDb.receive({ from: PERSON, text: 'hello' });
    await world.sent(2);
    expect(world.texts).toEqual(['hi', 'what can I do for you?']);
    await until(
      async () => (await gateway.eventTypes()).filter((type) => type === 'message.status').length >= 2,
      () => 'the agent to tell of both bubbles',
    );
  });
});
