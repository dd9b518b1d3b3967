/* Preloaded into the daemon: tells its parent what it uses, and does not keep it alive. */
import { readFileSync } from 'node:fs';
import Database from 'better-sqlite3';

/** Commits of the daemon's own store. */
let commits = 0;
const scratch = new Database(':memory:');
const statements = Object.getPrototypeOf(scratch.prepare('SELECT 1'));
scratch.close();
const { run } = statements;
statements.run = function (...values) {
  if (this.source === 'COMMIT' && this.database.name.endsWith('/edge-agent.db')) commits += 1;
  return run.apply(this, values);
};

process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send({ cpu: user + system, rss: process.memoryUsage.rss(), commits, written: writtenBytes() });
});
process.channel?.unref();

/** Bytes that went to the disk, by proc(5). */
function writtenBytes() {
  try {
    return Number(/^write_bytes: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1] ?? Number.NaN);
  } catch {
    // Not on this system.
    return Number.NaN;
  }
}
