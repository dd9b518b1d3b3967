import WebSocket, { type ClientOptions } from 'ws';
import { PATIENCE_MS } from './patience.js';
import { until } from './until.js';

/** Shorter than the time-out of a test, so that the test shows what was received instead. */

/** A frame as it came. */
export interface Frame {
  type: string;
  data?: Record<string, unknown>;
  timestamp: string;
}

/** A plain `ws` client that records the frames it receives. */
export class WatchingClient {
  readonly frames: Frame[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  isClosed = false;

  private constructor(readonly socket: WebSocket) {
    socket.on('message', (data) => this.frames.push(JSON.parse(String(data)) as Frame));
    // `closed` has how it ended.
    socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      socket.once('close', (code, reason) => {
        this.isClosed = true;
        resolve({ code, reason: String(reason) });
      });
    });
  }

  /** Resolves once it is open; rejects with the HTTP status where it is refused. */
  static async open(url: string, options: ClientOptions = {}): Promise<WatchingClient> {
    const socket = new WebSocket(url, { perMessageDeflate: false, ...options });
    const client = new WatchingClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('unexpected-response', (_request, response) => {
        reject(new Error(`HTTP ${response.statusCode}`));
        socket.terminate();
      });
      socket.once('error', reject);
    });
    return client;
  }

  say(frame: unknown): void {
    this.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  /** Every frame of that type so far. */
  all(type: string): Frame[] {
    return this.frames.filter((frame) => frame.type === type);
  }

  /** The first frame of that type that fits, once it is there. */
  async heard(type: string, fits: (frame: Frame) => boolean = () => true): Promise<Frame> {
    const find = () => this.all(type).find(fits);
    await until(
      () => find() !== undefined,
      () => `${type}; the last heard: ${JSON.stringify(this.frames.slice(-12))}`,
      PATIENCE_MS,
    );
    return find() as Frame;
  }

  /** When this resolves, all frames sent to it before this moment have been received. */
  async caughtUp(): Promise<void> {
    const before = this.all('pong').length;
    this.say({ type: 'ping' });
    await until(
      () => this.all('pong').length > before || this.isClosed,
      () => 'a pong',
    );
  }

  /** Asks and resolves with the answer. */
  async ask(verb: string, args: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    const id = `${verb} ${this.frames.length}`;
    this.say({ type: 'request', data: { id, verb, args } });
    return (await this.heard('response', ({ data }) => data?.id === id)).data ?? {};
  }

  close(): void {
    this.socket.terminate();
  }
}
