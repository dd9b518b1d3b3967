import { isMainThread } from 'node:worker_threads';

/*
 * Loaded before the daemon (`node --import`), which knows nothing of it: once the log says that the store is damaged, a timer and a
 * promise of the daemon throw, as those do that are the next to read such a page.
 */
delete process.env.NODE_OPTIONS;

const isDaemon = process.argv[1]?.endsWith('/cli/main.js') && process.argv.includes('run');
if (isDaemon && isMainThread) {
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = (chunk, ...rest) => {
    if (String(chunk).includes('the file is damaged')) {
      setTimeout(() => {
        throw new Error('a timer met a damaged page');
      }, 0);
      void Promise.reject(new Error('a promise met a damaged page'));
    }
    return write(chunk, ...rest);
  };
}
