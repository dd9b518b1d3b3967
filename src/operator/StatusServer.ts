import { chmodSync, existsSync, lstatSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { describeError, EdgeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import type { Clock, Timer } from '../system/clock.js';
import { HalfOpen } from '../system/HalfOpen.js';
import { INPUT_LIMITS } from '../system/inputLimits.js';
import { excessOf } from '../system/jsonShape.js';

/** Answers one verb with something that JSON can carry, at once or later; what it throws is answered as an error. */
export type StatusVerb = (input: Record<string, unknown>) => unknown;

/** Used for every verb without its own entry. */
export const ANY_VERB = '*';

const LONGEST_REQUEST = 1024 * 1024;
/** So many pieces a request may come in. */
const MOST_CHUNKS = 65_536;
/** The maximum number of connections without a complete request; the oldest is closed, so that new callers are served. */
const MOST_HALF_OPEN = 64;
const MOST_CONNECTIONS = 1_024;
/** A request is whole after so long, and its answer is read. */
const REQUEST_MS = 5_000;
const ANSWER_MS = 30_000;

const REQUEST_LIMITS = { nesting: INPUT_LIMITS.nesting, size: LONGEST_REQUEST } as const;

/** How often is looked whether the socket is still where it is asked for. */
const LOOK_EVERY_MS = 2_000;

/**
 * The daemon's private interface: a unix socket (mode 0600 in a 0700 directory) that answers one line of JSON `{"verb":
 * …}` with one line `{"ok": true, "result": …}` or `{"ok": false, "error": {code, message, remedy}}`. If it is removed,
 * it is created again within seconds, because the emergency stop uses it.
 */
export class StatusServer {
  /** Those who are connected, and what ends each in time. */
  private readonly connections = new Map<Socket, Timer>();
  private readonly halfOpen: HalfOpen;
  /** Where the socket is now. */
  private at: string;
  private server: Server | undefined;
  private inode: number | undefined;
  private timer: Timer | undefined;
  private looking: Promise<void> = Promise.resolve();
  private isLost = false;
  private isClosed = false;

  private constructor(
    private readonly path: string,
    private readonly refuge: string | undefined,
    private readonly verbs: Readonly<Record<string, StatusVerb>>,
    private readonly log: Logger,
    private readonly clock: Clock,
  ) {
    this.at = path;
    this.halfOpen = new HalfOpen(MOST_HALF_OPEN, clock);
  }

  /**
   * Listens; any existing file at the path is stale and removed, because the caller holds the instance lock. While the
   * directory of the path is missing it is not created (it may be put back) and the socket is at `refuge`. Throws
   * EdgeError `state_unwritable` if the directory belongs to another user.
   */
  static async listen(
    path: string,
    verbs: Readonly<Record<string, StatusVerb>>,
    log: Logger,
    clock: Clock,
    refuge?: string,
  ): Promise<StatusServer> {
    makePrivate(dirname(path));
    const status = new StatusServer(path, refuge, verbs, log, clock);
    await status.open();
    status.lookLater();
    return status;
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.timer?.cancel();
    await this.looking;
    for (const [socket, deadline] of this.connections) {
      deadline.cancel();
      socket.destroy();
    }
    await new Promise<void>((resolve) => {
      if (this.server === undefined) resolve();
      else this.server.close(() => resolve());
    });
    rmSync(this.at, { force: true });
  }

  private place(): string {
    return this.refuge === undefined || existsSync(dirname(this.path)) ? this.path : this.refuge;
  }

  private async open(): Promise<void> {
    this.at = this.place();
    makePrivate(dirname(this.at));
    rmSync(this.at, { force: true });
    const server = createServer((socket) => this.serve(socket, this.verbs, this.log));
    server.maxConnections = MOST_CONNECTIONS;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.at, () => {
        server.off('error', reject);
        server.on('error', (error) =>
          this.log.warn('The status socket failed', { cause: describeError(error) }),
        );
        resolve();
      });
    });
    this.server = server;
    chmodSync(this.at, 0o600);
    this.inode = statSync(this.at).ino;
  }

  private lookLater(): void {
    if (this.isClosed) return;
    this.timer = this.clock.after(
      LOOK_EVERY_MS,
      () => {
        this.looking = this.look().then(() => this.lookLater());
      },
      'loosely',
    );
  }

  /** Listens again if the file at the path is not our socket. Never throws: the next check retries. */
  private async look(): Promise<void> {
    try {
      const isThere = lstatSync(this.at, { throwIfNoEntry: false })?.ino === this.inode;
      if (!this.isLost && this.at === this.place() && isThere) return;
      const wasLost = this.isLost;
      this.isLost = true;
      // Before the new one listens, because closing removes the file at the path. Connected callers are still answered.
      this.server?.close();
      this.server = undefined;
      if (!wasLost) this.log.warn('The status socket was removed; recreating it');
      await this.open();
      this.isLost = false;
    } catch (error) {
      this.log.warn('The status socket cannot be recreated', { cause: describeError(error) });
    }
  }

  private endWithin(ms: number, socket: Socket): void {
    this.connections.get(socket)?.cancel();
    this.connections.set(
      socket,
      this.clock.after(ms, () => socket.destroy()),
    );
  }

  private serve(socket: Socket, verbs: Readonly<Record<string, StatusVerb>>, log: Logger): void {
    this.endWithin(REQUEST_MS, socket);
    this.halfOpen.add(socket);
    socket.on('close', () => {
      this.connections.get(socket)?.cancel();
      this.connections.delete(socket);
      this.halfOpen.answered(socket);
    });
    socket.on('error', (error) => log.debug('A status client went away', { cause: describeError(error) }));
    const chunks: string[] = [];
    let size = 0;
    let isAnswered = false;
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      if (isAnswered) return;
      // Only what is new is searched: however small the pieces, the work grows with the request.
      const end = chunk.indexOf('\n');
      chunks.push(end < 0 ? chunk : chunk.slice(0, end));
      size += chunk.length;
      if (size > LONGEST_REQUEST || chunks.length > MOST_CHUNKS) {
        socket.destroy();
      } else if (end >= 0) {
        isAnswered = true;
        this.halfOpen.answered(socket);
        this.endWithin(ANSWER_MS, socket);
        void answered(chunks.join(''), verbs).then((line) => socket.end(`${line}\n`));
      }
    });
  }
}

/** Only this user may look into it, or put another socket in the place of ours. */
function makePrivate(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const { uid } = statSync(directory);
  if (uid !== process.getuid?.()) {
    throw new EdgeError(
      'state_unwritable',
      `${directory}, the place of the status socket, belongs to another user (${uid}).`,
      'Remove it, or give it to the user whose agent this is.',
    );
  }
  chmodSync(directory, 0o700);
}

/** An answer that JSON cannot carry is an error like any other. */
async function answered(line: string, verbs: Readonly<Record<string, StatusVerb>>): Promise<string> {
  const reply = await answer(line, verbs);
  try {
    return JSON.stringify(reply);
  } catch (error) {
    return JSON.stringify({
      ok: false,
      error: { code: 'internal', message: describeError(error), remedy: '' },
    });
  }
}

async function answer(
  line: string,
  verbs: Readonly<Record<string, StatusVerb>>,
): Promise<Record<string, unknown>> {
  try {
    const input = JSON.parse(line) as Record<string, unknown>;
    if (excessOf(input, REQUEST_LIMITS) !== undefined)
      throw new EdgeError('invalid_payload', 'The request is nested too deep.', 'Ask for less at once.');
    const verb =
      typeof input.verb === 'string' && Object.hasOwn(verbs, input.verb)
        ? verbs[input.verb]
        : verbs[ANY_VERB];
    if (verb === undefined) {
      const known = Object.keys(verbs).join(', ');
      throw new EdgeError('invalid_payload', `verb: expected one of ${known}.`, 'Name one of them.');
    }
    return { ok: true, result: (await verb(input)) ?? null };
  } catch (error) {
    const { code, remedy } = error instanceof EdgeError ? error : { code: 'internal', remedy: '' };
    return { ok: false, error: { code, message: describeError(error), remedy } };
  }
}
