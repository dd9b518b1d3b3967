import type { IncomingMessage } from 'node:http';

/** What all large bodies that are read or worked on may come to at once, in bytes: each takes a few times its size for a moment. */
const ROOM_BYTES = 256 * 1024 * 1024;

/** Smaller ones are not counted, in bytes; what a stranger sends is one of them, or he could take all the room. */
export const SMALL_BYTES = 128 * 1024;

/** The memory for the bodies of requests: a rush of large ones must not take all of it. */
export class BodyRoom {
  constructor(private left = ROOM_BYTES) {}

  /**
   * Takes the room that the body of a request needs, of which `limit` bytes are read; gives what gives it back, once nothing of the body is
   * needed any more. Undefined: there is none now, and the caller is to come again.
   */
  take(request: IncomingMessage, limit: number): (() => void) | undefined {
    const declared = Number(request.headers['content-length'] ?? limit);
    const size = Math.min(Number.isSafeInteger(declared) ? declared : limit, limit);
    if (size <= SMALL_BYTES) return () => undefined;
    if (size > this.left) return undefined;
    this.left -= size;
    let isGivenBack = false;
    return () => {
      if (!isGivenBack) this.left += size;
      isGivenBack = true;
    };
  }
}
