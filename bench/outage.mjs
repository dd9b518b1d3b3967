import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { openDatabase } from '../dist/store/sqlite.js';
import { DaemonWorld } from './DaemonWorld.mjs';
import { bounded } from './figures.mjs';

/** Until the messages are read and the first posts have failed. */
const SETTLED_MS = 10_000;
const WATCHED_MS = 30_000;
const PEOPLE = [15, 150, 1500];

/**
 * A daemon whose backend fails while people write: its CPU time, and what it asks of the backend. `down`: nothing listens;
 * `failing`: every post is read, and its connection is cut.
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
  else backend.cutsPosts = true;
  for (let person = 0; person < people; person++) {
    mac.chatDb.bulkReceive(1, { from: `+1310${6660000 + person}` });
  }
  await pause(SETTLED_MS);
  const posts = countPosts(backend);
  const before = await world.usage();
  await pause(WATCHED_MS);
  const after = await world.usage();
  const requests = posts() / (WATCHED_MS / 1000);
  const began = performance.now();
  if (kind === 'down') await backend.comeBack();
  else backend.cutsPosts = false;
  while (waiting(world) > 0) await pause(100);
  const tookS = (performance.now() - began) / 1000;
  await world.close();
  const who = `${kind}, ${people} people waiting`;
  return [
    bounded({
      what: `CPU, ${who}`,
      measured: ((after.cpu - before.cpu) / (WATCHED_MS * 1000)) * 100,
      unit: '% of a core',
      most: 1,
    }),
    bounded({ what: `posts a second, ${who}`, measured: requests, unit: '/s', most: 1 }),
    bounded({ what: `until all are answered, ${who}`, measured: tookS, unit: 's' }),
  ];
}

/** How many posts the backend has read since. */
function countPosts(backend) {
  let count = 0;
  backend.observe(({ kind }) => {
    if (kind === 'message') count += 1;
  });
  return () => count;
}

/** How many messages the daemon has and are not answered. */
function waiting({ directory }) {
  const database = openDatabase(join(directory, 'state', 'edge-agent.db'), { readonly: true });
  try {
    return database.prepare("SELECT count(*) FROM incoming WHERE state = 'open'").pluck().get();
  } finally {
    database.close();
  }
}
