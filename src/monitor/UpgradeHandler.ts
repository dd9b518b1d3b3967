import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Clock } from '../system/clock.js';
import { CLOSE, CLOSING_MS, Client } from './Client.js';
import type { Clients } from './Clients.js';
import type { MonitorSecret } from './MonitorSecret.js';
import { isLocal } from './origin.js';
import { RateLimit } from './rateLimit.js';
import { type JudgedToken, judgeToken } from './tokens.js';

/** Larger frames end the connection with 1009. */
const MOST_FRAME_BYTES = 64 * 1024;
/** All clients; and of these, those without a valid token, so that they cannot keep operators out. */
const MOST_CLIENTS = 100;
const MOST_STRANGERS = 20;
/** Handshakes; beyond it the cheapest refusal is given. */
const HANDSHAKE_RATE = { burst: 600, perSecond: 50 };

/** Where a request's address begins does not matter here. */
const ANY_BASE = 'http://localhost';

interface UpgradeHandlerOptions {
  secret: MonitorSecret;
  clients: Clients;
  clock: Clock;
  /** A client whose token was judged; `refusal` says why it is a stranger. */
  onClient: (client: Client, socket: WebSocket, refusal: string) => void;
}

/** Where WebSockets come in: who may, how many, how fast. The token is judged before anything is said. */
export class UpgradeHandler {
  private readonly sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MOST_FRAME_BYTES,
    perMessageDeflate: false,
    clientTracking: false,
  });
  private readonly handshakes = new RateLimit(HANDSHAKE_RATE);
  private readonly coming = new Set<Duplex>();
  private closed = false;

  constructor(private readonly options: UpgradeHandlerOptions) {}

  /** Answers an upgrade. Never throws. */
  receive(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    stream.on('error', () => stream.destroy());
    const refusal = this.refusal(request);
    if (refusal !== undefined) refuse(stream, refusal);
    else if (this.isFull) {
      this.sockets.handleUpgrade(request, stream, head, (socket) => this.turnAway(socket));
    } else this.letIn(request, stream, head).catch(() => stream.destroy());
  }

  /** Pending upgrades are refused, and no new ones are accepted. */
  close(): void {
    this.closed = true;
    for (const stream of this.coming) stream.destroy();
  }

  private refusal(request: IncomingMessage): string | undefined {
    const { host, origin } = request.headers;
    // First, and not counted: another site's page must not use up what our own has.
    if (!isLocal({ host, origin })) return '403 Forbidden';
    if (this.closed || !this.handshakes.take(this.options.clock.monotonic()))
      return '503 Service Unavailable';
    return addressOf(request)?.pathname === '/ws' ? undefined : '404 Not Found';
  }

  private async letIn(request: IncomingMessage, stream: Duplex, head: Buffer): Promise<void> {
    this.coming.add(stream);
    const judged = await this.judge(addressOf(request)?.searchParams.get('token') ?? '');
    this.coming.delete(stream);
    if (this.closed) stream.destroy();
    else this.sockets.handleUpgrade(request, stream, head, (socket) => this.admit(socket, stream, judged));
  }

  private get isFull(): boolean {
    return this.options.clients.connected + this.coming.size >= MOST_CLIENTS;
  }

  private async judge(token: string): Promise<JudgedToken> {
    if (token === '') return { kind: 'refused', why: 'A token is required: /ws?token=…' };
    try {
      return await judgeToken(this.options.secret.key(), token, {
        use: 'session',
        now: this.options.clock.now(),
      });
    } catch {
      // The secret cannot be read, so no token can be checked. The status of the agent reports the disk.
      return { kind: 'refused', why: 'The agent cannot check tokens now' };
    }
  }

  private admit(socket: WebSocket, stream: Duplex, judged: JudgedToken): void {
    const { clients, clock, onClient } = this.options;
    if (judged.kind === 'refused' && clients.unauthenticated >= MOST_STRANGERS) {
      this.turnAway(socket);
      return;
    }
    const session = judged.kind === 'valid' ? judged : undefined;
    onClient(new Client(socket, stream, session, clock), socket, judged.kind === 'valid' ? '' : judged.why);
  }

  private turnAway(socket: WebSocket): void {
    socket.on('error', () => socket.terminate());
    socket.close(CLOSE.full, 'Too many clients: try again later');
    const patience = this.options.clock.after(CLOSING_MS, () => socket.terminate());
    socket.once('close', () => patience.cancel());
  }
}

function refuse(stream: Duplex, status: string): void {
  stream.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => stream.destroy());
}

function addressOf(request: IncomingMessage): URL | undefined {
  const { url = '/' } = request;
  return URL.canParse(url, ANY_BASE) ? new URL(url, ANY_BASE) : undefined;
}
