import type { RawData, WebSocket } from 'ws';
import type { Clock, Timer } from '../../system/clock.js';
import type { Faults } from './Faults.js';
import { CLOSE, closeReason, plainFrame } from './frames.js';
import { Latencies } from './Latencies.js';

/** What a connection tells its owner. After `closed` nothing more comes. */
export interface ConnectionEvents {
  text(connection: AgentConnection, text: string): void;
  binary(connection: AgentConnection, bytes: number): void;
  closed(connection: AgentConnection, code: number, reason: string): void;
}

interface ConnectionSettings {
  clock: Clock;
  faults: Faults;
  /** An agent from which nothing came for so long is dropped, in ms. */
  silenceMs: number;
}

/**
 * One agent's live socket. Whatever arrives, pings included, is life; silence closes it with 4408. It can be frozen, to
 * play a peer that is gone without a word: nothing is read and nothing is written, and nobody is told.
 */
export class AgentConnection {
  /** Unix ms. */
  readonly since: number;
  /** Unix ms of the last thing that arrived. */
  lastSeenAt: number;
  pings = 0;
  /** From a command to its ack, of the commands acked while this connection was up. */
  readonly latencies = new Latencies();
  private frozen = false;
  private heldPongs = 0;
  private silence: Timer;
  private heardAt: number;

  constructor(
    readonly agentId: string,
    private readonly socket: WebSocket,
    events: ConnectionEvents,
    private readonly settings: ConnectionSettings,
  ) {
    const { clock, silenceMs } = settings;
    this.since = clock.now();
    this.lastSeenAt = this.since;
    this.heardAt = clock.monotonic();
    this.silence = clock.after(silenceMs, () => this.checkSilence());
    socket.on('message', (data, isBinary) => {
      this.hear();
      const bytes = asBuffer(data);
      if (isBinary) events.binary(this, bytes.length);
      else events.text(this, bytes.toString('utf8'));
    });
    socket.on('ping', (data) => {
      this.hear();
      if (!settings.faults.holdsPong('websocket') && this.open) socket.pong(data);
    });
    socket.on('pong', () => this.hear());
    // A frame that breaks the protocol: ws closes the socket itself, and `close` follows.
    socket.on('error', () => this.hear());
    socket.on('close', (code, reason) => {
      this.silence.cancel();
      events.closed(this, code, reason.toString('utf8'));
    });
  }

  get open(): boolean {
    return this.socket.readyState === this.socket.OPEN;
  }

  /** True when handed to the kernel, or swallowed by a freeze; never proof that the agent read it. */
  send(frame: string | Buffer): boolean {
    if (!this.open) return false;
    if (!this.frozen) this.socket.send(frame, { binary: typeof frame !== 'string' });
    return true;
  }

  /** Answers the agent's JSON ping, unless pongs are held. */
  answerPing(): void {
    this.pings += 1;
    if (this.settings.faults.holdsPong('json')) this.heldPongs += 1;
    else this.send(plainFrame('pong', this.settings.clock.now()));
  }

  /** Sends the pongs that were held back, one for each ping. */
  releasePongs(): void {
    for (; this.heldPongs > 0; this.heldPongs -= 1) this.send(plainFrame('pong', this.settings.clock.now()));
  }

  close(code: number, reason: string): void {
    // A frozen peer cannot say goodbye.
    if (this.frozen) this.socket.terminate();
    else this.socket.close(code, closeReason(reason));
  }

  /** Cuts the connection without a close frame. */
  drop(): void {
    this.socket.terminate();
  }

  freeze(): void {
    this.frozen = true;
    this.socket.pause();
  }

  /** What arrived meanwhile is read now; what was to be sent meanwhile is lost. */
  thaw(): void {
    this.frozen = false;
    this.socket.resume();
  }

  private hear(): void {
    this.lastSeenAt = this.settings.clock.now();
    this.heardAt = this.settings.clock.monotonic();
  }

  /** One timer for the connection's life instead of a new one for each frame. */
  private checkSilence(): void {
    const { clock, silenceMs } = this.settings;
    const left = this.heardAt + silenceMs - clock.monotonic();
    if (left <= 0) this.close(CLOSE.silent, `no frame for ${Math.round(silenceMs / 1000)} s`);
    else this.silence = clock.after(left, () => this.checkSilence());
  }
}

function asBuffer(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}
