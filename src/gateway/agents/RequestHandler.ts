import type { IncomingMessage, ServerResponse } from 'node:http';
import { describeError } from '../../errors.js';
import { type Admitted, addressOf, admit, callerName } from './admission.js';
import { callerId } from './authentication.js';
import { SMALL_BYTES, STRANGERS } from './BodyRoom.js';
import { commandAck } from './endpoints/commandAck.js';
import type { Call, Endpoint, EndpointContext } from './endpoints/endpoint.js';
import { health, stats } from './endpoints/insight.js';
import { message } from './endpoints/message.js';
import { photoUpload } from './endpoints/photoUpload.js';
import { register } from './endpoints/register.js';
import { sendMessage } from './endpoints/sendMessage.js';
import { sync } from './endpoints/sync.js';
import type { Interposer } from './Interposer.js';
import { BODY_LIMIT, badRequest, FORM_LIMIT, type HttpReply, readBody, unavailable } from './requestBody.js';
import { isUnavailability } from './unavailability.js';

/** The path of the WebSocket; a plain request to it is answered with 426. */
export const SOCKET_PATH = '/edge/ws';

/** How many bytes of a body are read. */
function limitOf({ access, takes }: Endpoint): number {
  // A caller without credentials is admitted by the body itself: until it is read, it may come from anyone.
  if (access === 'own') return SMALL_BYTES;
  return takes === 'form' ? FORM_LIMIT : BODY_LIMIT;
}

/** Who takes the room for a body. */
function roomOf({ access }: Endpoint, { claimedId, tokenId, operator }: Admitted): string {
  if (access === 'own' && tokenId === undefined) return STRANGERS;
  return operator === undefined ? callerName(tokenId ?? claimedId) : `key ${operator.name ?? ''}`;
}

/** All that is answered here but a path that is unknown. */
const ENDPOINTS: ReadonlyMap<string, Endpoint> = new Map([
  ['/edge/register', register],
  ['/edge/sync', sync],
  ['/edge/message', message],
  ['/photo/upload', photoUpload],
  ['/edge/command/ack', commandAck('/edge/command/ack')],
  ['/edge/ack_command', commandAck('/edge/ack_command')],
  ['/api/send-message', sendMessage],
  ['/edge/websocket/stats', stats],
  ['/health', health],
  ['/edge/health', health],
]);

/** A request, and what it is for. */
interface Asked {
  readonly request: IncomingMessage;
  readonly path: string;
  readonly endpoint: Endpoint;
  readonly hungUp: AbortSignal;
}

/** Answers HTTP requests: faults that are played first, then the way to the endpoint, then credentials, then the body. */
export class RequestHandler {
  constructor(
    private readonly context: EndpointContext,
    private readonly interposer: Interposer,
  ) {}

  /** Never rejects: an error in an endpoint becomes a 500, and is logged. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = pathOf(request.url);
    // A caller that hangs up in the middle of our answer; `close` follows.
    response.on('error', (error) => this.context.log(`[HTTP] ${path}: ${describeError(error)}`));
    const hangUp = new AbortController();
    response.on('close', () => hangUp.abort());
    let reply: HttpReply | undefined;
    try {
      reply = await this.replyTo(request, path, hangUp.signal);
    } catch (mistake) {
      this.context.log(`[HTTP] ${path} failed: ${describeError(mistake)}`);
      reply = isUnavailability(mistake)
        ? unavailable('the backend cannot store anything now; try again', this.context.load.pauseSeconds())
        : { status: 500, body: { error: 'internal', message: 'the backend failed; try again' } };
    }
    if (reply === undefined || this.interposer.losesReply(path)) {
      response.destroy();
      reply?.sent?.(false);
      return;
    }
    // By the clock that tokens and commands go by, which a test may have set.
    response.setHeader('Date', new Date(this.context.clock.now()).toUTCString());
    write(response, reply, request.method === 'HEAD');
  }

  private async replyTo(
    request: IncomingMessage,
    path: string,
    hungUp: AbortSignal,
  ): Promise<HttpReply | undefined> {
    const fault = await this.interposer.request(path);
    if (fault === 'stopping') return undefined;
    if (fault !== undefined) return fault;
    const endpoint = ENDPOINTS.get(path);
    if (endpoint === undefined) return wrongWay(path);
    const methods = endpoint.method === 'GET' ? ['GET', 'HEAD'] : [endpoint.method];
    if (!methods.includes(request.method ?? '')) {
      return {
        status: 405,
        body: { error: 'method_not_allowed', message: `${path} takes ${endpoint.method}` },
        headers: { Allow: methods.join(', ') },
      };
    }
    // Before anything is asked of the database, who it is neither. While its body comes, which may take minutes, it is not counted.
    const admission = await this.ifNotTooMuch(endpoint, () => admit(request, path, endpoint, this.context));
    if (admission === undefined) return this.tooMuch();
    if (admission.kind === 'turnedAway') return admission.reply;
    return this.handle({ request, path, endpoint, hungUp }, admission);
  }

  /** Undefined: there is too much to do now. */
  private async ifNotTooMuch<T>({ load }: Endpoint, work: () => T | Promise<T>): Promise<T | undefined> {
    const leave = load === undefined ? () => undefined : this.context.load.enter(load);
    if (leave === undefined) return undefined;
    try {
      return await work();
    } finally {
      leave();
    }
  }

  private tooMuch(): HttpReply {
    return unavailable('too busy; try again', this.context.load.pauseSeconds());
  }

  /** Reads the body and does what is asked, where there is memory for it. */
  private async handle(asked: Asked, admitted: Admitted): Promise<HttpReply | undefined> {
    const { request, endpoint } = asked;
    if (endpoint.method === 'GET') return this.carryOut(asked, admitted);
    const giveBack = this.context.bodies.take(request, limitOf(endpoint), roomOf(endpoint, admitted));
    if (giveBack === undefined)
      return unavailable('too many large requests at once; try again', this.context.load.pauseSeconds());
    try {
      return await this.carryOut(asked, admitted);
    } finally {
      giveBack();
    }
  }

  private async carryOut(
    { request, path, endpoint, hungUp }: Asked,
    { claimedId, tokenId, operator }: Admitted,
  ): Promise<HttpReply | undefined> {
    const body =
      endpoint.method === 'GET'
        ? ({ kind: 'json', value: {} } as const)
        : await readBody(request, limitOf(endpoint));
    switch (body.kind) {
      case 'gone':
        return undefined;
      case 'malformed':
        return badRequest([`body: expected ${endpoint.takes === 'form' ? 'a form with files' : 'JSON'}`]);
      case 'tooLarge':
        return { status: 413, body: { error: 'too_large', message: `body: at most ${body.limit} bytes` } };
      case 'form':
      case 'json': {
        if ((body.kind === 'form') !== (endpoint.takes === 'form')) {
          const expected = endpoint.takes === 'form' ? 'multipart/form-data' : 'application/json';
          return { status: 415, body: { error: 'unsupported_media_type', message: `expected ${expected}` } };
        }
        const value = body.kind === 'form' ? body.form : body.value;
        const agentId = endpoint.access === 'agent' ? callerId(claimedId, tokenId, value) : '';
        if (agentId === undefined) return badRequest(['X-Edge-Agent-Id: expected the id of the agent']);
        const call: Call = {
          path,
          address: addressOf(request),
          headers: request.headers,
          body: value,
          hungUp,
          agentId,
          operator,
        };
        const handled = await this.ifNotTooMuch(endpoint, async () => ({
          reply: await endpoint.handle(call, this.context),
        }));
        return handled === undefined ? this.tooMuch() : handled.reply;
      }
    }
  }
}

/** The path without its query; one that cannot be read matches no endpoint. */
export function pathOf(url: string | undefined): string {
  return (url ?? '').split(/[?#]/, 1)[0] ?? '';
}

function wrongWay(path: string): HttpReply {
  if (path === SOCKET_PATH) {
    return {
      status: 426,
      body: { error: 'upgrade_required', message: 'this is a WebSocket: connect with wss://' },
      headers: { Upgrade: 'websocket', Connection: 'Upgrade' },
    };
  }
  return { status: 404, body: { error: 'not_found', message: 'no such endpoint' } };
}

function write(response: ServerResponse, reply: HttpReply, headOnly: boolean): void {
  if (reply.sent !== undefined) {
    const { sent } = reply;
    // `close` comes in either case; only `finish` before it says that all was handed over.
    response.on('close', () => sent(response.writableFinished));
    if (response.destroyed) {
      sent(false);
      return;
    }
  }
  const text = JSON.stringify(reply.body);
  response.writeHead(reply.status, {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': Buffer.byteLength(text),
    ...reply.headers,
  });
  response.end(headOnly ? undefined : text);
}
