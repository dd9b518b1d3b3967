import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

/** `<handover>/<32 hex digits>/<name>`, and nothing that climbs out of there. */
const INSIDE = /^[0-9a-f]{32}\/(?!\.{1,2}$)[^/\0]+$/;

/** Whether a path is one that the operator's command hands a file over by. */
export function isHandedOver(path: string, handover: string): boolean {
  return path.startsWith(`${handover}/`) && INSIDE.test(path.slice(handover.length + 1));
}

/**
 * Reads a file that the operator's command copied for us: never through a link. It is a copy, so that the daemon reads
 * nothing that the caller may not read, whatever macOS permits the daemon; so a hard link is refused.
 */
export function readHandedOver(path: string, maxBytes: number): { bytes: Buffer } | { fault: string } {
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(file);
    const { size } = stats;
    if (!stats.isFile()) return { fault: 'it is not a regular file' };
    if (stats.nlink > 1) return { fault: 'it has more than one name on the disk (hard links)' };
    if (size > maxBytes) {
      return { fault: `it has ${size} bytes; the limit is ${maxBytes} (attachments.max_bytes)` };
    }
    return readWhole(file, size);
  } finally {
    closeSync(file);
  }
}

/** No more than was there when it was judged, however it grows. */
function readWhole(file: number, size: number): { bytes: Buffer } | { fault: string } {
  const bytes = Buffer.alloc(size);
  let length = 0;
  while (length < size) {
    const read = readSync(file, bytes, length, size - length, length);
    if (read === 0) return { fault: 'it changed while it was read' };
    length += read;
  }
  return { bytes };
}
