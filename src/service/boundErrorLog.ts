import { fstatSync, ftruncateSync } from 'node:fs';

const MOST_BYTES = 1024 * 1024;

/**
 * Empties the file behind a descriptor if it has grown beyond 1 MiB. launchd opens StandardErrorPath for appending and
 * never rotates it, so that the process may do this itself at its start.
 */
export function boundErrorLog(descriptor: number): void {
  const stats = fstatSync(descriptor);
  if (stats.isFile() && stats.size > MOST_BYTES) ftruncateSync(descriptor);
}
