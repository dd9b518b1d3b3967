import { setTimeout as pause } from 'node:timers/promises';
import { DaemonWorld } from './DaemonWorld.mjs';
import { bounded } from './figures.mjs';

/** Until the messages are read and the first posts have failed. */
const SETTLED_MS = 10_000;
const WATCHED_MS = 30_000;
const PEOPLE = [15, 150, 1_500];

/**
 * A daemon whose backend fails while people write: its CPU time, and what it asks of the backend. `down`: nothing listens;
 * `failing`: every post is answered by 503.
 */
export async function run() {
  const rows = [];
  for (const people of PEOPLE) rows.push(...(await outage('failing', people)));
  rows.push(...(await outage('down', PEOPLE.at(-1))));
  return rows;
}

async function outage(kind, people) {
  const world = await DaemonWorld.open();
  const { backend, mac } = world;
  if (kind === 'down') await backend.goDown();
  else backend.failHttp(503, Infinity, { path: '/edge/message' });
  for (let person = 0; person < people; person++) {
    mac.chatDb.bulkReceive(1, { from: `+1310${6660000 + person}` });
  }
  await pause(SETTLED_MS);
  const posts = countFailures(backend);
  const before = await world.usage();
  await pause(WATCHED_MS);
  const after = await world.usage();
  const requests = posts() / (WATCHED_MS / 1000);
  const began = performance.now();
  if (kind === 'down') await backend.comeBack();
  else backend.mendHttp();
  const isOut = () => new Set(backend.journal.replies.map(({ guid }) => guid)).size >= people;
  await backend.until(isOut, 300_000);
  const tookS = (performance.now() - began) / 1000;
  await world.close();
  const who = `${kind}, ${people} people waiting`;
  const reference = { name: 'nothing', value: 1 };
  return [
    bounded({
      what: `CPU, ${who}`,
      measured: ((after.cpu - before.cpu) / (WATCHED_MS * 1000)) * 100,
      reference,
      unit: '% of a core',
      most: 1,
    }),
    bounded({ what: `posts a second, ${who}`, measured: requests, reference, unit: '/s', most: 1 }),
    bounded({ what: `until all are answered, ${who}`, measured: tookS, reference, unit: 's' }),
  ];
}

/** How many requests have been failed since. */
function countFailures({ faults }) {
  const take = faults.takeFailure.bind(faults);
  let count = 0;
  faults.takeFailure = (path) => {
    const failure = take(path);
    if (failure !== undefined) count += 1;
    return failure;
  };
  return () => count;
}
