import { closeSync, openSync, writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import Database from 'better-sqlite3';

/*
 * Loaded before the daemon (`node --import`), which knows nothing of it: kills the process with SIGKILL right before or
 * right after the COMMIT of the nth transaction of its store that holds a certain statement. What it is to do stands in
 * KILL_AT, as armed() of killPoints.ts writes it. Children inherit neither.
 */

const { KILL_AT } = process.env;
delete process.env.KILL_AT;
delete process.env.NODE_OPTIONS;

const isDaemon = process.argv[1]?.endsWith('/cli/main.js') && process.argv.includes('run');
if (KILL_AT !== undefined && isDaemon && isMainThread) arm(JSON.parse(KILL_AT));

function arm({ name, phase, nth, statement, first, without, note }) {
  const wanted = new RegExp(statement);
  const unwanted = without === undefined ? undefined : new RegExp(without);
  // Freed for the note: so that a process without descriptors is killed too.
  const spare = openSync('/dev/null', 'r');
  let seen = 0;
  let fits = false;
  let isOther = false;

  const scratch = new Database(':memory:');
  const statements = Object.getPrototypeOf(scratch.prepare('SELECT 1'));
  scratch.close();
  const { run } = statements;
  statements.run = function (...values) {
    if (!this.database.name.endsWith('/edge-agent.db')) return run.apply(this, values);
    const sql = this.source;
    if (sql.startsWith('BEGIN')) {
      fits = false;
      isOther = false;
    } else if (sql === 'COMMIT') {
      if (fits && !isOther) seen += 1;
      if (!fits || isOther || seen !== nth) return run.apply(this, values);
      if (phase === 'after') run.apply(this, values);
      die();
    } else {
      fits ||= wanted.test(sql) && (first === undefined || values[0] === first);
      isOther ||= unwanted?.test(sql) ?? false;
    }
    return run.apply(this, values);
  };

  function die() {
    closeSync(spare);
    writeFileSync(note, `${name}:${phase}`);
    process.kill(process.pid, 'SIGKILL');
  }
}
