import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type WebSocket, WebSocketServer } from 'ws';

const PAGE = fileURLToPath(new URL('../../dist/monitor-page/', import.meta.url));
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

export const TOKEN = 'a-good-token';

/** Answers one request; what it throws is answered as a fault, by its `code` if it has one. */
export type Play = (args: Record<string, unknown>) => unknown;

/** A frame as it came from the client. */
export interface Said {
  type: string;
  data?: unknown;
}

/**
 * The agent's end of the monitor as docs/monitor.md has it, with what the test puts on it: for what no real agent does at
 * a wish (fall silent, refuse, cut off), and for the page in every state.
 */
export class MonitorStage {
  /** Everything that clients have sent. */
  readonly said: Said[] = [];
  /** The tokens that clients came with, one a connection. */
  readonly tokens: (string | null)[] = [];
  /** False: connections are taken, and nothing is ever said to them. */
  speaks = true;
  private readonly sockets = new Set<WebSocket>();

  private constructor(
    private readonly http: Server,
    private readonly door: WebSocketServer,
    readonly port: number,
    /** Answers to requests by their verb. */
    readonly plays: Record<string, Play>,
    private readonly greeting: readonly object[],
  ) {
    door.on('connection', (socket, { url = '' }) => this.meet(socket, new URL(url, 'http://x')));
  }

  static async open(
    options: { port?: number; plays?: Record<string, Play>; greeting?: readonly object[] } = {},
  ): Promise<MonitorStage> {
    const http = createServer((request, response) => {
      const path = new URL(request.url ?? '/', 'http://x').pathname;
      if (path === '/session') {
        const isGood = request.headers.authorization === `Bearer ${TOKEN}`;
        response.writeHead(isGood ? 200 : 401, { 'content-type': 'application/json' });
        response.end(
          JSON.stringify(isGood ? { token: TOKEN, userId: 'ada' } : { error: 'The link has expired' }),
        );
        return;
      }
      const file = path === '/' ? 'index.html' : path.slice(1);
      response.writeHead(200, {
        'content-type': TYPES[extname(file)] ?? 'text/plain',
        'content-security-policy': `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self' ws://${request.headers.host}`,
      });
      response.end(readFileSync(`${PAGE}${file}`));
    });
    const door = new WebSocketServer({ server: http, path: '/ws' });
    await new Promise<void>((resolve) => http.listen(options.port ?? 0, '127.0.0.1', resolve));
    const { port } = http.address() as AddressInfo;
    return new MonitorStage(http, door, port, options.plays ?? {}, options.greeting ?? []);
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}/ws`;
  }

  get connections(): number {
    return this.sockets.size;
  }

  /** Says a frame to everybody. */
  say(type: string, data?: unknown): void {
    for (const socket of this.sockets) tell(socket, { type, data });
  }

  /** Says something that is perhaps no frame. */
  sayAsIs(text: string | Buffer): void {
    for (const socket of this.sockets) socket.send(text);
  }

  /** Ends all connections, with a close code or without a word. */
  drop(code?: number): void {
    for (const socket of this.sockets) {
      if (code === undefined) socket.terminate();
      else socket.close(code);
    }
  }

  async close(): Promise<void> {
    this.drop();
    this.door.close();
    this.http.closeAllConnections();
    await new Promise((resolve) => this.http.close(resolve));
  }

  private meet(socket: WebSocket, url: URL): void {
    const token = url.searchParams.get('token');
    this.tokens.push(token);
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    if (!this.speaks) return;
    if (token !== TOKEN) {
      tell(socket, { type: 'auth', data: { success: false, error: 'The token is not valid' } });
      return;
    }
    tell(socket, { type: 'auth', data: { success: true, userId: 'ada' } });
    for (const frame of this.greeting) tell(socket, frame);
    socket.on('message', (data) => this.heard(socket, JSON.parse(String(data)) as Said));
  }

  private heard(socket: WebSocket, frame: Said): void {
    this.said.push(frame);
    if (frame.type !== 'request') return;
    const { id, verb, args } = frame.data as { id: string; verb: string; args: Record<string, unknown> };
    const play = this.plays[verb];
    if (play === undefined) return;
    try {
      tell(socket, { type: 'response', data: { id, ok: true, result: play(args) } });
    } catch (error) {
      const { code = 'internal' } = error as { code?: string };
      const fault = { code, message: String(error), remedy: 'Try again.' };
      tell(socket, { type: 'response', data: { id, ok: false, error: fault } });
    }
  }
}

function tell(socket: WebSocket, frame: object): void {
  socket.send(JSON.stringify({ ...frame, timestamp: new Date().toISOString() }));
}
