import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Clock } from '../system/clock.js';
import { Backlog } from './backlog.js';
import { type Pause, PauseTable } from './conversations.js';
import { InstanceLock } from './InstanceLock.js';
import { PAST_ITS_AGE } from './incoming.js';
import { checkLog } from './openStore.js';
import { MIGRATIONS } from './schema.js';
import { type Database, openDatabase } from './sqlite.js';

interface Insight {
  readonly pauses: readonly Pause[];
  readonly counts: ReturnType<Backlog['counts']> & {
    readonly scheduled_messages: number;
    readonly incoming_expired: number;
  };
  /** Unix ms. */
  readonly oldest: ReturnType<Backlog['oldest']>;
  readonly nextScheduledAt: number | null;
}

/** A caller waits for the answer. */
const BUSY_MS = 500;
/** The hooks of tables that are only read. */
const NO_HOOKS = { afterCommit: () => undefined, onRollback: () => undefined };

/**
 * Opens a store for reading only. Throws SqliteError, and what the next start would find of a damaged log: the first connection to the
 * store, even one that only reads, has the index of the log forget what it cannot read of it. `isInUse`: an agent has it open; found out
 * by its lock if left out.
 */
export function openToLook(path: string, isInUse = isLocked(path)): Database {
  if (!isInUse) checkLog(path);
  return openDatabase(path, { readonly: true, busyTimeoutMs: BUSY_MS });
}

function isLocked(path: string): boolean {
  return InstanceLock.isHeld(join(dirname(path), 'agent.lock'));
}

/**
 * What waits and what is paused in the store of an agent that does not run; nothing is changed, checked or migrated. `none`: there is no
 * store yet. Undefined: it cannot be read, is damaged, or is another version's. Never throws.
 */
export function lookIntoStore(path: string, clock: Clock): Insight | 'none' | undefined {
  if (!existsSync(path)) return 'none';
  try {
    const database = openToLook(path, false);
    try {
      if (Number(database.pragma('user_version', { simple: true })) !== MIGRATIONS.length) return undefined;
      const backlog = new Backlog(database);
      const schedule = database.prepare(
        "SELECT count(*) AS count, min(send_at) AS next FROM schedule WHERE state = 'pending'",
      );
      const { count, next } = schedule.get() as { count: number; next: number | null };
      const expired = database
        .prepare("SELECT count(*) FROM incoming WHERE state = 'expired' AND last_error = ?")
        .pluck();
      return {
        pauses: new PauseTable(database, clock, NO_HOOKS).list(),
        counts: {
          ...backlog.counts(),
          scheduled_messages: count,
          incoming_expired: expired.get(PAST_ITS_AGE) as number,
        },
        oldest: backlog.oldest(),
        nextScheduledAt: next,
      };
    } finally {
      database.close();
    }
  } catch {
    return undefined;
  }
}
