import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type WebSocket, WebSocketServer } from 'ws';

/** What a request is answered with. */
type Answer = (body: string) => Promise<string | Buffer> | string | Buffer;

/** The other end of the protocol, which sends whatever it is given, byte for byte. */
export class FuzzBackend {
  /** What a sync, and a message, is answered with. */
  onSync: Answer = () => '{}';
  onMessage: Answer = () => '{"reply_text":null}';
  private socket: WebSocket | undefined;
  private ponged: (() => void) | undefined;
  private linked: (() => void) | undefined;
  private lost: ((error: Error) => void) | undefined;
  private readonly sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  private readonly server = createServer((request, response) => {
    this.answer(request, response).catch(() => response.destroy());
  });

  private constructor() {
    this.server.on('upgrade', (request, stream, head) => {
      this.sockets.handleUpgrade(request, stream, head, (socket) => this.welcome(socket));
    });
  }

  static async start(): Promise<FuzzBackend> {
    const backend = new FuzzBackend();
    backend.server.listen(0, '127.0.0.1');
    await once(backend.server, 'listening');
    return backend;
  }

  get url(): string {
    const address = this.server.address();
    if (typeof address !== 'object' || address === null) throw new Error('it does not listen');
    return `http://127.0.0.1:${address.port}`;
  }

  /** Resolves once the agent's socket is there. */
  async link(): Promise<void> {
    if (this.socket !== undefined) return;
    await new Promise<void>((resolve) => {
      this.linked = resolve;
    });
  }

  /** Sends these frames, and resolves when the agent has read all of them. Rejects where it gives its socket up. */
  async say(frames: readonly (string | Buffer)[]): Promise<void> {
    await this.link();
    const { socket } = this;
    if (socket === undefined) throw new Error('there is no socket');
    for (const frame of frames) socket.send(frame);
    socket.send('{"type":"ping"}');
    await new Promise<void>((resolve, reject) => {
      this.ponged = resolve;
      this.lost = reject;
    });
  }

  async close(): Promise<void> {
    this.lost = undefined;
    this.socket?.terminate();
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private welcome(socket: WebSocket): void {
    this.socket = socket;
    socket.on('error', () => socket.terminate());
    socket.on('message', (data: Buffer) => {
      const text = data.toString();
      if (text.includes('"ping"')) socket.send('{"type":"pong"}');
      else if (text === '{"type":"pong"}') this.ponged?.();
    });
    socket.on('close', (code) => {
      this.socket = undefined;
      this.lost?.(new Error(`the agent gave its socket up (${code})`));
    });
    this.linked?.();
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    const said = await this.saidTo(request.url ?? '', body);
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(said);
  }

  private saidTo(path: string, body: string): ReturnType<Answer> {
    if (path.endsWith('/register')) return '{"edge_agent_id":"edge_13105550100","accepts":["event"]}';
    if (path.endsWith('/sync')) return this.onSync(body);
    if (path.endsWith('/message')) return this.onMessage(body);
    return '{}';
  }
}
