import { once } from 'node:events';
import { WebSocket } from 'ws';
import { MAX_FRAME_BYTES } from '../../../src/backend/protocol.js';
import { mintToken } from '../../../src/gateway/agents/authentication.js';

export const SECRET = 'a-secret-of-the-tests';
export const AGENT_ID = 'edge_13105550100';
export const PHONE = '+13105550100';

/** Where a server of the edge protocol is. */
export interface EdgePlace {
  readonly url: string;
  readonly webSocketUrl: string;
}

export interface Frame {
  type: string;
  data?: Record<string, unknown>;
  payload?: Record<string, unknown>;
}

/** A signed token made now, as the agent would. */
export function freshToken(agentId = AGENT_ID, secret = SECRET): string {
  return mintToken(secret, agentId, PHONE, Math.floor(Date.now() / 1000));
}

/** The agent's end of a socket, as simple as possible: it keeps what arrived and lets a test wait for it. */
export class PlainSocket {
  readonly frames: Frame[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  private readonly waiting = new Set<() => void>();

  private constructor(readonly socket: WebSocket) {
    socket.on('message', (data) => {
      this.frames.push(JSON.parse(data.toString()));
      for (const look of this.waiting) look();
    });
    socket.on('error', () => socket.terminate());
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
  }

  /** Resolves when the upgrade was answered with 101, whatever comes after. */
  static async open(
    backend: EdgePlace,
    options: { agentId?: string; authorization?: string | null; url?: string } = {},
  ): Promise<PlainSocket> {
    const agentId = options.agentId ?? AGENT_ID;
    const { authorization = `Bearer ${freshToken(agentId)}` } = options;
    const socket = new WebSocket(options.url ?? `${backend.webSocketUrl}?edge_agent_id=${agentId}`, {
      // As an agent reads them.
      maxPayload: MAX_FRAME_BYTES,
      headers: {
        'X-Edge-Agent-Id': agentId,
        ...(authorization === null ? {} : { Authorization: authorization }),
      },
    });
    const plain = new PlainSocket(socket);
    await once(socket, 'open');
    return plain;
  }

  /** A socket that is greeted, so that the backend knows it too. */
  static async connect(backend: EdgePlace, agentId = AGENT_ID, secret = SECRET): Promise<PlainSocket> {
    const authorization = `Bearer ${freshToken(agentId, secret)}`;
    const plain = await PlainSocket.open(backend, { agentId, authorization });
    await plain.next('connected');
    return plain;
  }

  send(frame: unknown): void {
    this.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  /** The nth frame of a type, counted from 1, as soon as it is there. */
  next(type: string, nth = 1): Promise<Frame> {
    return new Promise((resolve) => {
      const look = () => {
        const frame = this.frames.filter((one) => one.type === type)[nth - 1];
        if (frame === undefined) return;
        this.waiting.delete(look);
        resolve(frame);
      };
      this.waiting.add(look);
      look();
    });
  }

  /** Resolves when everything sent before was read by the backend: the pong barrier. */
  async barrier(): Promise<void> {
    const pongs = this.frames.filter((one) => one.type === 'pong').length;
    this.send({ type: 'ping' });
    await this.next('pong', pongs + 1);
  }

  commandIds(): unknown[] {
    return this.frames.filter((one) => one.type === 'command').map((one) => one.data?.command_id);
  }
}

/** How the upgrade was refused. */
export async function refusedUpgrade(
  url: string,
  headers: Record<string, string> = {},
): Promise<{ status: number | undefined; retryAfter: string | undefined }> {
  const socket = new WebSocket(url, { headers });
  socket.on('error', () => socket.terminate());
  const [, response] = await once(socket, 'unexpected-response');
  response.resume();
  socket.terminate();
  return { status: response.statusCode, retryAfter: response.headers['retry-after'] };
}

export interface Answer {
  status: number;
  headers: Headers;
  body: Record<string, unknown>;
}

/** A POST with an agent's credentials. */
export async function post(
  backend: EdgePlace,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(backend.url + path, {
    method: 'POST',
    headers: { Authorization: `Bearer ${freshToken()}`, 'X-Edge-Agent-Id': AGENT_ID, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, body: await readJson(response) };
}

export async function readJson(response: Response): Promise<Record<string, unknown>> {
  const parsed: Record<string, unknown> = JSON.parse(await response.text());
  return parsed;
}

/** An incoming message as the agent posts it. */
export function incoming(guid: string, text = 'hello'): Record<string, unknown> {
  return {
    message_guid: guid,
    thread_id: '+13105551234',
    chat_guid: 'iMessage;-;+13105551234',
    sender: '+13105551234',
    filtered_text: text,
    is_group: false,
    mode: 'direct',
    participants: ['+13105551234'],
    service: 'iMessage',
    timestamp: '2026-02-16T00:00:00Z',
  };
}

export const ack = (commandId: string, more: Record<string, unknown> = {}) => ({
  type: 'command_ack',
  data: { command_id: commandId, status: 'completed', success: true, error: null, ...more },
});
