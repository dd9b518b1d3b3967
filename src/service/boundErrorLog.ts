import { fchmodSync, fstatSync, ftruncateSync } from 'node:fs';

const MOST_BYTES = 1024 * 1024;

/**
 * Makes the file behind a descriptor private, and empties it if it has grown beyond 1 MiB. launchd makes StandardErrorPath
 * with mode 0644, opens it for appending and never rotates it, so that the process may do this itself at its start.
 */
export function boundErrorLog(descriptor: number): void {
  const stats = fstatSync(descriptor);
  if (!stats.isFile()) return;
  fchmodSync(descriptor, 0o600);
  if (stats.size > MOST_BYTES) ftruncateSync(descriptor);
}
