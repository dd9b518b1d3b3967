import { connect, type Socket } from 'node:net';
import { cutFrame } from './frameCutter.js';

/** How a proxy treats what passes through it; looked at for each piece, so that a change counts at once. */
export interface Treatment {
  /** Upgrade requests are answered with this page instead of being passed on. */
  upgradePage: string | null;
  /** In both directions; null: as fast as it comes. */
  bytesPerSecond: number | null;
  /** What becomes of the frames from the server. `reversed`: in groups that come soon after one another. */
  frames: 'asTheyAre' | 'doubled' | 'reversed';
}

const HEAD_END = '\r\n\r\n';
/** Frames that come within this time are one group. */
const GROUP_MS = 15;
/** How often a slow line moves on. */
const SLOW_TICK_MS = 10;

/** One connection through the proxy: what the client says, what the server says, and what is done to it on the way. */
export class ProxiedConnection {
  /** Whether an upgrade was asked for; `upgraded`: and went through, so that the server speaks in frames. */
  asked = false;
  upgraded = false;
  private readonly server: Socket;
  private spoken = false;
  private over = false;
  private answered: Buffer = Buffer.alloc(0);
  private frames: Buffer = Buffer.alloc(0);
  private group: Buffer[] = [];
  private groupTimer: NodeJS.Timeout | undefined;
  private slow: { readonly to: Socket; bytes: Buffer }[] = [];
  private slowTimer: NodeJS.Timeout | undefined;
  private cutNext = false;
  private doubleNext = false;

  constructor(
    private readonly client: Socket,
    port: number,
    private readonly treatment: Treatment,
    private readonly events: { upgrading(): void; upgraded(): void; ended(): void },
  ) {
    this.server = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    for (const socket of [client, this.server]) {
      socket.setNoDelay(true);
      socket.on('error', () => this.destroy());
      socket.on('close', () => this.destroy());
    }
    client.on('data', (bytes: Buffer) => this.fromClient(bytes));
    client.on('end', () => this.server.end());
    this.server.on('data', (bytes: Buffer) => this.fromServer(bytes));
    this.server.on('end', () => client.end());
  }

  /** Cuts both sides at once. */
  destroy(): void {
    if (this.over) return;
    this.over = true;
    clearTimeout(this.groupTimer);
    clearInterval(this.slowTimer);
    this.client.destroy();
    this.server.destroy();
    this.events.ended();
  }

  /** Nothing passes any more in either direction; the kernels on both sides go on as if all were well. */
  freeze(): void {
    this.client.pause();
    this.server.pause();
  }

  thaw(): void {
    this.client.resume();
    this.server.resume();
  }

  /** The client gets the end of the stream; its data is still accepted. */
  halfClose(): void {
    this.server.removeAllListeners('data');
    this.server.resume();
    this.client.end();
  }

  /** Bytes of our own, between two frames of the server. */
  inject(bytes: Buffer): void {
    this.client.write(bytes);
  }

  /** The next frame from the server arrives only by half, and then the connection is gone. */
  cutInsideNextFrame(): void {
    this.cutNext = true;
  }

  /** The next bytes from the server arrive twice, the second time without their beginning. */
  doubleNextBytes(): void {
    this.doubleNext = true;
  }

  private fromClient(bytes: Buffer): void {
    // A client asks for an upgrade in the first piece that it sends, or never on this connection.
    if (!this.spoken && /^upgrade: *websocket/im.test(bytes.toString('latin1'))) {
      this.asked = true;
      this.events.upgrading();
    }
    this.spoken = true;
    const page = this.treatment.upgradePage;
    if (this.asked && !this.upgraded && page !== null) {
      const head = `HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: ${page.length}`;
      this.client.end(`${head}${HEAD_END}${page}`);
      return;
    }
    this.pass(this.server, bytes);
  }

  private fromServer(bytes: Buffer): void {
    if (this.upgraded || !this.asked) {
      if (this.upgraded) this.inFrames(bytes);
      else this.pass(this.client, bytes);
      return;
    }
    this.answered = Buffer.concat([this.answered, bytes]);
    const end = this.answered.indexOf(HEAD_END);
    if (end === -1 || !this.answered.subarray(0, end).includes('HTTP/1.1 101')) {
      if (end !== -1) this.answered = Buffer.alloc(0);
      this.pass(this.client, bytes);
      return;
    }
    this.upgraded = true;
    this.events.upgraded();
    const head = end + HEAD_END.length;
    const before = this.answered.length - bytes.length;
    this.pass(this.client, bytes.subarray(0, head - before));
    this.inFrames(this.answered.subarray(head));
  }

  private inFrames(bytes: Buffer): void {
    this.frames = Buffer.concat([this.frames, bytes]);
    for (let cut = cutFrame(this.frames); cut !== null; cut = cutFrame(this.frames)) {
      this.frames = cut.rest;
      this.oneFrame(cut.frame);
    }
  }

  private oneFrame(frame: Buffer): void {
    if (this.cutNext) {
      this.cutNext = false;
      this.client.write(frame.subarray(0, Math.ceil(frame.length / 2)), () => this.destroy());
    } else if (this.doubleNext) {
      this.doubleNext = false;
      this.pass(this.client, Buffer.concat([frame, frame.subarray(1)]));
    } else if (this.treatment.frames === 'doubled') {
      this.pass(this.client, Buffer.concat([frame, frame]));
    } else if (this.treatment.frames === 'reversed' || this.group.length > 0) {
      this.group.push(frame);
      this.groupTimer ??= setTimeout(() => this.release(), GROUP_MS);
    } else {
      this.pass(this.client, frame);
    }
  }

  private release(): void {
    this.groupTimer = undefined;
    for (const frame of this.group.splice(0).reverse()) this.pass(this.client, frame);
  }

  private pass(to: Socket, bytes: Buffer): void {
    if (this.treatment.bytesPerSecond === null && this.slow.length === 0) {
      if (to.writable) to.write(bytes);
      return;
    }
    this.slow.push({ to, bytes });
    this.slowTimer ??= setInterval(() => this.drip(), SLOW_TICK_MS);
  }

  private drip(): void {
    const rate = this.treatment.bytesPerSecond ?? Number.POSITIVE_INFINITY;
    for (const to of [this.client, this.server]) {
      for (let left = Math.max(1, (rate * SLOW_TICK_MS) / 1_000); left >= 1; ) {
        const next = this.slow.find((one) => one.to === to);
        if (next === undefined) break;
        const piece = next.bytes.subarray(0, Math.min(left, next.bytes.length));
        next.bytes = next.bytes.subarray(piece.length);
        if (next.bytes.length === 0) this.slow.splice(this.slow.indexOf(next), 1);
        if (to.writable) to.write(piece);
        left -= piece.length;
      }
    }
    if (this.slow.length > 0) return;
    clearInterval(this.slowTimer);
    this.slowTimer = undefined;
  }
}
