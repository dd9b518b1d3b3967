import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { describeError, EdgeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';

/** Answers one verb with something that JSON can carry; what it throws is answered as an error. */
export type StatusVerb = (input: Record<string, unknown>) => unknown;

/** Stands for every verb that has no entry of its own. */
export const ANY_VERB = '*';

const LONGEST_REQUEST = 1024 * 1024;

/**
 * The daemon's private door: a unix socket (mode 0600 in a 0700 directory) that answers one line of JSON
 * `{"verb": …}` with one line `{"ok": true, "result": …}` or `{"ok": false, "error": {code, message, remedy}}`.
 */
export class StatusServer {
  private readonly connections = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly path: string,
  ) {}

  /** Listens; whatever lies at the path is stale and removed, because the caller holds the instance lock. */
  static async listen(
    path: string,
    verbs: Readonly<Record<string, StatusVerb>>,
    log: Logger,
  ): Promise<StatusServer> {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    rmSync(path, { force: true });
    const server = createServer();
    const status = new StatusServer(server, path);
    server.on('connection', (socket) => status.serve(socket, verbs, log));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, () => {
        server.off('error', reject);
        server.on('error', (error) => log.warn('The status socket failed', { cause: describeError(error) }));
        resolve();
      });
    });
    chmodSync(path, 0o600);
    return status;
  }

  async close(): Promise<void> {
    for (const socket of this.connections) socket.destroy();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
    rmSync(this.path, { force: true });
  }

  private serve(socket: Socket, verbs: Readonly<Record<string, StatusVerb>>, log: Logger): void {
    this.connections.add(socket);
    socket.on('close', () => this.connections.delete(socket));
    socket.on('error', (error) => log.debug('A status client went away', { cause: describeError(error) }));
    let request = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      request += chunk;
      const end = request.indexOf('\n');
      if (end < 0) {
        if (request.length > LONGEST_REQUEST) socket.destroy();
        return;
      }
      socket.end(`${JSON.stringify(answer(request.slice(0, end), verbs))}\n`);
    });
  }
}

function answer(line: string, verbs: Readonly<Record<string, StatusVerb>>): Record<string, unknown> {
  try {
    const input = JSON.parse(line) as Record<string, unknown>;
    const verb =
      typeof input.verb === 'string' && Object.hasOwn(verbs, input.verb)
        ? verbs[input.verb]
        : verbs[ANY_VERB];
    if (verb === undefined) {
      throw new EdgeError('internal', `verb: expected one of ${Object.keys(verbs).join(', ')}.`);
    }
    return { ok: true, result: verb(input) ?? null };
  } catch (error) {
    const { code, remedy } = error instanceof EdgeError ? error : { code: 'internal', remedy: '' };
    return { ok: false, error: { code, message: describeError(error), remedy } };
  }
}
