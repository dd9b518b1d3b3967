import type { ClientRequest, IncomingMessage } from 'node:http';
import type { ClientOptions } from 'ws';
import WebSocket from 'ws';
import { describeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import type { Command } from '../model/command.js';
import type { Clock, Timer } from '../system/clock.js';
import { INPUT_LIMITS } from '../system/inputLimits.js';
import type { Outbound } from '../system/Outbound.js';
import { decodeUtf8 } from '../system/utf8.js';
import type { DatedHeaders } from './BackendTime.js';
import { dateOf, describeNetworkError, parseRetryAfter, redirectHost } from './HttpClient.js';
import type { Loss } from './linkTypes.js';
import { type BackendNotification, type Frame, MAX_FRAME_BYTES } from './protocol.js';

interface SocketRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly outbound: Outbound;
  /** Wall clock (Unix ms), for a Retry-After that is a date. */
  readonly now: () => number;
}

/** Called synchronously as the frames are read; `lost` at most once and last; nothing after `terminate`. */
interface SocketListener {
  opened(): void;
  text(frame: string): void;
  binary(bytes: number): void;
  /** A WebSocket-level pong. */
  ponged(): void;
  lost(loss: Loss): void;
  /** The answer to the handshake, whether it is let in or refused, says when it was made. */
  answeredAt(headers: DatedHeaders): void;
}

/** How long `close` waits for the peer's close frame before the socket is cut, in ms. */
const CLOSE_TIMEOUT_MS = 2_000;

/** Once so many bytes of frames were read in one turn of the loop, the rest waits for the next one. */
const TURN_BYTES = 32 * 1024;

/**
 * One socket, from its handshake to its end; never reused. There is no handshake timeout here: the link's own deadline
 * calls `terminate`. Compression is off, redirects are refused, frames are bounded. However much a peer sends, one turn
 * of the event loop reads a few chunks of it (64 KiB each), or one frame: its content is stored in one commit, and
 * other work gets its turn.
 */
export class WebSocketClient {
  private readonly socket: WebSocket;
  private detached = false;
  private error = '';
  /** Bytes of frames that this turn of the loop has read. */
  private read = 0;

  /** Starts the handshake. Throws for a URL or header that cannot be used. */
  constructor(
    private readonly request: SocketRequest,
    private readonly listener: SocketListener,
  ) {
    // ws has it (doc/ws.md); its types do not.
    const options: ClientOptions & { closeTimeout: number } = {
      ...request.outbound.once(new URL(request.url)),
      headers: { ...request.headers },
      perMessageDeflate: false,
      maxPayload: MAX_FRAME_BYTES,
      followRedirects: false,
      autoPong: false,
      closeTimeout: CLOSE_TIMEOUT_MS,
    };
    this.socket = new WebSocket(request.url, options);
    this.attach();
  }

  /**
   * Answers a ping frame, unless much waits to leave already: a peer that asks without reading must not fill our memory. One that
   * reads again gets an answer to its next ping.
   */
  answerPing(pong: string): void {
    if (this.hasRoom) this.socket.send(pong, ignoreFailure);
  }

  private get hasRoom(): boolean {
    return this.socket.readyState === WebSocket.OPEN && this.backlog <= INPUT_LIMITS.socketBacklog;
  }

  /** Hands a frame to the kernel, which proves nothing; false if the socket is not open. */
  send(text: string): boolean {
    if (this.socket.readyState !== WebSocket.OPEN) return false;
    this.socket.send(text, ignoreFailure);
    return true;
  }

  /** A WebSocket-level ping. */
  ping(): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.ping(undefined, undefined, ignoreFailure);
  }

  /** Bytes that the kernel has not taken yet. */
  get backlog(): number {
    return this.socket.bufferedAmount;
  }

  /** Says goodbye with 1000; `lost` follows. */
  close(): void {
    this.socket.close(1000, 'edge-agent stops');
  }

  /** Cuts the socket now and lets go of it: no call reaches the listener any more. Idempotent. */
  terminate(): void {
    if (this.detached) return;
    this.detach();
    this.socket.terminate();
  }

  private attach(): void {
    const { socket, listener } = this;
    socket.on('open', () => listener.opened());
    socket.on('message', (data: Buffer, isBinary) => {
      this.count(data.length);
      if (isBinary) listener.binary(data.length);
      else listener.text(decodeUtf8(data));
    });
    socket.on('pong', () => listener.ponged());
    socket.on('upgrade', (response: IncomingMessage) => listener.answeredAt(response.headers));
    // Not by the library, which queues a pong for every ping.
    socket.on('ping', (data) => {
      if (this.hasRoom) socket.pong(data, undefined, ignoreFailure);
    });
    socket.on('unexpected-response', (_request: ClientRequest, response: IncomingMessage) => {
      this.refused(response);
    });
    socket.on('error', (error) => {
      this.error = describeNetworkError(error);
      // Before the handshake is done there is nothing more to wait for.
      if (socket.readyState === WebSocket.CONNECTING) this.end({ kind: 'failed', detail: this.error });
    });
    socket.on('close', (code, reason) => {
      const failed = this.error !== '' && code === 1006;
      if (failed) this.end({ kind: 'failed', detail: this.error });
      else this.end({ kind: 'closed', code, reason: (reason.toString() || this.error).slice(0, 123) });
    });
  }

  private count(bytes: number): void {
    if (this.read === 0)
      setImmediate(() => {
        this.read = 0;
        this.socket.resume();
      });
    this.read += Math.max(bytes, 1);
    if (this.read >= TURN_BYTES) this.socket.pause();
  }

  private refused(response: IncomingMessage): void {
    const status = response.statusCode ?? 0;
    const host = status >= 300 && status < 400 && redirectHost(response.headers.location, this.request.url);
    const retryAfterMs = parseRetryAfter(
      response.headers['retry-after'],
      dateOf(response) ?? this.request.now(),
    );
    if (status === 401 || status === 403) this.listener.answeredAt(response.headers);
    this.end({
      kind: 'refused',
      status,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      detail: host ? `redirect to ${host} not followed` : '',
    });
  }

  /** Detaches the socket before notifying, so that listeners of the loss find no socket (docs/facts.md, bug 11). */
  private end(loss: Loss): void {
    if (this.detached) return;
    this.detach();
    this.socket.terminate();
    this.listener.lost(loss);
  }

  private detach(): void {
    this.detached = true;
    this.socket.removeAllListeners();
    // A socket given up while connecting still reports an error; unheard it would end the process (docs/facts.md, bug 8).
    this.socket.on('error', ignoreFailure);
  }
}

/** Only `lost` reports the socket's end; errors of a failed send or a detached socket add nothing. */
function ignoreFailure(): void {
  return;
}

interface ReaderPorts {
  readonly log: Logger;
  /** Synchronous and durable, or durable by the end of this turn of the loop (see BackendOptions); may throw when it cannot store. */
  readonly receive: (commands: readonly Command[]) => void;
  readonly onConfigUpdate: (settings: Record<string, unknown>) => void;
  readonly onNotification: (notification: BackendNotification) => void;
  readonly onAccepts: (accepts: readonly string[]) => void;
}

/**
 * Takes the parsed frames of the socket. Commands that came in one chunk are handed on as one batch, so that one commit
 * stores them. What cannot be used is logged; nothing here ends the connection.
 */
export class FrameReader {
  private batch: Command[] = [];
  private closed = false;

  constructor(private readonly ports: ReaderPorts) {}

  /** From now on commands are left to the backend, which offers unacked ones again. */
  stopIntake(): void {
    this.flush();
    this.closed = true;
  }

  get intakeStopped(): boolean {
    return this.closed;
  }

  take(frame: Frame): void {
    const { log } = this.ports;
    switch (frame.type) {
      case 'command':
        if (this.closed) return;
        this.batch.push(frame.command);
        // The frames of one chunk are emitted in one go; a microtask runs right after the last of them.
        if (this.batch.length === 1) queueMicrotask(() => this.flush());
        break;
      case 'config_update':
        this.guarded('config_update', () => this.ports.onConfigUpdate(frame.settings));
        break;
      case 'connected':
        log.debug('The backend greeted us');
        if (frame.accepts) this.ports.onAccepts(frame.accepts);
        break;
      case 'notification':
        log.info('Backend sent notification', { level: frame.level, length: frame.message.length });
        log.debug(`Backend sent notification: ${frame.message}`);
        if (frame.message !== '') this.ports.onNotification({ level: frame.level, message: frame.message });
        break;
      case 'notice':
        log.warn(`Backend sent ${frame.name}`, { length: frame.text.length });
        log.debug(`Backend sent ${frame.name}: ${frame.text}`);
        break;
      case 'unknown':
        log.warn('Ignored a frame of unknown type', { type: frame.name });
        break;
      case 'malformed':
        log.warn('Ignored a malformed frame', { reason: frame.reason });
        break;
      default:
        break;
    }
  }

  binary(bytes: number): void {
    this.ports.log.warn('Ignored a binary frame', { bytes });
  }

  private flush(): void {
    const batch = this.batch;
    if (batch.length === 0) return;
    this.batch = [];
    this.guarded('commands', () => this.ports.receive(batch));
  }

  /** A failing store must not end the socket: unacked commands come again. */
  private guarded(what: string, run: () => void): void {
    try {
      run();
    } catch (error) {
      const cause = describeError(error);
      this.ports.log.error(`Could not store ${what}; none of it was acked`, { cause });
    }
  }
}

/** Ids remembered at least, and at most twice as many; commands beyond that are long settled. */
const REMEMBERED = 10_000;
/** A command pushed at the moment of the sync is on its way by the socket too: it gets this long to arrive. */
const GRACE_MS = 2_000;

interface LostConnectionPorts {
  readonly clock: Clock;
  /** The backend's clock minus ours, ms. */
  readonly skewMs: () => number;
  /** Commands waited at the backend although our socket was open: it has lost us. */
  readonly onStranded: (count: number) => void;
}

/**
 * Detects that a backend dropped us from its registry while it still answers pings: a sync with a live socket returns
 * commands that were queued after the socket opened and never came by it.
 */
export class LostConnectionDetector {
  private seen = new Set<string>();
  /** Those before. */
  private seenBefore = new Set<string>();
  private openedAt = 0;
  private timer: Timer | null = null;
  private suspects: readonly string[] = [];

  constructor(private readonly ports: LostConnectionPorts) {}

  /** A socket became live, now. */
  opened(): void {
    this.openedAt = this.ports.clock.now();
  }

  bySocket(commands: readonly Command[]): void {
    for (const { commandId } of commands) this.remember(commandId);
    if (this.timer)
      this.suspects = this.suspects.filter((id) => !commands.some((one) => one.commandId === id));
  }

  /** `startedAt`: when the sync left, Unix ms. One that was sent before this socket opened shows nothing about it. */
  bySync(commands: readonly Command[], startedAt: number, besideSocket: boolean): void {
    const late = commands.filter(
      (command) => !this.isSeen(command.commandId) && this.shouldHaveCome(command, startedAt),
    );
    for (const { commandId } of commands) this.remember(commandId);
    if (!besideSocket || startedAt < this.openedAt || late.length === 0 || this.timer) return;
    this.suspects = late.map((command) => command.commandId);
    const socket = this.openedAt;
    this.timer = this.ports.clock.after(GRACE_MS, () => {
      this.timer = null;
      if (this.suspects.length > 0 && socket === this.openedAt) this.ports.onStranded(this.suspects.length);
    });
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = null;
  }

  private shouldHaveCome(command: Command, startedAt: number): boolean {
    if (command.timestamp === null) return true;
    const queuedAt = command.timestamp - this.ports.skewMs();
    return queuedAt > this.openedAt && queuedAt < startedAt;
  }

  private isSeen(id: string): boolean {
    return this.seen.has(id) || this.seenBefore.has(id);
  }

  /** By two sets in turns: to take the oldest out of one, V8 walks over all that were taken out before. */
  private remember(id: string): void {
    this.seen.add(id);
    if (this.seen.size < REMEMBERED) return;
    this.seenBefore = this.seen;
    this.seen = new Set();
  }
}
