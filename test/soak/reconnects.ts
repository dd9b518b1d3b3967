import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { FakeBackend } from '../support/FakeBackend.js';
import { makeBackend } from '../support/startBackend.js';

export interface ReconnectReport {
  readonly reconnects: number;
  readonly seconds: number;
  /** What the heap held after each tenth of the reconnects, after a collection, bytes. */
  readonly heap: readonly number[];
  /** What it grew by in the second half: the first also fills caches, compiled code and the history of a day. */
  readonly heapGrowth: number;
  /** The most sockets that were ever open at once. */
  readonly mostOpen: number;
}

const TENTHS = 10;

/** The link is cut as soon as it is live, so many times, with as little wait as there can be. */
export async function reconnectOften(count: number): Promise<ReconnectReport> {
  const collect = collector();
  const fake = await FakeBackend.start();
  const made = makeBackend(fake, { timings: { link: { backoffMs: [0] } } });
  // What was recorded is not what is measured.
  const forget = () => {
    for (const list of [fake.frames, fake.handshakes, fake.calls, fake.closes, made.lines]) list.length = 0;
  };
  let links = 0;
  const reach = (wanted: number) =>
    fake.until(
      () => {
        if (fake.framesOf('status').length > 0) {
          links += 1;
          forget();
          fake.drop();
        }
        return links >= wanted;
      },
      `${wanted} links`,
      count * 100,
    );
  made.backend.start();
  const startedAt = performance.now();
  const heap: number[] = [];
  for (let tenth = 1; tenth <= TENTHS; tenth++) {
    await reach(Math.ceil((count * tenth) / TENTHS));
    forget();
    heap.push(collect());
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  const heapGrowth = (heap[TENTHS - 1] ?? 0) - (heap[TENTHS / 2 - 1] ?? 0);
  const { mostOpen } = fake;
  await made.stop();
  await fake.stop();
  return { reconnects: count, seconds, heap, heapGrowth, mostOpen };
}

/** Collects garbage, and returns the size of the heap then, bytes. Needs no flag on the command line. */
function collector(): () => number {
  setFlagsFromString('--expose_gc');
  const gc = runInNewContext('gc') as () => void;
  return () => {
    gc();
    gc();
    return process.memoryUsage().heapUsed;
  };
}
