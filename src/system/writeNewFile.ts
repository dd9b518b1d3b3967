import { closeSync, fsyncSync, openSync, writeFileSync } from 'node:fs';

/** Writes a file that is not there yet (0600) and has it on the disk when it returns. Throws what `fs` does: EEXIST if it is there. */
export function writeNewFile(path: string, content: string | Uint8Array): void {
  const fd = openSync(path, 'wx', 0o600);
  try {
    writeFileSync(fd, content);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
