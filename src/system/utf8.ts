import { transcode } from 'node:buffer';

/** Below this many bytes the ordinary way costs next to nothing. */
const LARGE_BYTES = 16 * 1024;

/**
 * The text of these bytes, with U+FFFD for what is no UTF-8. Node's own decoder takes 15 ms for each MB that is not ASCII, so 100 ms for
 * a large frame; `transcode` (simdutf, Node 20) takes 2, but refuses bytes that are no UTF-8.
 */
export function decodeUtf8(bytes: Buffer): string {
  if (bytes.length < LARGE_BYTES) return bytes.toString('utf8');
  try {
    return transcode(bytes, 'utf8', 'ucs2').toString('utf16le');
  } catch {
    // No UTF-8: the slow way has a mark for each piece of it.
    return bytes.toString('utf8');
  }
}

/** The same of bytes that come piece by piece, whatever character a seam cuts in two. A byte order mark at the start is left out. */
export class Utf8Stream {
  private cut: Buffer = Buffer.alloc(0);
  private isAtStart = true;

  add(chunk: Buffer): string {
    const bytes = this.cut.length === 0 ? chunk : Buffer.concat([this.cut, chunk]);
    const whole = bytes.length - unfinished(bytes);
    this.cut = bytes.subarray(whole);
    return this.withoutMark(decodeUtf8(bytes.subarray(0, whole)));
  }

  /** What is left when nothing more comes. */
  end(): string {
    const rest = decodeUtf8(this.cut);
    this.cut = Buffer.alloc(0);
    return this.withoutMark(rest);
  }

  private withoutMark(text: string): string {
    if (!this.isAtStart || text === '') return text;
    this.isAtStart = false;
    return text.startsWith('\ufeff') ? text.slice(1) : text;
  }
}

/** How many bytes at the end begin a character of more bytes than are there. */
function unfinished(bytes: Buffer): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return 0;
    if (byte < 0xc0) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return length > back ? back : 0;
  }
  return 0;
}

/**
 * A text as it can be handed to a process and comes back from chat.db: without NUL, which no argument can hold, and with
 * a replacement character for half of a surrogate pair, which is no character.
 */
export function sendableText(text: string): string {
  return (text.includes('\0') ? text.replaceAll('\0', '') : text).toWellFormed();
}
