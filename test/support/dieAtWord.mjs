import { isMainThread } from 'node:worker_threads';

/*
 * Loaded before the daemon (`node --import`), which knows nothing of it: the process dies by SIGKILL wherever it trims a text that
 * contains DIE_AT, as if that text took all memory or never came to an end.
 */
const { DIE_AT } = process.env;
delete process.env.DIE_AT;
delete process.env.NODE_OPTIONS;

const isDaemon = process.argv[1]?.endsWith('/cli/main.js') && process.argv.includes('run');
if (DIE_AT !== undefined && isDaemon && isMainThread) {
  const { trim } = String.prototype;
  String.prototype.trim = function () {
    if (this.includes(DIE_AT)) process.kill(process.pid, 'SIGKILL');
    return trim.call(this);
  };
}
