import type { ClientRequest, IncomingMessage } from 'node:http';
import WebSocket, { type ClientOptions } from 'ws';
import { INPUT_LIMITS } from '../system/inputLimits.js';
import type { Outbound } from '../system/Outbound.js';
import { decodeUtf8 } from '../system/utf8.js';
import type { DatedHeaders } from './BackendTime.js';
import { dateOf, describeNetworkError, parseRetryAfter, redirectHost } from './HttpClient.js';
import type { Loss } from './linkTypes.js';
import { MAX_FRAME_BYTES } from './protocol.js';

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

/**
 * One socket, from its handshake to its end; never reused. There is no handshake timeout here: the link's own
 * deadline calls `terminate`. Compression is off, redirects are refused, frames are bounded.
 */
export class WebSocketClient {
  private readonly socket: WebSocket;
  private detached = false;
  private error = '';

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

  /** Lets go first, then tells: whoever hears of the loss meets a socket that is gone (docs/facts.md, bug 11). */
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

/** The socket's end is told by `lost` alone; what a doomed send or a detached socket says adds nothing. */
function ignoreFailure(): void {
  return;
}
