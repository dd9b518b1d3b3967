import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Presence, Topic } from '../model/clientFrames.js';
import type { Clock, Timer } from '../system/clock.js';
import { RateLimit } from './rateLimit.js';

/** Who is at the other end, as the token says. `expiresAt` is Unix ms. */
export interface Session {
  readonly userId: string;
  readonly expiresAt: number;
}

/** The close codes that we use; all except 1001, 1009 and 1013 are from the private range (RFC 6455, 7.4.2). */
export const CLOSE = {
  /** The agent stops. */
  goingAway: 1001,
  /** Too many clients: try again later. */
  full: 1013,
  /** Neither a frame nor a pong for 60 s. */
  silent: 4000,
  /** The token has expired, or the secret was rotated. */
  expired: 4001,
  /** More frames than the rate allows. */
  tooFast: 4008,
} as const;

/** What one client may send: frames of ours and the protocol's own pings alike. */
const FRAME_RATE = { burst: 60, perSecond: 20 };
/** Who has so many bytes waiting that were sent long ago does not read. */
const MOST_WAITING_BYTES = 1024 * 1024;
/** How long the other end has to answer a close. */
export const CLOSING_MS = 1_000;

/** One connection. It is written to without waiting, and cut off if it does not read. */
export class Client {
  topics: ReadonlySet<Topic> = new Set();
  presence: Presence = 'online';
  /** When the last frame came and the last ping went, monotonic ms. */
  lastFrameAt: number;
  pingedAt: number;
  /** When it came, monotonic ms. */
  readonly since: number;
  /** Whether its user was notified that the session ends soon. */
  warned = false;
  private readonly rate = new RateLimit(FRAME_RATE);
  private closing: Timer | undefined;

  constructor(
    private readonly socket: WebSocket,
    /** The socket's own stream, so that several frames can be written at once. */
    private readonly stream: Duplex,
    /** Undefined for who showed no valid token. */
    readonly session: Session | undefined,
    private readonly clock: Clock,
  ) {
    this.since = clock.monotonic();
    this.lastFrameAt = this.since;
    this.pingedAt = this.since;
    socket.once('close', () => this.closing?.cancel());
  }

  get isOpen(): boolean {
    return this.closing === undefined && this.socket.readyState === this.socket.OPEN;
  }

  /** The ping of RFC 6455, which every client answers automatically, including browsers. */
  ping(): void {
    if (this.isOpen) this.socket.ping();
  }

  /** Counts a frame of theirs; false if it is one too many. */
  countFrame(): boolean {
    this.lastFrameAt = this.clock.monotonic();
    return this.rate.take(this.lastFrameAt);
  }

  /** Writes encoded frames in one go. False if it does not read: then it is cut off. */
  write(frames: readonly Buffer[]): boolean {
    if (!this.isOpen) return true;
    if (this.socket.bufferedAmount > MOST_WAITING_BYTES) {
      this.socket.terminate();
      return false;
    }
    this.stream.cork();
    for (const frame of frames) this.socket.send(frame, { binary: false });
    this.stream.uncork();
    return true;
  }

  /** Closes with a code; who does not answer it is cut off. `deaf`: nothing more of theirs is read. */
  close(code: number, reason: string, deaf = false): void {
    if (this.closing !== undefined) return;
    this.socket.close(code, reason);
    if (deaf) this.socket.pause();
    this.closing = this.clock.after(CLOSING_MS, () => this.socket.terminate());
  }

  /** The socket closes on its own after an invalid frame (1009, 1002 …); it is cut off if that takes long. */
  failed(): void {
    this.closing ??= this.clock.after(CLOSING_MS, () => this.socket.terminate());
  }
}
