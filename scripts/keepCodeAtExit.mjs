/* Loaded before a bundled program (`node --import`): when the process ends, the code that V8 has made of the program is kept. */

import { setFlagsFromString } from 'node:v8';
import { Bundle } from '../dist/system/Bundle.cjs';

/*
 * V8 drops the code of what has not run for a while, first of all that of each module, which runs once: every start
 * would compile it again. Stored code can only be used with the same flags, so V8 must not see this one while code is
 * read and written.
 */
const keepsAll = (does) => setFlagsFromString(does ? '--no-flush-bytecode' : '--flush-bytecode');

const { load, compile } = Bundle.prototype;
let isFirst = true;
Bundle.prototype.load = function (name) {
  if (isFirst) {
    process.on('exit', () => {
      keepsAll(false);
      this.keepCode();
    });
  }
  isFirst = false;
  return load.call(this, name);
};
Bundle.prototype.compile = function (name) {
  keepsAll(false);
  try {
    return compile.call(this, name);
  } finally {
    keepsAll(true);
  }
};
