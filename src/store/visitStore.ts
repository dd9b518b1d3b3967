import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../logging/Logger.js';
import { systemClock } from '../system/clock.js';
import { InstanceLock } from './InstanceLock.js';
import { Store } from './Store.js';

interface Visit {
  directory: string;
  log: Logger;
  /** The caller holds the lock of the agent. */
  isLockHeld?: boolean;
  /** Makes the store where there is none yet; the directory is there. */
  makes?: boolean;
}

/**
 * Works on the store of an agent that does not run, under the lock that keeps one from starting meanwhile. What the next start finds
 * out about the last life of the agent is left as it is. Undefined: there is no store. Throws EdgeError `already_running`, or what
 * `Store.open` throws.
 */
export function visitStore<T>(visit: Visit, work: (store: Store) => T): T | undefined {
  const { directory, log, isLockHeld = false, makes = false } = visit;
  const path = join(directory, 'edge-agent.db');
  if (!existsSync(path) && !makes) return undefined;
  const lock = isLockHeld ? undefined : InstanceLock.acquire(join(directory, 'agent.lock'));
  try {
    const store = Store.open(path, { clock: systemClock, log });
    try {
      return work(store);
    } finally {
      store.leave();
    }
  } finally {
    lock?.release();
  }
}
