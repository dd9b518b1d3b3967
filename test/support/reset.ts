import type { Socket } from 'node:net';

/**
 * Resets a connection. One that is just ending is closed instead: Node would answer EINVAL and never close its handle, and a process
 * with such a handle spins at its exit for ever (Node 20.20).
 */
export function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
