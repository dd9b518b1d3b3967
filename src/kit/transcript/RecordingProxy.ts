import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import { onWebSocketUpgrade, UPGRADE_OPTIONS } from '../../system/webSocketUpgrades.js';
import { bodyOf, listen, parsed } from './server.js';
import type { TranscriptFile } from './TranscriptFile.js';

/** The largest frame and body that pass, in bytes (16 MiB), as with the agent. */
const LIMIT = 16 * 1024 * 1024;

/** Headers that belong to one connection and not to the request (RFC 9110), and those that fetch sets itself or cannot send. */
const HOP = new Set([
  'host',
  'connection',
  'content-length',
  'content-encoding',
  'expect',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/** Pings of RFC 6455 are passed on, so that each side sees whether the other one lives. */
const SOCKET_OPTIONS = { perMessageDeflate: false, maxPayload: LIMIT, autoPong: false };

/**
 * Runs on this machine between an agent and its backend, passes everything on unchanged, including credentials, and
 * records it in a transcript. Refused handshakes, close codes and silence are passed on too.
 */
export class RecordingProxy {
  private readonly sockets = new WebSocketServer({ ...SOCKET_OPTIONS, noServer: true });
  private readonly pairs = new Set<[WebSocket, WebSocket]>();
  /** Agents whose handshake the backend has not answered yet. */
  private readonly dialling = new Set<Duplex>();
  private dials = 0;
  private requests = 0;

  private constructor(
    private readonly server: Server,
    private readonly backend: string,
    private readonly transcript: TranscriptFile,
  ) {
    server.on('request', (request, response) => void this.pass(request, response));
    onWebSocketUpgrade(server, (request, socket, head) => this.dial(request, socket, head));
  }

  /** `backend`: http(s), without a trailing slash. Listens on 127.0.0.1; port 0: a free one. Rejects with an EdgeError. */
  static async start(backend: string, port: number, transcript: TranscriptFile): Promise<RecordingProxy> {
    const server = createServer(UPGRADE_OPTIONS);
    const proxy = new RecordingProxy(server, backend, transcript);
    await listen(server, port);
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Cuts every connection. The transcript is left to its owner. */
  stop(): Promise<void> {
    for (const pair of this.pairs) for (const end of pair) end.terminate();
    for (const socket of this.dialling) socket.destroy();
    return new Promise((resolve) => {
      this.server.close(() => resolve());
      this.server.closeAllConnections();
    });
  }

  /** Never rejects: a backend that does not answer costs the agent its connection, as it would without us. */
  private async pass(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests += 1;
    const request = this.requests;
    const { method = 'GET', url: path = '/' } = incoming;
    const giveUp = new AbortController();
    response.on('close', () => giveUp.abort());
    try {
      const bytes = await bodyOf(incoming, LIMIT);
      // A query may hold an id.
      const [plain = path] = path.split('?');
      this.transcript.note({ kind: 'request', request, method, path: plain, body: parsed(bytes) });
      const answer = await fetch(this.backend + path, {
        method,
        headers: passedOn(incoming),
        redirect: 'manual',
        signal: giveUp.signal,
        ...(bytes.length > 0 ? { body: new Uint8Array(bytes) } : {}),
      });
      const body = Buffer.from(await answer.arrayBuffer());
      this.transcript.note({ kind: 'answer', request, status: answer.status, body: parsed(body) });
      for (const [name, value] of answer.headers) if (!HOP.has(name)) response.setHeader(name, value);
      response.writeHead(answer.status).end(body);
    } catch {
      // The agent's own words for a cut connection say what matters; that there was no answer is noted.
      this.transcript.note({ kind: 'answer', request, status: 0, body: undefined });
      response.destroy();
    }
  }

  /** The backend is connected first, so that the agent gets its answer to the handshake and not ours. */
  private dial(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.dials += 1;
    const number = this.dials;
    const headers = passedOn(request);
    for (const name of Object.keys(headers)) if (name.startsWith('sec-websocket')) delete headers[name];
    const upstream = new WebSocket(this.backend.replace(/^http/, 'ws') + (request.url ?? ''), {
      ...SOCKET_OPTIONS,
      headers,
      followRedirects: false,
    });
    let isSettled = false;
    this.dialling.add(socket);
    const settle = (run: () => void) => {
      if (isSettled) return;
      isSettled = true;
      this.dialling.delete(socket);
      run();
    };
    // The agent may have given up; afterwards its WebSocket says so.
    socket.on('error', () => settle(() => upstream.terminate()));
    socket.on('close', () => settle(() => upstream.terminate()));
    upstream.on('unexpected-response', (_request, response) =>
      settle(() => {
        const status = response.statusCode ?? 502;
        this.transcript.note({ kind: 'refused', socket: number, status });
        const kept = ['retry-after', 'date', 'location'].flatMap((name) =>
          response.headers[name] === undefined ? [] : [`${name}: ${String(response.headers[name])}`],
        );
        refuse(socket, status, kept);
        upstream.terminate();
      }),
    );
    upstream.on('error', () =>
      settle(() => {
        this.transcript.note({ kind: 'refused', socket: number, status: 0 });
        socket.destroy();
      }),
    );
    upstream.on('open', () =>
      settle(() => {
        upstream.pause();
        this.sockets.handleUpgrade(request, socket, head, (agent) => {
          this.transcript.note({ kind: 'open', socket: number });
          this.join(number, agent, upstream);
          upstream.resume();
        });
      }),
    );
  }

  private join(socket: number, agent: WebSocket, upstream: WebSocket): void {
    const pair: [WebSocket, WebSocket] = [agent, upstream];
    this.pairs.add(pair);
    const ways = [
      ['agent', agent, upstream],
      ['backend', upstream, agent],
    ] as const;
    for (const [from, source, target] of ways) {
      source.on('message', (data: Buffer, isBinary) => {
        const frame = isBinary ? undefined : parsed(data);
        this.transcript.note({ kind: 'frame', socket, from, frame, bytes: data.length });
        if (target.readyState === WebSocket.OPEN) target.send(data, { binary: isBinary });
      });
      source.on('ping', (data) => target.readyState === WebSocket.OPEN && target.ping(data));
      source.on('pong', (data) => target.readyState === WebSocket.OPEN && target.pong(data));
      // A frame that breaks the protocol; `close` follows.
      source.on('error', () => source.terminate());
      source.on('close', (code, reason) => {
        // Whichever end closes second only answers the first.
        if (this.pairs.delete(pair)) this.transcript.note({ kind: 'close', socket, from, code });
        if (code === 1006) target.terminate();
        else if (code === 1005) target.close();
        else target.close(code, reason);
      });
    }
  }
}

function passedOn(request: IncomingMessage): Record<string, string> {
  const headers = Object.entries(request.headers).filter(([name]) => !HOP.has(name));
  return Object.fromEntries(headers.map(([name, value]) => [name, String(value)]));
}

function refuse(socket: Duplex, status: number, headers: readonly string[]): void {
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Refused'}`,
    'Content-Length: 0',
    'Connection: close',
  ];
  socket.once('finish', () => socket.destroy());
  socket.end([...lines, ...headers, '', ''].join('\r\n'));
}
