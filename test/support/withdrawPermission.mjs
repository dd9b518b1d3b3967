// Preloaded into the daemon: plays the privacy protection of macOS, which root cannot be refused anything by. While the
// file named by WITHDRAWN_WHILE exists, whatever lies under WITHDRAWN_PATH is denied with EPERM, or WITHDRAWN_CODE.
import fs, { existsSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const { WITHDRAWN_WHILE = '', WITHDRAWN_PATH = '', WITHDRAWN_CODE: code = 'EPERM' } = process.env;

for (const name of ['openSync', 'statSync']) {
  const original = fs[name];
  fs[name] = (path, ...rest) => {
    if (String(path).startsWith(WITHDRAWN_PATH) && existsSync(WITHDRAWN_WHILE)) {
      throw Object.assign(new Error(`${code}: open '${path}'`), { code });
    }
    return original(path, ...rest);
  };
}
syncBuiltinESMExports();
