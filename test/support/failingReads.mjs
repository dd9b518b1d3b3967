import { existsSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import BetterSqlite3 from 'better-sqlite3';

/*
 * Loaded before the daemon (`node --import`), which knows nothing of it: while the file named by READS_FAIL_WHILE exists, its disk
 * gives back nothing of the store, as one does that fails or is a network's. Every statement that reads throws what SQLite says then.
 */
const { READS_FAIL_WHILE = '' } = process.env;

const isDaemon = process.argv[1]?.endsWith('/cli/main.js') && process.argv.includes('run');
if (isDaemon && isMainThread) {
  const memory = new BetterSqlite3(':memory:');
  const statements = Object.getPrototypeOf(memory.prepare('SELECT 1'));
  memory.close();
  for (const name of ['get', 'all', 'iterate']) {
    const original = statements[name];
    statements[name] = function (...args) {
      if (this.database.name.endsWith('edge-agent.db') && existsSync(READS_FAIL_WHILE))
        throw new BetterSqlite3.SqliteError('disk I/O error', 'SQLITE_IOERR_READ');
      return original.apply(this, args);
    };
  }
}
