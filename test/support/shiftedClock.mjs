import { readFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

/*
 * Loaded before the daemon (`node --import`), which knows nothing of it: its wall clock is ahead of ours by as many ms as the file
 * CLOCK_FILE says, and jumps when that changes. Monotonic clocks and timers are left alone. Children inherit nothing of it.
 */
const { CLOCK_FILE } = process.env;
delete process.env.CLOCK_FILE;
delete process.env.NODE_OPTIONS;

const isDaemon = process.argv[1]?.endsWith('/cli/main.js') && process.argv.includes('run');
if (CLOCK_FILE !== undefined && isDaemon && isMainThread) {
  const RealDate = Date;
  const now = RealDate.now.bind(RealDate);
  let offsetMs = 0;
  const look = () => {
    try {
      offsetMs = Number(readFileSync(CLOCK_FILE, 'utf8'));
    } catch {
      // No descriptor is left, say: the clock goes on as it is.
    }
  };
  look();
  setInterval(look, 20).unref();
  globalThis.Date = class extends RealDate {
    constructor(...given) {
      if (given.length === 0) super(now() + offsetMs);
      else super(...given);
    }

    static now() {
      return now() + offsetMs;
    }
  };
}
