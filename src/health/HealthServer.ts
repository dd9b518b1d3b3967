import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import { HalfOpen } from '../system/HalfOpen.js';

/** A problem by its code, and since when (ISO 8601). */
interface Told {
  code: string;
  since: string;
}

export interface HealthAnswer {
  status: 'healthy' | 'degraded';
  /** What keeps the agent from its whole job. */
  problems: readonly Told[];
  /** What is reported besides. */
  notices: readonly Told[];
  /** The state of each vital sign, by its name. */
  vital_signs: Readonly<Record<string, string>>;
}

/** What is answered. The body of a fault says no more than codes: other users of the machine may ask as well. */
interface HealthSources {
  version: string;
  health: () => HealthAnswer;
  metrics: { contentType: string; text(): Promise<string> };
}

const LOOPBACK = '127.0.0.1';
/** Names of this machine; any other in the Host header is a web page that lets its name lead here (DNS rebinding). */
const LOCAL_HOST = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/i;
const REQUEST_MS = 10_000;
/** Connections on which no request is being answered. */
const MOST_HALF_OPEN = 64;

/**
 * Answers by HTTP on 127.0.0.1 alone: GET /health (200 while the agent lives), /ready (200 while it does its whole job, else
 * 503), /metrics (Prometheus).
 */
export class HealthServer {
  private constructor(private readonly server: Server) {}

  /** Rejects where the port cannot be had. */
  static async listen(port: number, sources: HealthSources, log: Logger): Promise<HealthServer> {
    const server = createServer(
      { requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS },
      (request, response) => {
        answer(request, response, sources).catch((error: unknown) => {
          log.error('A health request could not be answered', { cause: describeError(error) });
          response.destroy();
        });
      },
    );
    new HalfOpen(MOST_HALF_OPEN).watch(server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, LOOPBACK, () => {
        server.off('error', reject);
        resolve();
      });
    });
    server.on('error', (error) => log.warn('The health server failed', { cause: describeError(error) }));
    const health = new HealthServer(server);
    log.info('Health is served', { url: `http://${LOOPBACK}:${health.port}` });
    return health;
  }

  get port(): number {
    return (this.server.address() as AddressInfo | null)?.port ?? 0;
  }

  /** Cuts what is being answered. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.server.close(() => resolve());
      this.server.closeAllConnections();
    });
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  sources: HealthSources,
): Promise<void> {
  if (!LOCAL_HOST.test(request.headers.host ?? '')) {
    reply(response, 403, 'text/plain', 'Use 127.0.0.1 or localhost as the host.\n');
    return;
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD');
    reply(response, 405, 'text/plain', 'Only GET is supported.\n');
    return;
  }
  const { health, version, metrics } = sources;
  switch (request.url?.replace(/\?.*$/s, '')) {
    case '/health':
      json(response, 200, { status: health().status, version });
      return;
    case '/ready': {
      const { problems, notices, vital_signs } = health();
      const ready = problems.length === 0;
      json(response, ready ? 200 : 503, { ready, problems, notices, vital_signs });
      return;
    }
    case '/metrics':
      reply(response, 200, metrics.contentType, await metrics.text());
      return;
    default:
      reply(response, 404, 'text/plain', 'There are /health, /ready and /metrics.\n');
  }
}

function json(response: ServerResponse, status: number, body: object): void {
  reply(response, status, 'application/json', `${JSON.stringify(body)}\n`);
}

function reply(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, {
    'Content-Type': contentType,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
  });
  response.end(body);
}
