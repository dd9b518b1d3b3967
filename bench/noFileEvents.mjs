/* Preloaded into the daemon: nothing can be watched. */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

fs.watch = () => {
  throw new Error('switched off for this bench');
};
syncBuiltinESMExports();
