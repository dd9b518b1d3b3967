import type { RawData, WebSocket } from 'ws';
import type { Clock, Timer } from '../../system/clock.js';
import { decodeUtf8 } from '../../system/utf8.js';
import { CLOSE, closeReason, plainFrame } from './frames.js';
import { Latencies } from './Latencies.js';

/** The callbacks of a connection to its owner. After `closed` there are no more. */
export interface ConnectionEvents {
  text(connection: AgentConnection, text: string): void;
  binary(connection: AgentConnection, bytes: number): void;
  closed(connection: AgentConnection, code: number, reason: string): void;
}

/** Faults of a connection that a backend may be asked to play; asked at each step. */
export interface ConnectionFaults {
  /** Whether a ping stays unanswered. */
  holdsPong(of: 'json' | 'websocket', connection: AgentConnection): boolean;
  /** Whether what is written vanishes. */
  isFrozen(connection: AgentConnection): boolean;
}

interface ConnectionSettings {
  clock: Clock;
  faults: ConnectionFaults;
  /** An agent from which nothing came for so long is dropped, in ms. */
  silenceMs: number;
}

/** Why nothing is read from a connection: its frames come faster than they are stored, or a fault that is played. */
type PauseReason = 'behind' | 'frozen';

/** One agent's live socket. Whatever arrives, pings included, is life; silence closes it with 4408. */
export class AgentConnection {
  /** Unix ms. */
  readonly since: number;
  /** Unix ms of the last thing that arrived. */
  lastSeenAt: number;
  pings = 0;
  /** From a command to its ack, of the commands acked while this connection was up. */
  readonly latencies = new Latencies();
  private readonly pausedBy = new Set<PauseReason>();
  private silence: Timer;
  private lastFrameAt: number;

  constructor(
    readonly agentId: string,
    private readonly socket: WebSocket,
    events: ConnectionEvents,
    private readonly settings: ConnectionSettings,
  ) {
    const { clock, silenceMs } = settings;
    this.since = clock.now();
    this.lastSeenAt = this.since;
    this.lastFrameAt = clock.monotonic();
    this.silence = clock.after(silenceMs, () => this.checkSilence());
    socket.on('message', (data, isBinary) => {
      this.noteAlive();
      const bytes = asBuffer(data);
      if (isBinary) events.binary(this, bytes.length);
      else events.text(this, decodeUtf8(bytes));
    });
    socket.on('ping', (data) => {
      this.noteAlive();
      if (!settings.faults.holdsPong('websocket', this) && this.open) socket.pong(data);
    });
    socket.on('pong', () => this.noteAlive());
    // A frame that breaks the protocol: ws closes the socket itself, and `close` follows.
    socket.on('error', () => this.noteAlive());
    socket.on('close', (code, reason) => {
      this.silence.cancel();
      events.closed(this, code, reason.toString('utf8'));
    });
  }

  get open(): boolean {
    return this.socket.readyState === this.socket.OPEN;
  }

  /** Bytes that wait to leave. */
  get backlog(): number {
    return this.socket.bufferedAmount;
  }

  /** True when handed to the kernel, or swallowed by a freeze; never proof that the agent read it. */
  send(frame: string | Buffer): boolean {
    if (!this.open) return false;
    if (!this.isFrozen) this.socket.send(frame, { binary: typeof frame !== 'string' });
    return true;
  }

  /** Like `send`; resolves when the kernel has the frame, or the socket is gone. */
  write(frame: string): Promise<void> {
    return new Promise((resolve) => {
      if (this.open && !this.isFrozen) this.socket.send(frame, () => resolve());
      else resolve();
    });
  }

  /** Answers the agent's JSON ping, unless pongs are held. */
  answerPing(): void {
    this.pings += 1;
    if (!this.settings.faults.holdsPong('json', this)) this.sendPong();
  }

  sendPong(): void {
    this.send(plainFrame('pong', this.settings.clock.now()));
  }

  close(code: number, reason: string): void {
    // A frozen peer cannot say goodbye.
    if (this.isFrozen) this.socket.terminate();
    else this.socket.close(code, closeReason(reason));
  }

  /** Cuts the connection without a close frame. */
  drop(): void {
    this.socket.terminate();
  }

  /** Reads nothing more until each reason was resumed. */
  pause(reason: PauseReason): void {
    this.pausedBy.add(reason);
    this.socket.pause();
  }

  resume(reason: PauseReason): void {
    if (!this.pausedBy.delete(reason) || this.pausedBy.size > 0) return;
    this.socket.resume();
  }

  private get isFrozen(): boolean {
    return this.settings.faults.isFrozen(this);
  }

  private noteAlive(): void {
    this.lastSeenAt = this.settings.clock.now();
    this.lastFrameAt = this.settings.clock.monotonic();
  }

  /** One timer for the connection's life instead of a new one for each frame. */
  private checkSilence(): void {
    const { clock, silenceMs } = this.settings;
    // While we do not read, frames of the agent cannot arrive.
    if (this.pausedBy.has('behind')) this.lastFrameAt = clock.monotonic();
    const left = this.lastFrameAt + silenceMs - clock.monotonic();
    if (left <= 0) this.close(CLOSE.silent, `no frame for ${Math.round(silenceMs / 1000)} s`);
    else this.silence = clock.after(left, () => this.checkSilence());
  }
}

function asBuffer(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}
