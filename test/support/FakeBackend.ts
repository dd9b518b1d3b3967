import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import { PATIENCE_MS } from './patience.js';

export interface Handshake {
  readonly at: number;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

export interface HttpCall {
  readonly at: number;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Record<string, unknown>;
}

export interface HttpReply {
  readonly status?: number;
  /** An object is sent as JSON, a string as it is. */
  readonly body?: object | string | null;
  readonly headers?: Record<string, string>;
}

type Responder = (call: HttpCall) => HttpReply | Promise<HttpReply>;
type JsonFrame = Record<string, unknown> & { type?: string };

/**
 * A backend that does what a test tells it: real HTTP and ws servers on one port. Everything that reaches it is
 * recorded; `until` waits for a condition on those records, which is checked whenever something happens.
 */
export class FakeBackend {
  readonly handshakes: Handshake[] = [];
  readonly calls: HttpCall[] = [];
  readonly frames: JsonFrame[] = [];
  /** Close codes of ended sockets, oldest first. */
  readonly closes: number[] = [];
  readonly sockets = new Set<WebSocket>();
  /** The most sockets that were ever open at once. */
  mostOpen = 0;
  private readonly connections = new Set<Socket>();
  private readonly http: Server;
  private readonly wss = new WebSocketServer({ noServer: true, maxPayload: 64 * 1024 * 1024 });
  private readonly responders = new Map<string, Responder>();
  private readonly waiters = new Set<() => void>();
  private refusal: { status: number; headers: Record<string, string> } | null = null;
  private hanging = false;
  private readonly held: (() => void)[] = [];
  private pongs = true;
  private closeOnOpen: { code: number; afterMs: number } | null = null;
  private greeting: object | null = null;
  private newestSocket: WebSocket | null = null;

  private constructor() {
    this.http = createServer((request, response) => void this.answer(request, response));
    this.http.on('connection', (socket) => {
      this.connections.add(socket);
      socket.on('close', () => this.connections.delete(socket));
      socket.on('error', () => socket.destroy());
    });
    this.http.on('upgrade', (request, socket, head) => this.upgrade(request, socket, head));
  }

  static async start(port = 0): Promise<FakeBackend> {
    const backend = new FakeBackend();
    await backend.listen(port);
    return backend;
  }

  get port(): number {
    return (this.http.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** The socket of now. */
  get socket(): WebSocket {
    if (!this.newestSocket) throw new Error('no socket was opened yet');
    return this.newestSocket;
  }

  /** Cuts the newest socket without a close frame. */
  drop(): void {
    this.socket.terminate();
  }

  /** The newest socket reads and answers nothing any more, but stays open. */
  freeze(): void {
    this.socket.pause();
  }

  /** Every socket reads again; one that the peer has cut while it was frozen ends now. */
  thaw(): void {
    for (const socket of this.sockets) socket.resume();
  }

  closeWith(code: number, reason = ''): void {
    this.socket.close(code, reason);
  }

  /** Every handshake to come is answered with this status; null: accepted. */
  refuse(status: number | null, headers: Record<string, string> = {}): void {
    this.refusal = status === null ? null : { status, headers };
  }

  /** Handshakes to come are not answered, unless `accept` is called. */
  hang(hanging = true): void {
    this.hanging = hanging;
  }

  /** Accepts the handshakes that hang, and those to come. */
  accept(): void {
    this.hanging = false;
    for (const accept of this.held.splice(0)) accept();
  }

  /** Sockets to come are closed right after they open. */
  closeOnceOpen(code: number | null, afterMs = 0): void {
    this.closeOnOpen = code === null ? null : { code, afterMs };
  }

  answerPings(answer: boolean): void {
    this.pongs = answer;
  }

  greetWith(frame: object | null): void {
    this.greeting = frame;
  }

  push(command: object): void {
    this.pushRaw(JSON.stringify({ type: 'command', data: command }));
  }

  pushRaw(frame: string | Buffer): void {
    this.socket.send(frame);
  }

  /** How a path is answered from now on; without one: 404, and /edge/sync with an empty reply. */
  on(path: string, responder: Responder | HttpReply): void {
    this.responders.set(path, typeof responder === 'function' ? responder : () => responder);
  }

  callsTo(path: string): HttpCall[] {
    return this.calls.filter((call) => call.path === path);
  }

  framesOf(type: string): JsonFrame[] {
    return this.frames.filter((frame) => frame.type === type);
  }

  /** Resolves as soon as `condition` holds; rejects after `timeoutMs`, saying what was awaited. */
  until(condition: () => boolean, what: string, timeoutMs = PATIENCE_MS): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      // Conditions on what happens elsewhere (a store, a log) are looked at again and again.
      const again = setInterval(() => look(), 10);
      const deadline = setTimeout(() => {
        clearInterval(again);
        this.waiters.delete(look);
        reject(new Error(`waited ${timeoutMs} ms for ${what}`));
      }, timeoutMs);
      const look = () => {
        if (!condition()) return;
        this.waiters.delete(look);
        clearTimeout(deadline);
        clearInterval(again);
        resolve();
      };
      this.waiters.add(look);
    });
  }

  /** Looks at the conditions again: for what happened elsewhere. */
  happened(): void {
    for (const look of [...this.waiters]) look();
  }

  /** Stops listening and cuts everything; `comeBack` listens on the same port again. */
  async goDown(): Promise<number> {
    const { port } = this;
    for (const socket of this.connections) socket.destroy();
    await new Promise<void>((resolve) => {
      this.http.close(() => resolve());
    });
    return port;
  }

  async comeBack(port: number): Promise<void> {
    await this.listen(port);
  }

  async stop(): Promise<void> {
    if (this.http.listening) await this.goDown();
    this.wss.close();
  }

  private listen(port: number): Promise<void> {
    return new Promise((resolve) => {
      this.http.listen(port, '127.0.0.1', resolve);
    });
  }

  private upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.handshakes.push({ at: performance.now(), url: request.url ?? '', headers: request.headers });
    this.happened();
    const accept = () => this.wss.handleUpgrade(request, socket, head, (ws) => this.opened(ws));
    if (this.hanging) {
      this.held.push(accept);
      return;
    }
    if (this.refusal) {
      const { status, headers } = this.refusal;
      const lines = Object.entries({ ...headers, Connection: 'close', 'Content-Length': '0' });
      socket.end(
        `HTTP/1.1 ${status} Refused\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`,
      );
      return;
    }
    accept();
  }

  private opened(ws: WebSocket): void {
    this.newestSocket = ws;
    this.sockets.add(ws);
    this.mostOpen = Math.max(this.mostOpen, this.sockets.size);
    ws.on('error', () => ws.terminate());
    ws.on('close', (code) => {
      this.sockets.delete(ws);
      this.closes.push(code);
      this.happened();
    });
    ws.on('message', (data) => {
      const frame = JSON.parse(String(data)) as JsonFrame;
      this.frames.push(frame);
      if (frame.type === 'ping' && this.pongs && ws.readyState === WebSocket.OPEN) ws.send('{"type":"pong"}');
      this.happened();
    });
    if (this.greeting) ws.send(JSON.stringify(this.greeting));
    const closing = this.closeOnOpen;
    if (closing) setTimeout(() => ws.close(closing.code), closing.afterMs);
    this.happened();
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const path = new URL(request.url ?? '/', 'http://fake').pathname;
    const body = JSON.parse(Buffer.concat(chunks).toString() || '{}') as Record<string, unknown>;
    const call: HttpCall = { at: performance.now(), path, headers: request.headers, body };
    this.calls.push(call);
    this.happened();
    const responder = this.responders.get(path);
    let reply: HttpReply;
    if (responder) reply = await responder(call);
    else
      reply = path === '/edge/sync' ? { body: { commands: [], ack_events: [] } } : { status: 404, body: {} };
    if (response.destroyed) return;
    const content = typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body ?? {});
    response.writeHead(reply.status ?? 200, reply.headers).end(reply.body === null ? '' : content);
  }
}
