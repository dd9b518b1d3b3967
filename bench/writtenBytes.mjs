import { readFileSync } from 'node:fs';

/** Bytes that this process had written to the disk, by proc(5); NaN on other systems. */
export function writtenBytes() {
  try {
    return Number(/^write_bytes: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1] ?? Number.NaN);
  } catch {
    // Not on this system.
    return Number.NaN;
  }
}
