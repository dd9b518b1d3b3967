import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

/*
 * Loaded before a process (`node --import`): kills it with SIGKILL right before the nth of the calls that change files
 * by name, as a rotation makes them. KILL_AT_STEP is n; KILL_NOTE names a file that tells which call it was.
 */

const STEPS = ['copyFileSync', 'fsyncSync', 'renameSync', 'truncateSync', 'rmSync'];
const { KILL_AT_STEP, KILL_NOTE } = process.env;
let left = Number(KILL_AT_STEP ?? Infinity);
const { writeFileSync } = fs;

for (const step of STEPS) {
  const original = fs[step];
  fs[step] = (...values) => {
    left -= 1;
    if (left === 0) {
      if (step === 'copyFileSync') writeFileSync(values[1], 'half of a cop');
      writeFileSync(KILL_NOTE, step);
      process.kill(process.pid, 'SIGKILL');
    }
    return original(...values);
  };
}
syncBuiltinESMExports();
