import WebSocket, { type RawData } from 'ws';
import { type Frame, parseFrame } from '../../backend/protocol.js';
import { describeError } from '../../errors.js';
import type { Clock } from '../../system/clock.js';
import { type Patient, patiently, type Try } from './rateLimit.js';

/** A frame as it came, and as the agent reads it, to which binary ones are malformed. `at`: monotonic ms. */
export interface SeenFrame {
  readonly text: string;
  readonly frame: Frame;
  readonly at: number;
}

/** How a handshake ended. */
export type Dial =
  | { readonly kind: 'open'; readonly socket: ProbeSocket }
  | { readonly kind: 'refused'; readonly status: number }
  | { readonly kind: 'failed'; readonly detail: string };

interface DialRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly patient: Patient;
  /** The handshake's deadline, in ms. */
  readonly patienceMs: number;
}

/**
 * The agent's end of one socket with nothing clever in it: it keeps what came and lets a check wait for it. It answers a
 * ping of RFC 6455, as ws does, and nothing else.
 */
export class ProbeSocket {
  readonly seen: SeenFrame[] = [];
  /** Undefined while it is open; 1006: it went without a close frame. */
  closed: { readonly code: number; readonly reason: string } | undefined;
  /** How many pongs of RFC 6455 came. */
  controlPongs = 0;
  private readonly watchers = new Set<() => void>();

  private constructor(
    private readonly socket: WebSocket,
    private readonly clock: Clock,
  ) {
    socket.on('message', (data: RawData, isBinary) => {
      const text = isBinary ? `as binary: ${String(data)}` : String(data);
      const frame: Frame = isBinary ? { type: 'malformed', reason: 'binary' } : parseFrame(text);
      this.seen.push({ text, frame, at: clock.monotonic() });
      this.notify();
    });
    socket.on('pong', () => {
      this.controlPongs += 1;
      this.notify();
    });
    socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() };
      this.notify();
    });
  }

  /**
   * Resolves when the handshake has ended, one way or another. Compression is not offered. A handshake that is answered with
   * 429 is made again as `ask` does it, and rejects as that does.
   */
  static dial(request: DialRequest): Promise<Dial> {
    return patiently(request.patient, () => ProbeSocket.attempt(request));
  }

  private static attempt(request: DialRequest): Promise<Try<Dial>> {
    const { patienceMs } = request;
    const { clock } = request.patient;
    return new Promise((resolve) => {
      const socket = new WebSocket(request.url, {
        headers: { ...request.headers },
        perMessageDeflate: false,
        followRedirects: false,
      });
      // Made at once: a frame may come in the same read as the answer to the handshake.
      const probe = new ProbeSocket(socket, clock);
      const end = (result: Dial, limited?: Try<Dial>['limited']) => {
        deadline.cancel();
        if (result.kind !== 'open') socket.terminate();
        resolve({ result, ...(limited === undefined ? {} : { limited }) });
      };
      const deadline = clock.after(patienceMs, () =>
        end({ kind: 'failed', detail: `no answer to the handshake within ${patienceMs / 1000} s` }),
      );
      socket.on('open', () => end({ kind: 'open', socket: probe }));
      socket.on('unexpected-response', (_request, response) => {
        const status = response.statusCode ?? 0;
        const retryAfter = response.headers['retry-after'] ?? null;
        end({ kind: 'refused', status }, status === 429 ? { retryAfter } : undefined);
      });
      // After the handshake `close` follows, and says it.
      socket.on('error', (error) => end({ kind: 'failed', detail: describeError(error) }));
    });
  }

  get open(): boolean {
    return this.closed === undefined;
  }

  send(frame: object | string): void {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    this.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  /** The ping of RFC 6455. */
  controlPing(): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.ping();
  }

  /** Reads nothing more, until `resume`: a close by the other side ends late. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** Resolves with the first thing that `look` finds, or undefined when `ms` have passed. The end of the socket is looked at once. */
  until<T>(look: () => T | undefined, ms: number): Promise<T | undefined> {
    return new Promise((resolve) => {
      const end = (found: T | undefined) => {
        deadline.cancel();
        this.watchers.delete(watch);
        resolve(found);
      };
      const watch = () => {
        const found = look();
        if (found !== undefined || this.closed !== undefined) end(found);
      };
      const deadline = this.clock.after(ms, () => end(look()));
      this.watchers.add(watch);
      watch();
    });
  }

  /** The first frame from `from` on that fits, or undefined when `ms` have passed. */
  frame(fits: (seen: SeenFrame) => boolean, ms: number, from = 0): Promise<SeenFrame | undefined> {
    return this.until(() => this.seen.slice(from).find(fits), ms);
  }

  /** Sends a JSON ping; resolves with the ms until its pong, or undefined. */
  async ping(ms: number): Promise<number | undefined> {
    const from = this.seen.length;
    const sentAt = this.clock.monotonic();
    this.send({ type: 'ping' });
    const pong = await this.frame(({ frame }) => frame.type === 'pong', ms, from);
    return pong === undefined ? undefined : pong.at - sentAt;
  }

  /** Resolves when the socket has closed, or after `ms`. */
  async untilClosed(ms: number): Promise<ProbeSocket['closed']> {
    await this.until(() => this.closed, ms);
    return this.closed;
  }

  /** Says goodbye and waits a moment for the answer; then cuts. Idempotent. */
  async end(): Promise<void> {
    this.socket.close(1000, 'conformance');
    await this.untilClosed(1_000);
    this.socket.terminate();
  }

  private notify(): void {
    for (const watch of [...this.watchers]) watch();
  }
}

/** How a dial ended, in words. */
export function describeDial(dial: Dial): string {
  switch (dial.kind) {
    case 'open':
      return dial.socket.closed ? `opened, then closed with ${dial.socket.closed.code}` : 'opened';
    case 'refused':
      return `HTTP ${dial.status} to the handshake`;
    case 'failed':
      return dial.detail;
  }
}
