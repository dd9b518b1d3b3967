import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { ChatDbWriter } from '../dist/kit/messages/ChatDbWriter.js';
import { bounded, median, microsecondsPerCall, ratio } from './figures.mjs';
import { Reading } from './Reading.mjs';

const SIZES = [1_000, 100_000];
/** Only on request: it takes minutes and 4 GB of disk to make, once. */
const LARGEST = 5_000_000;
const PEOPLE = 500;
const NEW_ROWS = 200;
const CAUGHT_UP = 50_000;

/** What a look at an unchanged chat.db costs, and one that finds a new message, in a small one and in large ones. */
export async function run() {
  return await measure(SIZES);
}

/** The same with a chat.db of 5 million messages, which is kept in ~/.cache/edge-agent-bench. */
export async function runLargest() {
  return await measure([...SIZES, LARGEST]);
}

async function measure(sizes) {
  const directory = mkdtempSync(join(tmpdir(), 'edge-agent-bench-'));
  const readings = sizes.map((size) => new Reading(size === LARGEST ? kept(size) : made(directory, size)));
  try {
    const pragma = readings[0].raw.prepare('PRAGMA data_version').pluck();
    const looks = readings.map(
      ({ chatDb }) =>
        () =>
          chatDb.changed(),
    );
    const unchanged = microsecondsPerCall([...looks, () => pragma.get()], { calls: 5_000 });
    const bare = { name: 'bare data_version', value: unchanged.at(-1) };
    const news = newMessages(readings);
    const small = { name: named(sizes[0]), value: news[0] };
    const rows = [];
    for (const [index, size] of sizes.entries()) {
      rows.push(
        bounded({
          what: `unchanged, ${named(size)}`,
          measured: unchanged[index],
          reference: bare,
          unit: 'µs',
          most: 20,
        }),
      );
    }
    for (const [index, size] of sizes.entries()) {
      if (index === 0) continue;
      rows.push(
        ratio({
          what: `one new message, ${named(size)}`,
          measured: news[index],
          reference: small,
          unit: 'µs',
          most: 1.2,
        }),
      );
    }
    for (const [index, size] of sizes.entries()) {
      if (size < CAUGHT_UP) continue;
      const rate = await readings[index].catchUp(CAUGHT_UP);
      const reference = { name: 'bare rows', value: bareRows(readings[index].raw) };
      rows.push(
        bounded({
          what: `catching up, ${named(size)}`,
          measured: rate,
          reference,
          unit: '/s',
          least: 20_000,
        }),
      );
    }
    return rows;
  } finally {
    for (const reading of readings) reading.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Microseconds of a scan that finds one new message, by database: medians, the databases in turns. */
function newMessages(readings) {
  const took = readings.map(() => []);
  for (let number = -20; number < NEW_ROWS; number++) {
    readings.forEach((reading, index) => {
      const microseconds = reading.newMessage(`New message ${number}`, person(number + 20));
      if (number >= 0) took[index].push(microseconds);
    });
  }
  return took.map(median);
}

/** Rows a second that SQLite alone hands over, whole. */
function bareRows(raw) {
  const newest = raw.prepare('SELECT max(ROWID) FROM message').pluck().get();
  const statement = raw.prepare('SELECT * FROM message WHERE ROWID > ?');
  const began = process.hrtime.bigint();
  const rows = statement.all(newest - CAUGHT_UP).length;
  return (rows / Number(process.hrtime.bigint() - began)) * 1e9;
}

/** Made once, outside the repository; each run adds a few hundred messages. */
function kept(size) {
  const directory = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'edge-agent-bench');
  const path = join(directory, `chat-${size}.db`);
  if (statSync(path, { throwIfNoEntry: false }) === undefined) {
    mkdirSync(directory, { recursive: true });
    renameSync(made(directory, `${size}-unfinished`, size), path);
  }
  return path;
}

function made(directory, name, size = name) {
  const path = join(directory, `${name}.db`);
  rmSync(path, { force: true });
  const writer = new ChatDbWriter(path, { version: 26 });
  for (let left = size, turn = 0; left > 0; turn++) {
    const count = Math.min(left, size / PEOPLE);
    writer.bulkReceive(count, { from: person(turn) });
    left -= count;
  }
  writer.close();
  return path;
}

const person = (number) => `+1310555${1000 + (number % PEOPLE)}`;
const named = (size) => `${size.toLocaleString('en').replaceAll(',', ' ')} rows`;
