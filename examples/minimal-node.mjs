// A backend for edge-agent in one file: EDGE_SECRET=… PORT=8787 node examples/minimal-node.mjs (needs: npm install ws).
// It says back what it is told. All lives in memory: a real one keeps it in a database, and answers a ping after that.
import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

const { EDGE_SECRET: secret, PORT: port = '8787' } = process.env;
if (!secret) throw new Error('set EDGE_SECRET');
const sockets = new Map(); // agent id → its one live socket
const waiting = new Map(); // agent id → Map of command id → command that is not acked
const replies = new Map(); // agent id and message guid → the reply that was given
const events = new Map(); // event id → what happened on the Mac, each once

// P1: base64("<agent id>:<phone>:<seconds>:<hmac>"). Returns 200, or a status to refuse with and why, on the console.
function judge(authorization, agentId) {
  const refuse = (status, why) => console.error(`refused ${agentId}: ${why}`) ?? status;
  const token = /^Bearer (\S+)$/.exec(authorization ?? '')?.[1];
  if (!token) return refuse(401, 'no Authorization: Bearer header');
  const text = Buffer.from(token, 'base64').toString();
  const [, signed, id, seconds, hmac] = /^((.+):[^:]*:(\d+)):([0-9a-f]{64})$/.exec(text) ?? [];
  if (!signed) return refuse(403, 'the token is not a signed one (is auth.mode "secret"?)');
  if (id !== agentId) return refuse(403, `the token is for ${id}`);
  const age = Math.abs(Date.now() / 1000 - seconds);
  if (age > 86_400) return refuse(403, 'the token is of another day: are both clocks right?');
  const right = createHmac('sha256', secret).update(signed).digest('hex');
  if (timingSafeEqual(Buffer.from(right), Buffer.from(hmac))) return 200;
  return refuse(403, 'it is not signed with our EDGE_SECRET');
}

function commandsOf(agentId) {
  if (!waiting.has(agentId)) waiting.set(agentId, new Map());
  return waiting.get(agentId);
}

// P3.5: kept until it is acked, and sent at once where a socket is up.
function push(agentId, payload) {
  const command = {
    command_id: `cmd_${randomUUID()}`,
    command_type: 'send_message_now',
    payload,
    timestamp: new Date().toISOString(),
  };
  commandsOf(agentId).set(command.command_id, command);
  sockets.get(agentId)?.send(JSON.stringify({ type: 'command', data: command }));
  return { success: true, command_id: command.command_id, instant: sockets.has(agentId) };
}

function ack(agentId, { command_id }) {
  commandsOf(agentId).delete(command_id);
  return { success: true };
}

// P7: each guid is answered once, without waiting for others (P7.6, P7.7); the reflex goes ahead over the asking agent's socket.
function answer(agentId, { message_guid, thread_id, filtered_text }) {
  const key = `${agentId} ${message_guid}`;
  if (!replies.has(key)) {
    const text = 'one sec';
    if (sockets.has(agentId))
      push(agentId, { thread_id, text, bubble_type: 'reflex', in_reply_to: message_guid });
    replies.set(key, { should_respond: true, reply_bubbles: [text, `you said: ${filtered_text}`] });
  }
  return replies.get(key);
}

const endpoints = {
  '/edge/register': (_, body) => ({
    edge_agent_id: `edge_${body.user_phone.replace('+', '').toLowerCase()}`,
    accepts: ['event'],
  }),
  '/edge/sync': (id, { command_acks = [], pending_events = [] }) => {
    for (const one of command_acks) ack(id, one);
    for (const one of pending_events) events.set(one.event_id, one);
    return {
      commands: [...commandsOf(id).values()],
      ack_events: pending_events.map((event) => event.event_id),
      ack_commands: command_acks.map((one) => one.command_id),
    };
  },
  '/edge/message': answer,
  '/edge/command/ack': ack,
  '/photo/upload': () => ({ success: true }),
  '/api/send-message': (_, { edge_agent_id: id, thread_id, message: text }) => push(id, { thread_id, text }),
};

async function serve(request) {
  const path = request.url.split('?')[0];
  if (path === '/edge/ws') return [426, { error: 'connect with a WebSocket' }];
  if (!Object.hasOwn(endpoints, path)) return [404, { error: 'no such endpoint' }];
  const { authorization, 'x-edge-agent-id': agentId } = request.headers;
  const isOurs = path === '/api/send-message' && authorization === `Bearer ${secret}`;
  const status = isOurs ? 200 : path === '/api/send-message' ? 401 : judge(authorization, agentId);
  if (status !== 200) return [status, { error: 'refused' }];
  const body = Buffer.concat(await request.toArray()).toString();
  return [200, endpoints[path](agentId, path === '/photo/upload' ? {} : JSON.parse(body || '{}'))];
}

const server = createServer((request, response) =>
  serve(request)
    .catch((error) => [400, { error: error.message }])
    .then(([status, body]) => response.writeHead(status).end(JSON.stringify(body))),
);
const webSockets = new WebSocketServer({ server, path: '/edge/ws' });
webSockets.on('connection', (socket, request) => {
  const agentId = new URL(request.url, 'http://localhost').searchParams.get('edge_agent_id');
  const { authorization, 'x-edge-agent-id': header } = request.headers;
  const status = header === agentId ? judge(authorization, agentId) : 403;
  if (status !== 200) return socket.close(status === 401 ? 4001 : 1008);
  sockets.get(agentId)?.close(4409);
  sockets.set(agentId, socket);
  // A late close of a socket that was replaced must not lose its successor.
  socket.on('close', () => sockets.get(agentId) === socket && sockets.delete(agentId));
  socket.on('error', () => socket.terminate());
  socket.on('message', (data) => {
    try {
      const frame = JSON.parse(data);
      if (frame.type === 'ping') socket.send('{"type":"pong"}');
      if (frame.type === 'command_ack') ack(agentId, frame.data);
      if (frame.type === 'event') events.set(frame.data.event_id, frame.data);
    } catch (error) {
      console.error(`not understood: ${error.message}`);
    }
  });
  socket.send('{"type":"connected","data":{"accepts":["event"]}}');
  for (const command of commandsOf(agentId).values())
    socket.send(JSON.stringify({ type: 'command', data: command }));
});
server.listen(port, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
