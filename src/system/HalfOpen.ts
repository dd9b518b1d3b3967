import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { type Clock, systemClock, type Timer } from './clock.js';

/** Who sends a request at once is read within this time, however many connect with it, in ms. */
const GRACE_MS = 100;
/** Above so many times the number that is kept there is no such time: no server has places for all that connect in it. */
const CROWD = 4;

/**
 * The connections of a server on which no request is being answered: half-sent ones and idle ones. They are kept to a number, and the
 * oldest gives way to a new one, so that they cannot use up the places, nor the descriptors of the agent: who sends a request at
 * once is never among so many that are older than a moment. An address is no measure here, as all come from this machine.
 */
export class HalfOpen {
  /** Since when (monotonic) each has no request; the longest without one first. */
  private readonly sockets = new Map<Socket, number>();
  private timer: Timer | undefined;

  constructor(
    private readonly most: number,
    private readonly clock: Clock = systemClock,
  ) {}

  /** From now on connections of this HTTP server count. */
  watch(server: Server): void {
    server.on('connection', (socket) => {
      socket.once('close', () => this.answered(socket));
      this.add(socket);
    });
    server.on('request', ({ socket }, response) => {
      this.answered(socket);
      response.once('close', () => this.add(socket));
    });
    // From here on it is a WebSocket's, or is refused.
    server.on('upgrade', ({ socket }) => this.answered(socket));
  }

  /** It has no request, as yet. `answered` is to be called when it closes. */
  add(socket: Socket): void {
    if (socket.destroyed) return;
    this.sockets.set(socket, this.clock.monotonic());
    this.makeRoom();
  }

  /** Its request is whole: it does not count. */
  answered(socket: Socket): void {
    this.sockets.delete(socket);
    if (this.sockets.size <= this.most) this.timer?.cancel();
  }

  private makeRoom(): void {
    for (const [socket, since] of this.sockets) {
      if (this.sockets.size <= this.most) return;
      const isCrowd = this.sockets.size > CROWD * this.most;
      const left = isCrowd ? 0 : since + GRACE_MS - this.clock.monotonic();
      if (left > 0) {
        this.timer?.cancel();
        this.timer = this.clock.after(left, () => this.makeRoom());
        return;
      }
      this.answered(socket);
      socket.destroy();
    }
  }
}
