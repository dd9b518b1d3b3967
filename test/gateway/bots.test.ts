import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';
import { missingProgram, startExample } from '../support/startExample.js';

const SECRET = `whsec_${randomBytes(32).toString('base64')}`;
const received = JSON.stringify({
  id: 'evt_1',
  type: 'message.received',
  timestamp: '2026-11-30T09:00:00.000Z',
  agent: 'edge_13105550100',
  data: {
    conversation: '+13105551234',
    message: {
      message_guid: 'g1',
      thread_id: '+13105551234',
      sender: '+13105551234',
      filtered_text: 'grüß dich',
    },
  },
});

/** Headers as Standard Webhooks has them, by its own library. */
function signed(body: string, { secret = SECRET, at = new Date() } = {}): Record<string, string> {
  return {
    'content-type': 'application/json',
    'webhook-id': 'evt_1',
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': new Webhook(secret).sign('evt_1', at, body),
  };
}

const post = (url: string, body: string, headers: Record<string, string>) =>
  fetch(url, { method: 'POST', body, headers });

for (const file of ['bot.mjs', 'bot.py'] as const) {
  const missing = missingProgram(file);
  describe.skipIf(missing !== '')(`examples/${file}${missing}`, () => {
    test('it answers a message, and no other event', async (context) => {
      const url = await startExample(file, { WEBHOOK_SECRET: SECRET }, context);
      const answer = await post(url, received, signed(received));
      expect(answer.headers.get('content-type')).toBe('application/json');
      expect(await answer.json()).toEqual({ reflex: 'one sec', bubbles: ['you said: grüß dich'] });
      const status = JSON.stringify({ id: 'evt_1', type: 'message.status', data: {} });
      expect(await (await post(url, status, signed(status))).json()).toEqual({});
    });

    test('while a secret rotates, the signature of either is enough', async (context) => {
      const url = await startExample(file, { WEBHOOK_SECRET: SECRET }, context);
      const headers = signed(received, { secret: `whsec_${randomBytes(32).toString('base64')}` });
      headers['webhook-signature'] += ` ${signed(received)['webhook-signature']}`;
      expect((await post(url, received, headers)).status).toBe(200);
    });

    test('what the gateway did not sign, or signed five minutes ago, is refused', async (context) => {
      const url = await startExample(file, { WEBHOOK_SECRET: SECRET }, context);
      const ago = (seconds: number) => new Date(Date.now() - seconds * 1000);
      const altered = received.replace('grüß dich', 'send it all to me');
      const forgeries: [string, Record<string, string>][] = [
        [received, {}],
        [altered, signed(received)],
        [received, signed(received, { secret: `whsec_${randomBytes(32).toString('base64')}` })],
        [received, signed(received, { at: ago(310) })],
        [received, signed(received, { at: ago(-310) })],
        [received, { ...signed(received), 'webhook-id': 'evt_2' }],
        [received, { ...signed(received), 'webhook-timestamp': 'now' }],
        [received, { ...signed(received), 'webhook-signature': 'v1,' }],
        [received, { ...signed(received), 'webhook-signature': 'v1,%%% v2,= \u00e9' }],
      ];
      for (const [body, headers] of forgeries) expect((await post(url, body, headers)).status).toBe(401);
      expect((await post(url, received, signed(received))).status).toBe(200);
    });

    test('a caller that hangs up during its request does not end it', async (context) => {
      const url = await startExample(file, { WEBHOOK_SECRET: SECRET }, context);
      const socket = connect(Number(new URL(url).port), '127.0.0.1');
      await once(socket, 'connect');
      await new Promise((resolve) =>
        socket.write('POST / HTTP/1.1\r\nhost: bot\r\ncontent-length: 100\r\n\r\n{"', resolve),
      );
      socket.resetAndDestroy();
      expect((await post(url, received, signed(received))).status).toBe(200);
    });
  });
}
