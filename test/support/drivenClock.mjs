import { createServer } from 'node:net';
import { isMainThread } from 'node:worker_threads';

/*
 * Loaded before the daemon (`node --import`), which knows nothing of it: its time goes on by itself, and by so many ms more whenever
 * a test says so on the socket CLOCK_SOCKET. Wall clock, monotonic clock and timers agree; what falls due meanwhile happens, in its
 * order. Children inherit nothing of it.
 */
const { CLOCK_SOCKET } = process.env;
delete process.env.CLOCK_SOCKET;
delete process.env.NODE_OPTIONS;

const isDaemon = process.argv[1]?.endsWith('/cli/main.js') && process.argv.includes('run');
if (CLOCK_SOCKET !== undefined && isDaemon && isMainThread) {
  const RealDate = Date;
  const real = {
    now: Date.now.bind(Date),
    monotonic: performance.now.bind(performance),
    setTimeout: globalThis.setTimeout,
    clearTimeout: globalThis.clearTimeout,
  };
  let aheadMs = 0;
  const timers = new Set();
  const monotonic = () => real.monotonic() + aheadMs;

  class Timeout {
    constructor(run, ms) {
      this.run = run;
      this.due = monotonic() + Math.max(ms, 0);
      timers.add(this);
      this.arm();
    }

    arm() {
      real.clearTimeout(this.handle);
      this.handle = real.setTimeout(() => this.fire(), Math.max(this.due - monotonic(), 0));
      if (this.isUnref) this.handle.unref();
    }

    fire() {
      if (!timers.delete(this)) return;
      real.clearTimeout(this.handle);
      this.run();
    }

    cancel() {
      timers.delete(this);
      real.clearTimeout(this.handle);
    }

    unref() {
      this.isUnref = true;
      this.handle.unref();
      return this;
    }
  }

  globalThis.Date = class extends RealDate {
    constructor(...given) {
      if (given.length === 0) super(real.now() + aheadMs);
      else super(...given);
    }

    static now() {
      return real.now() + aheadMs;
    }
  };
  performance.now = monotonic;
  globalThis.setTimeout = (run, ms = 0, ...given) => new Timeout(() => run(...given), ms);
  globalThis.clearTimeout = (timer) => {
    if (timer instanceof Timeout) timer.cancel();
    else real.clearTimeout(timer);
  };

  const advance = (ms) => {
    aheadMs += ms;
    const due = [...timers].filter((timer) => timer.due <= monotonic()).sort((a, b) => a.due - b.due);
    for (const timer of due) timer.fire();
    for (const timer of timers) timer.arm();
  };
  const server = createServer((socket) => {
    socket.setEncoding('utf8').on('data', (lines) => {
      for (const line of lines.split('\n').filter(Boolean)) {
        advance(Number(line));
        setImmediate(() => socket.write('done\n'));
      }
    });
    socket.on('error', () => undefined).unref();
  });
  server.listen(CLOCK_SOCKET).unref();
}
