// Writes pairs of notes into a database of the gateway, as fast as it takes them, and prints the number of each pair once it is durable.
// Runs until it is killed. Arguments: sqlite <path> | postgres <url>

import { writeSync } from 'node:fs';
import { systemClock } from '../../dist/system/clock.js';
import { systemRandom } from '../../dist/system/random.js';

const [engine, place] = process.argv.slice(2);
const nothing = () => undefined;
const settings = {
  // The tables are there already, in version 1.
  migrations: [() => []],
  clock: systemClock,
  random: systemRandom,
  log: { debug: nothing, info: nothing, warn: nothing, error: console.error },
};

async function open() {
  if (engine === 'sqlite') {
    const { SqliteDatabase } = await import('../../dist/gateway/storage/SqliteDatabase.js');
    return SqliteDatabase.open({ ...settings, path: place });
  }
  const { PostgresDatabase } = await import('../../dist/gateway/storage/PostgresDatabase.js');
  return PostgresDatabase.open({ ...settings, url: place });
}

const database = await open();
const ADD = 'INSERT INTO notes (agent_id, id, words) VALUES ($1, $2, $3)';

async function writePair(number) {
  await database.transaction(async (transaction) => {
    await transaction.query(ADD, ['first', number, 'x'.repeat(2_000)]);
    await transaction.query(ADD, ['second', number, 'x'.repeat(2_000)]);
  });
  writeSync(1, `${number}\n`);
}

async function writeEvery(step, from) {
  for (let number = from; ; number += step) await writePair(number);
}

await Promise.all([1, 2, 3, 4].map((from) => writeEvery(4, from)));
