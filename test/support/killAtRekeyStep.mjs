import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import Database from 'better-sqlite3';

/*
 * Loaded before `edge-agent gateway rekey` (`node --import`): kills it with SIGKILL right before the nth of its durable steps, which are
 * the renames of files and the commits. KILL_AT_STEP is n.
 */

let left = Number(process.env.KILL_AT_STEP);
const step = () => {
  left -= 1;
  if (left === 0) process.kill(process.pid, 'SIGKILL');
};

const { renameSync } = fs;
fs.renameSync = (...values) => {
  step();
  return renameSync(...values);
};
syncBuiltinESMExports();

const scratch = new Database(':memory:');
const statements = Object.getPrototypeOf(scratch.prepare('SELECT 1'));
scratch.close();
for (const method of ['run', 'all']) {
  const original = statements[method];
  statements[method] = function (...values) {
    if (this.source === 'COMMIT') step();
    return original.apply(this, values);
  };
}
