/* Preloaded into the daemon: tells its parent what it uses, and does not keep it alive. */
import Database from 'better-sqlite3';
import { writtenBytes } from './writtenBytes.mjs';

/** Commits of the daemon's own store, and when the last one was on the disk, by the clock of `nowMs` (figures.mjs). */
let commits = 0;
let committedAt = Number.NaN;
const scratch = new Database(':memory:');
const statements = Object.getPrototypeOf(scratch.prepare('SELECT 1'));
scratch.close();
const { run } = statements;
statements.run = function (...values) {
  const result = run.apply(this, values);
  if (this.source === 'COMMIT' && this.database.name.endsWith('/edge-agent.db')) {
    commits += 1;
    committedAt = Number(process.hrtime.bigint()) / 1e6;
  }
  return result;
};

process.on('message', () => {
  const { user, system } = process.cpuUsage();
  const rss = process.memoryUsage.rss();
  const peak = process.resourceUsage().maxRSS * 1024;
  process.send({ cpu: user + system, rss, peak, commits, committedAt, written: writtenBytes() });
});
process.channel?.unref();
// A bench that failed leaves no daemon behind.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
