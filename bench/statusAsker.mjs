/* Asks a daemon for its status again and again, in a process of its own, and tells the longest wait for an answer since it was asked last. */
import { askDaemon } from '../dist/operator/askDaemon.js';
import { nowMs } from './figures.mjs';

const EVERY_MS = 50;
const [path] = process.argv.slice(2);
let longest = 0;
let asked = Number.NaN;

process.on('message', () => {
  // What is still waited for counts as well.
  process.send(Math.max(longest, nowMs() - asked));
  longest = 0;
});

for (;;) {
  asked = nowMs();
  const answer = await askDaemon(path, { verb: 'status' });
  if (answer.kind !== 'answered') throw new Error(`no status: ${answer.kind}`);
  longest = Math.max(longest, nowMs() - asked);
  asked = Number.POSITIVE_INFINITY;
  await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
}
