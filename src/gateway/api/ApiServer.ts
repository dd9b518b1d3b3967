import type { IncomingMessage, ServerResponse } from 'node:http';
import { describeError, EdgeError } from '../../errors.js';
import { GATEWAY_EVENT_TYPES } from '../../model/gatewayEvents.js';
import { systemRandom } from '../../system/random.js';
import { BodyRoom } from '../agents/BodyRoom.js';
import { type CallerRate, CallerRateLimit, REFUSAL_COST } from '../agents/CallerRateLimit.js';
import { LoadGate } from '../agents/LoadGate.js';
import { readBody } from '../agents/requestBody.js';
import { type ApiKey, findApiKey, hasScope, isUseDue, touchApiKey } from '../ledger/apiKeys.js';
import { decodeCursor, newestCursor } from '../ledger/eventLog.js';
import { ApiError } from './ApiError.js';
import type { ApiKeys } from './ApiKeys.js';
import { addCommand, getAgent, listAgents } from './agentOperations.js';
import {
  type ApiCall,
  type ApiContext,
  agentOf,
  invalidKey,
  type OperationHandler,
  parsed,
} from './apiCall.js';
import { OPERATIONS, type Operation, type OperationId } from './apiContract.js';
import { getAttachment } from './attachmentOperations.js';
import { streamEvents } from './EventStream.js';
import {
  cancelMessage,
  getMessage,
  getStatistics,
  listConversation,
  listMessages,
  sendMessage,
} from './messageOperations.js';
import {
  changeWebhook,
  createWebhook,
  deleteWebhook,
  getWebhook,
  listDeliveries,
  listWebhooks,
  replayDelivery,
  rotateWebhookSecret,
  testWebhook,
} from './webhookOperations.js';

/** The largest body, in bytes: a message with a file of 8 MiB in base64. */
const BODY_LIMIT = 12 * 1024 * 1024;
/** So many streams of events one key may have on one replica. */
const MOST_STREAMS = 50;

export interface ApiServerOptions extends ApiContext {
  /** Keeps keys in mind; unless given, the database is asked for the key of every request. */
  readonly keys?: Pick<ApiKeys, 'of' | 'forget'>;
  /** How many requests one key may make; without a limit unless given. */
  readonly rate?: CallerRate;
  /** The memory for bodies, where others share it. */
  readonly bodies?: BodyRoom;
  /** Refuses what is too much, where others ask it too. */
  readonly load?: LoadGate;
  /** How long a reader of events may take nothing, in ms; 30 000 unless given. */
  readonly streamPatienceMs?: number;
}

interface Route {
  readonly id: OperationId;
  readonly operation: Operation;
  readonly names: readonly string[];
  readonly pattern: RegExp;
}

/**
 * The API for applications (docs/gateway-api.md): access, parsing and the form of answers. It does not open a port: its
 * owner passes it the requests below `/v1/`.
 */
export class ApiServer {
  private readonly limit: CallerRateLimit;
  private readonly bodies: BodyRoom;
  private readonly load: LoadGate;
  private readonly stopping = new AbortController();
  private readonly streams = new Map<string, number>();
  private readonly running = new Set<Promise<void>>();
  private readonly routes: readonly Route[];

  constructor(private readonly options: ApiServerOptions) {
    this.limit = new CallerRateLimit(options.clock, options.rate);
    this.bodies = options.bodies ?? new BodyRoom();
    this.load = options.load ?? new LoadGate({ waitingMs: () => 0, random: systemRandom });
    this.routes = routesOf(OPERATIONS);
  }

  /** Whether a path is the API's. */
  static serves(path: string): boolean {
    return path === '/v1' || path.startsWith('/v1/');
  }

  /** Answers a request. Never rejects. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', (error) =>
      this.options.log.debug('[API] answer not taken', { error: describeError(error) }),
    );
    const served = this.answer(request, response);
    this.running.add(served);
    await served;
    this.running.delete(served);
  }

  /** Ends every stream, so that its reader goes to another replica; a new one ends at once. */
  endStreams(): void {
    this.stopping.abort();
  }

  /** Ends streams too. Resolves when nothing is under way. Idempotent. */
  async stop(): Promise<void> {
    this.endStreams();
    await Promise.all(this.running);
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.dispatch(request, response);
    } catch (thrown) {
      const error = this.errorOf(thrown, request);
      if (response.headersSent) response.destroy();
      else write(response, error.status, error.body, error.headers);
    }
  }

  private async dispatch(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path = '', search = ''] = (request.url ?? '').split('?', 2);
    const { route, params } = this.routeOf(request.method ?? '', path);
    // Before anything is asked of the database, who it is neither. While a body or a file is on its way, which may take minutes, nothing counts.
    const { key, secret } = await this.ifNotTooMuch(() => this.callerOf(request));
    if (!hasScope(key, route.operation.scope)) {
      throw new ApiError(
        'permission',
        'scope_missing',
        `This key does not have the scope ${route.operation.scope}.`,
      );
    }
    const query = Object.fromEntries(new URLSearchParams(search));
    const call = { key, secret, params, query, path, request, response };
    if (route.operation.reply === null || route.operation.reply === 'file') {
      await this.carryOut(route, { ...call, body: {} });
      return;
    }
    if (route.operation.method === 'GET') {
      await this.ifNotTooMuch(() => this.carryOut(route, { ...call, body: {} }));
      return;
    }
    const giveBack = this.bodies.take(request, BODY_LIMIT, `key ${key.id}`);
    if (giveBack === undefined) throw this.busy('Too many large requests at once.');
    try {
      const body = await bodyOf(request);
      if (body !== undefined) await this.ifNotTooMuch(() => this.carryOut(route, { ...call, body }));
    } finally {
      giveBack();
    }
  }

  private async ifNotTooMuch<T>(work: () => Promise<T>): Promise<T> {
    const leave = this.load.enter('work');
    if (leave === undefined) throw this.busy('The gateway is too busy now.');
    try {
      return await work();
    } finally {
      leave();
    }
  }

  private busy(message: string): ApiError {
    const retryAfterSeconds = this.load.pauseSeconds();
    return new ApiError('unavailable', 'busy', message, { retryAfterSeconds });
  }

  private async carryOut({ id, operation }: Route, call: ApiCall): Promise<void> {
    const reply = await this.handlerOf(id)(call, this.options);
    if (reply.kind === 'json') write(call.response, operation.status, reply.body, reply.headers);
  }

  private routeOf(method: string, path: string): { route: Route; params: Record<string, string> } {
    const here = this.routes.flatMap((route) => {
      const found = route.pattern.exec(path);
      return found === null ? [] : [{ route, values: found.slice(1) }];
    });
    const match = here.find(({ route }) => route.operation.method === method);
    if (match === undefined) {
      if (here.length === 0) throw new ApiError('not_found', 'path_unknown', 'There is no such path.');
      const methods = here.map(({ route }) => route.operation.method).join(', ');
      const headers = { Allow: methods };
      throw new ApiError('invalid_request', 'method_not_allowed', `Expected ${methods}.`, {
        status: 405,
        headers,
      });
    }
    const { route, values } = match;
    return {
      route,
      params: Object.fromEntries(route.names.map((name, index) => [name, decoded(values[index])])),
    };
  }

  /** Whose key the request shows. Strangers are counted by their address, and a wrong key costs more than a request. */
  private async callerOf(request: IncomingMessage): Promise<{ key: ApiKey; secret: string }> {
    const { database, keys } = this.options;
    const address = `address ${request.socket.remoteAddress ?? ''}`;
    const secret = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1];
    const key = secret === undefined ? undefined : await (keys?.of(secret) ?? findApiKey(database, secret));
    if (secret === undefined || key === undefined) {
      this.count(address, REFUSAL_COST);
      if (secret !== undefined) throw invalidKey();
      const expected = 'Expected "Authorization: Bearer <API key>".';
      throw new ApiError('authentication', 'key_missing', expected, {
        headers: { 'WWW-Authenticate': 'Bearer' },
      });
    }
    this.count(`key ${key.id}`);
    await this.noteUse(key);
    return { key, secret };
  }

  /** For people alone: a request does not fail by it. */
  private async noteUse(key: ApiKey): Promise<void> {
    const { database, keys, clock, log } = this.options;
    const now = clock.now();
    if (!isUseDue(key, now)) return;
    try {
      await database.transaction((tx) => touchApiKey(tx, key.id, now));
      keys?.forget();
    } catch (error) {
      log.debug('[API] the use of a key was not noted', { key: key.id, error: describeError(error) });
    }
  }

  private count(caller: string, cost = 1): void {
    const seconds = this.limit.take(caller, cost);
    if (seconds === 0) return;
    throw new ApiError('rate_limit', 'rate_limited', `Ask again in ${seconds} s.`, {
      retryAfterSeconds: seconds,
    });
  }

  private handlerOf(id: OperationId): OperationHandler {
    return id === 'streamEvents' ? (call) => this.stream(call) : HANDLERS[id];
  }

  /** GET /v1/events */
  private async stream({ key, secret, query, request, response }: ApiCall) {
    const { database, bell, clock, streamPatienceMs } = this.options;
    const { types, agent, after } = parsed(OPERATIONS.streamEvents.query, query);
    const wanted = types?.split(',').map((type) => type.trim());
    const unknown = wanted?.find((type) => !GATEWAY_EVENT_TYPES.some((known) => known === type));
    if (unknown !== undefined) {
      throw new ApiError('invalid_request', 'type_unknown', 'One of these is not a type of event.', {
        field: 'types',
      });
    }
    const only = agent === undefined ? undefined : await agentOf(database, key, agent);
    const header = request.headers['last-event-id'];
    const given = typeof header === 'string' && header !== '' ? header : after;
    const from = given === undefined ? await newestCursor(database) : decodeCursor(given);
    if (from === undefined) {
      throw new ApiError('invalid_request', 'cursor_invalid', 'Last-Event-ID is not known here.', {
        field: 'Last-Event-ID',
      });
    }
    const open = this.streams.get(key.id) ?? 0;
    if (open >= MOST_STREAMS) {
      throw new ApiError('rate_limit', 'too_many_streams', `This key has ${open} streams already.`, {
        retryAfterSeconds: 10,
      });
    }
    this.streams.set(key.id, open + 1);
    try {
      const options = {
        database,
        bell,
        clock,
        agents: only === undefined ? key.agents : [only],
        types: wanted ?? null,
        mayGoOn: async () => (await findApiKey(database, secret)) !== undefined,
        ...(streamPatienceMs === undefined ? {} : { patienceMs: streamPatienceMs }),
      };
      await streamEvents(response, from, options, this.stopping.signal);
    } finally {
      const left = (this.streams.get(key.id) ?? 1) - 1;
      if (left === 0) this.streams.delete(key.id);
      else this.streams.set(key.id, left);
    }
    return { kind: 'streamed' } as const;
  }

  private errorOf(thrown: unknown, request: IncomingMessage): ApiError {
    if (thrown instanceof ApiError) return thrown;
    const path = (request.url ?? '').split('?', 1)[0]?.replace(/[^/]*\d{5}[^/]*/g, '…') ?? '';
    this.options.log.error('[API] a request failed', { path, error: describeError(thrown) });
    if (!(thrown instanceof EdgeError)) return new ApiError('internal', 'internal', 'Internal error.');
    const pause = { retryAfterSeconds: this.load.pauseSeconds() };
    switch (thrown.code) {
      case 'commit_unknown':
        return new ApiError(
          'unavailable',
          'commit_unknown',
          'It is not known whether this was stored. Repeat it with the same Idempotency-Key; without one, check first.',
          pause,
        );
      case 'storage_unavailable':
      case 'storage_read_only':
      case 'disk_full':
        return new ApiError(
          'unavailable',
          thrown.code,
          'Nothing was stored: the database accepts no writes now.',
          pause,
        );
      default:
        return new ApiError('internal', 'internal', 'Internal error.');
    }
  }
}

const HANDLERS: Readonly<Record<Exclude<OperationId, 'streamEvents'>, OperationHandler>> = {
  sendMessage,
  listMessages,
  getMessage,
  cancelMessage,
  getStatistics,
  listAgents,
  getAgent,
  addCommand,
  listConversation,
  getAttachment,
  createWebhook,
  listWebhooks,
  getWebhook,
  changeWebhook,
  deleteWebhook,
  rotateWebhookSecret,
  testWebhook,
  listDeliveries,
  replayDelivery,
};

function routesOf(operations: Readonly<Record<OperationId, Operation>>): Route[] {
  return OPERATION_IDS.map((id) => {
    const operation = operations[id];
    const names = [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
    const pattern = new RegExp(`^${operation.path.replace(/\{\w+\}/g, '([^/]+)')}/?$`);
    return { id, operation, names, pattern };
  });
}

const OPERATION_IDS: readonly OperationId[] = [
  'sendMessage',
  'listMessages',
  'getMessage',
  'cancelMessage',
  'getStatistics',
  'listAgents',
  'getAgent',
  'addCommand',
  'listConversation',
  'getAttachment',
  'streamEvents',
  'createWebhook',
  'listWebhooks',
  'getWebhook',
  'changeWebhook',
  'deleteWebhook',
  'rotateWebhookSecret',
  'testWebhook',
  'listDeliveries',
  'replayDelivery',
];

/** Undefined: the caller hung up. */
async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const body = await readBody(request, BODY_LIMIT);
  switch (body.kind) {
    case 'json':
      return body.value;
    case 'gone':
      return undefined;
    case 'tooLarge':
      throw new ApiError('invalid_request', 'body_too_large', `At most ${body.limit} bytes.`, {
        status: 413,
      });
    case 'form':
      throw new ApiError('invalid_request', 'not_json', 'Expected application/json.', { status: 415 });
    case 'malformed':
      throw new ApiError('invalid_request', 'not_json', 'The body is not JSON.');
  }
}

function decoded(value = ''): string {
  try {
    return decodeURIComponent(value);
  } catch {
    // A percent sign that encodes nothing: there is no such thing.
    return value;
  }
}

function write(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>>,
): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
    ...headers,
  });
  response.end(text);
}
