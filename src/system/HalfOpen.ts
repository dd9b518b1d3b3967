import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/**
 * The connections of an HTTP server on which no request is being answered: half-sent ones and idle ones. They are kept to a number, and
 * the oldest gives way to a new one, so that they cannot use up the places, nor the descriptors of the agent: who sends a request at
 * once is never the oldest of so many. An address is no measure here, as all come from this machine.
 */
export class HalfOpen {
  /** The longest without a request first. */
  private readonly sockets = new Set<Socket>();

  constructor(private readonly most: number) {}

  /** From now on connections of this server count. */
  watch(server: Server): void {
    server.on('connection', (socket) => {
      socket.once('close', () => this.sockets.delete(socket));
      this.add(socket);
    });
    server.on('request', ({ socket }, response) => {
      this.sockets.delete(socket);
      response.once('close', () => this.add(socket));
    });
    // From here on it is a WebSocket's, or is refused.
    server.on('upgrade', ({ socket }) => this.sockets.delete(socket));
  }

  private add(socket: Socket): void {
    if (socket.destroyed) return;
    this.sockets.add(socket);
    const [oldest] = this.sockets;
    if (this.sockets.size > this.most) oldest?.destroy();
  }
}
