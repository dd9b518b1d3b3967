// A bot behind the gateway: WEBHOOK_SECRET=whsec_… PORT=3000 node examples/bot.mjs (Node alone, nothing to install).
// The gateway posts events here, signed as Standard Webhooks has it. What is answered to message.received is sent to the person.
// An event may come again, with the same webhook-id: whatever else you do with it, do it once for each id.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

const { WEBHOOK_SECRET = '', PORT = '3000', HOST = '127.0.0.1' } = process.env;
const key = Buffer.from(WEBHOOK_SECRET.replace(/^whsec_/, ''), 'base64');
if (key.length === 0) throw new Error('set WEBHOOK_SECRET');

function isGenuine(
  { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signatures = '' },
  body,
) {
  if (!(Math.abs(Date.now() / 1000 - at) < 300)) return false; // else anyone who saw it once could send it again
  const right = createHmac('sha256', key).update(`${id}.${at}.`).update(body).digest();
  const given = signatures.split(' ').map((one) => Buffer.from(one.replace(/^v1,/, ''), 'base64')); // several: it is being rotated
  return given.some((one) => one.length === right.length && timingSafeEqual(one, right));
}

function answer({ type, data }) {
  if (type !== 'message.received') return {};
  return { reflex: 'one sec', bubbles: [`you said: ${data.message.filtered_text}`] };
}

async function serve(request) {
  const body = Buffer.concat(await request.toArray());
  if (!isGenuine(request.headers, body)) return [401, { error: 'not signed by the gateway' }];
  return [200, answer(JSON.parse(body))];
}

const server = createServer((request, response) =>
  serve(request)
    .catch((error) => [500, { error: error.message }]) // the gateway tries again
    .then(([status, body]) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
    ),
);
server.listen(Number(PORT), HOST, () => console.log(`listening on http://${HOST}:${server.address().port}`));
