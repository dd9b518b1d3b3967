import type { WrittenClientFrame } from '../model/clientFrames.js';
import type { ServerFrame } from '../model/monitorFrames.js';
import type { ClientClock, ClientTimer } from './clock.js';
import type { Ending } from './closing.js';
import { readServerFrame } from './frames.js';
import { OPEN, type WebSocketConstructor, type WebSocketLike } from './WebSocketLike.js';

interface ConnectionListener {
  frame(frame: ServerFrame): void;
  /** Once, and nothing after it. Not after `close`. */
  ended(ending: Ending): void;
}

/** From the attempt to the first frame, which the agent sends at once. */
const FIRST_FRAME_MS = 10_000;
const LOOK_EVERY_MS = 5_000;
/** The agent pings every 30 s; this is for an agent that disappeared without closing. */
const PING_AFTER_MS = 35_000;
const GONE_AFTER_MS = 50_000;

/** One socket from the attempt to its end, with its heartbeat: whatever hangs, it ends. */
export class Connection {
  private readonly socket: WebSocketLike;
  private lastFrameAt: number;
  private hasHeard = false;
  private pinged = false;
  private hasEnded = false;
  private timer: ClientTimer;

  constructor(
    url: string,
    WebSocket: WebSocketConstructor,
    private readonly clock: ClientClock,
    private readonly listener: ConnectionListener,
  ) {
    this.lastFrameAt = clock.monotonic();
    this.socket = new WebSocket(url);
    this.socket.onmessage = ({ data }: { data: unknown }) => this.onData(data);
    this.socket.onclose = ({ code, reason }: { code: number; reason: string }) => this.end({ code, reason });
    // A close follows it, which is acted upon; without a listener `ws` would throw it.
    this.socket.onerror = () => undefined;
    this.timer = clock.after(LOOK_EVERY_MS, () => this.look());
  }

  /** False if there is no open socket to write to. */
  send(frame: WrittenClientFrame): boolean {
    if (this.hasEnded || this.socket.readyState !== OPEN) return false;
    this.socket.send(JSON.stringify(frame));
    return true;
  }

  /** Closes it cleanly; the listener is not called any more. */
  close(): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.timer.cancel();
    this.socket.close(1000);
  }

  private onData(data: unknown): void {
    if (this.hasEnded) return;
    this.lastFrameAt = this.clock.monotonic();
    this.pinged = false;
    const frame = readServerFrame(data);
    if (frame === undefined) return;
    this.hasHeard = true;
    if (frame.type === 'ping') this.send({ type: 'pong' });
    this.listener.frame(frame);
  }

  /** Uses the clock, not a timer: a sleeping machine or a hidden tab makes timers late. */
  private look(): void {
    const silentMs = this.clock.monotonic() - this.lastFrameAt;
    if (silentMs >= (this.hasHeard ? GONE_AFTER_MS : FIRST_FRAME_MS)) {
      this.giveUp();
      return;
    }
    if (this.hasHeard && silentMs >= PING_AFTER_MS && !this.pinged) this.pinged = this.send({ type: 'ping' });
    this.timer = this.clock.after(LOOK_EVERY_MS, () => this.look());
  }

  private giveUp(): void {
    if (this.socket.terminate === undefined) this.socket.close();
    else this.socket.terminate();
    this.end({ reason: 'The agent does not answer' });
  }

  private end(ending: Ending): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.timer.cancel();
    this.listener.ended(ending);
  }
}
