import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../system/clock.js';
import { securityHeaders, staticFile } from '../system/staticFiles.js';
import type { MonitorSecret } from './MonitorSecret.js';
import { isLocal, isOfAnotherSite } from './origin.js';
import { RateLimit } from './rateLimit.js';
import { judgeToken, makeToken, SESSION_MS } from './tokens.js';

/** All requests; beyond it none is looked at. */
const REQUEST_RATE = { burst: 300, perSecond: 100 };
/** Attempts to exchange a link token. */
const EXCHANGE_RATE = { burst: 30, perSecond: 2 };

/**
 * Uses a link: true once for each `id`, over restarts too, and durably before it returns. `madeAt` is Unix ms. Throws if
 * that cannot be stored.
 */
export type UseLink = (id: string, madeAt: number) => boolean;

interface PageHandlerOptions {
  secret: MonitorSecret;
  useLink: UseLink;
  /** Where the built page is. */
  pageDirectory: string;
  clock: Clock;
}

/** Answers HTTP: the files of the page, and `POST /session`, which takes a link token once and gives a session token. */
export class PageHandler {
  private readonly requests = new RateLimit(REQUEST_RATE);
  private readonly exchanges = new RateLimit(EXCHANGE_RATE);

  constructor(private readonly options: PageHandlerOptions) {}

  /** Never throws. */
  receive(request: IncomingMessage, response: ServerResponse): void {
    const { host, origin } = request.headers;
    request.resume();
    // First, and not counted: another site's page must not use up what our own has.
    if (host === undefined || !isLocal({ host, origin }) || isOfAnotherSite(request.headers)) {
      reply(response, 403, 'This is for pages and programs of this machine only.');
      return;
    }
    if (!this.requests.take(this.options.clock.monotonic())) {
      reply(response, 429, 'Too many requests.');
      return;
    }
    for (const [name, value] of Object.entries(securityHeaders(host))) response.setHeader(name, value);
    const [path = '/'] = (request.url ?? '/').split('?');
    if (path === '/session') void this.session(request, response);
    else if (path === '/ws') {
      response.setHeader('upgrade', 'websocket');
      reply(response, 426, 'This is a WebSocket.');
    } else if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      reply(response, 405, 'Only GET is supported here.');
    } else this.file(path, response);
  }

  private file(path: string, response: ServerResponse): void {
    const file = staticFile(this.options.pageDirectory, path);
    if (file === undefined) {
      reply(response, 404, 'There is nothing here.');
      return;
    }
    response.setHeader('content-type', file.contentType);
    response.setHeader('cache-control', file.isHashed ? 'max-age=31536000, immutable' : 'no-store');
    response.end(file.body);
  }

  private async session(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { clock } = this.options;
    response.setHeader('cache-control', 'no-store');
    if (request.method !== 'POST') {
      response.setHeader('allow', 'POST');
      return replyJson(response, 405, { error: 'Only POST is supported here' });
    }
    if (!this.exchanges.take(clock.monotonic()))
      return replyJson(response, 429, { error: 'Too many attempts' });
    const [, token = ''] = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '') ?? [];
    try {
      const { status, body } = await this.exchange(token);
      replyJson(response, status, body);
    } catch {
      // The secret cannot be read or made, or the use of the link cannot be stored; the agent's status reports the disk.
      replyJson(response, 503, { error: 'The agent cannot check tokens now' });
    }
  }

  private async exchange(token: string): Promise<{ status: number; body: Record<string, unknown> }> {
    const { secret, clock, useLink } = this.options;
    const now = clock.now();
    const key = secret.key();
    const judged = await judgeToken(key, token, { use: 'link', now });
    if (judged.kind === 'refused') return { status: 401, body: { error: judged.why } };
    const { userId, id, madeAt } = judged;
    const session = await makeToken(key, { use: 'session', user: userId, ttlMs: SESSION_MS, now });
    // Last, and before the session leaves: a link is used up by an exchange that succeeds, and by nothing else.
    if (id === undefined || !useLink(id, madeAt)) {
      return { status: 401, body: { error: 'The link was used already' } };
    }
    const expiresAt = new Date(now + SESSION_MS).toISOString();
    return { status: 200, body: { token: session, userId, expiresAt } };
  }
}

function reply(response: ServerResponse, status: number, words: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${words}\n`);
}

function replyJson(response: ServerResponse, status: number, body: Record<string, unknown>): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
