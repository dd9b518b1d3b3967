import { expect, test } from 'vitest';
import {
  AGENT,
  failures,
  judgeBackend,
  OTHER,
  SECRET,
  withVerdict,
} from '../kit/conformance/judgeBackend.js';
import { GatewayWorld } from './GatewayWorld.js';
import { gatewayEngines } from './gatewayEngines.js';
import { Receiver } from './webhooks/Receiver.js';

/** Sends a reflex over the socket, then answers with it and the text it received. */
async function chattyBot(world: GatewayWorld): Promise<void> {
  const bot = await Receiver.start();
  bot.answer = (response, { event }) => {
    const { agent, data } = JSON.parse(JSON.stringify(event));
    const { thread_id, message_guid, filtered_text } = data.message;
    const payload = { thread_id, text: 'one sec', bubble_type: 'reflex', in_reply_to: message_guid };
    const answer = { reflex: 'one sec', bubbles: [`you said: ${filtered_text}`] };
    void world
      .command(`reflex_${message_guid}`, agent, { type: 'send_message_now', payload })
      .then(() =>
        response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer)),
      );
  };
  await world.addWebhook(bot.url);
}

test.each(gatewayEngines('PostgreSQL'))(
  'the gateway on $name passes every check of the protocol',
  async (engine) => {
    const world = await GatewayWorld.start(engine, { rate: { perSecond: 100, burst: 200 } });
    for (const { id } of [AGENT, OTHER]) await world.addAgent(id, SECRET);
    await chattyBot(world);
    const sendKey = await world.addKey(['messages:write']);
    const results = await judgeBackend(world.url, { sendKey });
    expect(failures(results)).toEqual([]);
    expect(withVerdict(results, 'MISSING')).toEqual([]);
    // It is no https, and the check of silence takes more than a minute.
    expect(withVerdict(results, 'SKIP')).toEqual(['transport.tls', 'socket.idle']);
    for (const { id } of [AGENT, OTHER]) expect(await world.waiting(id)).toEqual([]);
  },
);
