import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { type Clock, systemClock } from '../../../src/system/clock.js';

export type Json = Record<string, unknown>;

/** A request on its way to the backend; a defect changes it in place. */
export interface PassingRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  body: string;
}

/** The answer on its way back. */
export interface PassingReply {
  status: number;
  body: Json;
}

/** An agent's socket and the backend's, joined. */
export interface Pair {
  readonly agentId: string;
  /** To the agent. */
  readonly agent: WebSocket;
  /** To the backend. */
  readonly backend: WebSocket;
  /** All pairs that were ever joined, in order. */
  readonly all: readonly Pair[];
}

/** One thing that a backend does wrong; what is left out it does right. */
export interface Defect {
  /** Returns a reply to be given without asking the backend. */
  request?(request: PassingRequest): PassingReply | undefined | Promise<PassingReply | undefined>;
  reply?(request: PassingRequest, reply: PassingReply): void;
  /** The credentials of a handshake, changed in place. */
  handshake?(headers: Record<string, string>): void;
  /** Frames to the agent in the place of this one. */
  down?(frame: Json, pair: Pair): Json[];
  /** Whether a frame goes to the agent as binary. */
  isBinary?(frame: Json): boolean;
  /** Frames to the backend in the place of this one. */
  up?(frame: Json, pair: Pair): Json[];
  /** The code with which the agent's socket is closed when the backend has closed with `code`; undefined: not at all. */
  close?(code: number, pair: Pair): number | undefined;
  joined?(pair: Pair): void;
}

/** The headers that belong to a connection and not to a request (RFC 9110). */
const HOP = ['host', 'connection', 'content-length', 'transfer-encoding', 'upgrade', 'keep-alive'];

/** A backend with one defect: a proxy before a good one. */
export class MutantBackend {
  private readonly pairs: Pair[] = [];
  private readonly sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });

  private constructor(
    private readonly server: Server,
    private readonly target: string,
    private readonly defect: Defect,
    private readonly clock: Clock,
  ) {
    server.on('request', (request, response) => void this.pass(request, response));
    server.on('upgrade', (request, socket, head) => {
      this.sockets.handleUpgrade(request, socket, head, (agent) => this.join(request, agent));
    });
  }

  /** `clock`: that of the backend behind it, by which its answers are dated. */
  static async start(target: string, defect: Defect, clock = systemClock): Promise<MutantBackend> {
    const server = createServer();
    const mutant = new MutantBackend(server, target, defect, clock);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return mutant;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    for (const { agent, backend } of this.pairs) {
      agent.terminate();
      backend.terminate();
    }
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }

  private async pass(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const bytes = Buffer.concat(chunks);
    const headers = passedOn(incoming);
    // A form is passed on as it is; nothing here mutates one.
    const isForm = headers['content-type']?.startsWith('multipart/') === true;
    const request = {
      method: incoming.method ?? '',
      path: incoming.url ?? '',
      headers,
      body: bytes.toString(),
    };
    const reply =
      (await this.defect.request?.(request)) ?? (await this.forward(request, isForm ? bytes : undefined));
    this.defect.reply?.(request, reply);
    const date = new Date(this.clock.now()).toUTCString();
    response.writeHead(reply.status, { 'Content-Type': 'application/json', Date: date });
    response.end(JSON.stringify(reply.body));
  }

  private async forward(request: PassingRequest, form: Buffer | undefined): Promise<PassingReply> {
    const { method, path, headers } = request;
    const body = method === 'GET' ? {} : { body: form === undefined ? request.body : new Uint8Array(form) };
    const answer = await fetch(this.target + path, { method, headers, ...body });
    return { status: answer.status, body: (await answer.json()) as Json };
  }

  private join(request: IncomingMessage, agent: WebSocket): void {
    const headers = passedOn(request);
    for (const name of Object.keys(headers)) if (name.startsWith('sec-')) delete headers[name];
    this.defect.handshake?.(headers);
    const backend = new WebSocket(this.target.replace('http', 'ws') + (request.url ?? ''), { headers });
    const agentId = String(headers['x-edge-agent-id']);
    const pair: Pair = { agentId, agent, backend, all: this.pairs };
    this.pairs.push(pair);
    const early: string[] = [];
    const { defect } = this;
    agent.on('message', (data) => {
      const frame: Json = JSON.parse(String(data));
      for (const one of defect.up?.(frame, pair) ?? [frame]) {
        if (backend.readyState === WebSocket.OPEN) backend.send(JSON.stringify(one));
        else early.push(JSON.stringify(one));
      }
    });
    backend.on('open', () => {
      for (const text of early.splice(0)) backend.send(text);
    });
    backend.on('message', (data) => {
      const frame: Json = JSON.parse(String(data));
      for (const one of defect.down?.(frame, pair) ?? [frame])
        agent.send(JSON.stringify(one), { binary: defect.isBinary?.(one) ?? false });
    });
    agent.on('close', () => backend.close());
    backend.on('close', (code) => {
      const closing = defect.close === undefined ? code : defect.close(code, pair);
      if (closing === 1005 || closing === 1006) agent.close();
      else if (closing !== undefined) agent.close(closing);
    });
    for (const end of [agent, backend]) end.on('error', () => end.terminate());
    defect.joined?.(pair);
  }
}

function passedOn(request: IncomingMessage): Record<string, string> {
  const headers = Object.entries(request.headers).filter(([name]) => !HOP.includes(name));
  return Object.fromEntries(headers.map(([name, value]) => [name, String(value)]));
}
