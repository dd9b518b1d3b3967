import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';

type Json = Record<string, unknown>;

/**
 * A backend that has just what the quick start for backend engineers shows: a socket that answers pings, a way to push a text, and
 * an answer to messages with its reflex by the socket. It compares the plain secret, offers nothing again, and has no syncs. An
 * unknown path is answered as Express does it. Resolves with its URL.
 */
export async function quickStartBackend(secret: string, context: TestContext): Promise<string> {
  const connections = new Map<string, WebSocket>();
  const isValid = (authorization: string | undefined) => authorization === `Bearer ${secret}`;
  const push = (agentId: string, command: Json) => {
    const socket = connections.get(agentId);
    if (socket?.readyState !== WebSocket.OPEN) return false;
    socket.send(JSON.stringify({ type: 'command', data: { command_id: randomUUID(), ...command } }));
    return true;
  };
  const routes: Record<string, (body: Json, agentId: string) => Json> = {
    '/api/send-message': ({ edge_agent_id, thread_id, message }) => {
      const payload = { thread_id, message_text: message, send_at: new Date().toISOString() };
      push(String(edge_agent_id), { command_type: 'schedule_message', payload, priority: 'normal' });
      return { success: true };
    },
    '/edge/message': ({ thread_id }, agentId) => {
      const text = 'okie lemme see';
      push(agentId, {
        command_type: 'send_message_now',
        payload: { thread_id, text, bubble_type: 'reflex' },
        priority: 'immediate',
        timestamp: new Date().toISOString(),
      });
      return { should_respond: true, reply_bubbles: [text, 'bubble 2', 'bubble 3'] };
    },
  };
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString();
    const route = request.method === 'POST' ? routes[request.url ?? ''] : undefined;
    const answer = (status: number, text: string) => response.writeHead(status).end(text);
    if (route === undefined) return answer(404, `<pre>Cannot ${request.method} ${request.url}</pre>`);
    if (!isValid(request.headers.authorization)) return answer(401, '{"error":"unauthorized"}');
    return answer(200, JSON.stringify(route(JSON.parse(body), String(request.headers['x-edge-agent-id']))));
  });
  const sockets = new WebSocketServer({ server, path: '/edge/ws' });
  sockets.on('connection', (socket, request) => {
    const agentId = new URL(request.url ?? '', 'http://localhost').searchParams.get('edge_agent_id') ?? '';
    if (!isValid(request.headers.authorization)) return socket.close(4001, 'Unauthorized');
    connections.set(agentId, socket);
    socket.on('message', (data) => {
      const { type } = JSON.parse(String(data));
      if (type === 'ping') socket.send(JSON.stringify({ type: 'pong' }));
    });
    socket.on('close', () => connections.delete(agentId));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.onTestFinished(() => {
    sockets.close();
    server.close();
    server.closeAllConnections();
    for (const socket of sockets.clients) socket.terminate();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
