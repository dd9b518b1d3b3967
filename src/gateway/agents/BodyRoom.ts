import type { IncomingMessage } from 'node:http';

/** What all large bodies that are read or worked on may come to at once, in bytes: each takes a few times its size for a moment. */
const ROOM_BYTES = 256 * 1024 * 1024;

/** One caller has this share of it at most: a body may come slowly, and hold its room for minutes. */
const SHARE = 1 / 4;

/** Smaller ones of callers that are known are not counted, in bytes. */
export const SMALL_BYTES = 128 * 1024;

/** Callers without credentials, whose body is read before they are known. Together they count as one caller, with every body. */
export const STRANGERS = 'strangers';

/** The memory for the bodies of requests: a rush of large ones must not take all of it, nor one caller that of the others. */
export class BodyRoom {
  private readonly taken = new Map<string, number>();
  private readonly share: number;

  constructor(private left = ROOM_BYTES) {
    this.share = left * SHARE;
  }

  /**
   * Takes the room that the body of a request needs, of which `limit` bytes are read; gives what gives it back, once nothing of the body is
   * needed any more. Undefined: there is none now, and the caller is to come again.
   */
  take(request: IncomingMessage, limit: number, caller: string): (() => void) | undefined {
    const declared = Number(request.headers['content-length'] ?? limit);
    const size = Math.min(Number.isSafeInteger(declared) ? declared : limit, limit);
    if (size <= SMALL_BYTES && caller !== STRANGERS) return () => undefined;
    const before = this.taken.get(caller) ?? 0;
    // One alone may be larger than a share.
    if (size > this.left || (before > 0 && before + size > this.share)) return undefined;
    this.add(caller, size);
    let isGivenBack = false;
    return () => {
      if (!isGivenBack) this.add(caller, -size);
      isGivenBack = true;
    };
  }

  private add(caller: string, size: number): void {
    this.left -= size;
    const now = (this.taken.get(caller) ?? 0) + size;
    if (now > 0) this.taken.set(caller, now);
    else this.taken.delete(caller);
  }
}
