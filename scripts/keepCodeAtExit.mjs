/* Loaded before a bundled program (`node --import`): when the process ends, the code that V8 has made of the program is kept. */

import { Bundle } from '../dist/system/Bundle.js';

const { load } = Bundle.prototype;
let isFirst = true;
Bundle.prototype.load = function (name) {
  if (isFirst) process.on('exit', () => this.keepCode());
  isFirst = false;
  return load.call(this, name);
};
