import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './until.js';

/** Where the first test that needs PostgreSQL starts it, for all the files of the run. */
export const PLACE_VARIABLE = 'TEST_POSTGRES_PLACE';
/** The process with which it ends. */
export const OWNER_VARIABLE = 'TEST_POSTGRES_OWNER';

/** Linux: files in memory, where no commit waits for a disk. */
const MEMORY = '/dev/shm';
const ENOUGH_BYTES = 2 ** 30;

/** A directory that does not exist yet, in which a server can run: PostgreSQL does not run as root, and `nobody` has to get there. */
export function postgresPlace(): string {
  return join(hasRoom() ? MEMORY : tmpdir(), `edge-postgres-${randomBytes(6).toString('hex')}`);
}

/** Names the place for this run. Whether a server is started there is decided by the tests that run; it is ended here. */
export function setup(): () => Promise<void> {
  const place = postgresPlace();
  process.env[PLACE_VARIABLE] = place;
  process.env[OWNER_VARIABLE] = String(process.pid);
  return async () => {
    const guard = join(place, 'guard');
    if (existsSync(guard)) await end(Number(readFileSync(guard, 'utf8')));
    rmSync(place, { recursive: true, force: true, maxRetries: 5 });
  };
}

async function end(guard: number): Promise<void> {
  if (!isThere(guard)) return;
  process.kill(guard, 'SIGTERM');
  await until(
    () => !isThere(guard),
    () => 'the end of PostgreSQL',
  );
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function hasRoom(): boolean {
  try {
    const { bavail, bsize } = statfsSync(MEMORY);
    return bavail * bsize >= ENOUGH_BYTES;
  } catch {
    // Not Linux.
    return false;
  }
}
