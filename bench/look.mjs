import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ChatDb } from '../dist/messages/chatdb/ChatDb.js';
import { IncomingReader } from '../dist/messages/chatdb/IncomingReader.js';
import { ChatDbWriter } from '../dist/simulator/messages/ChatDbWriter.js';
import { openDatabase } from '../dist/store/sqlite.js';
import { systemClock } from '../dist/system/clock.js';
import { bounded, median, microsecondsPerCall, ratio } from './figures.mjs';

const SIZES = [1_000, 100_000];
const NEW_ROWS = 200;
const ignore = () => undefined;
const SILENT_LOG = { debug: ignore, info: ignore, warn: ignore, error: ignore };
const PERSON = '+13105551234';

/** What a look at an unchanged chat.db costs, and a look that finds one new message; in a small one and a large one. */
export function run() {
  const directory = mkdtempSync(join(tmpdir(), 'edge-agent-bench-'));
  const databases = SIZES.map((size) => open(join(directory, `${size}.db`), size));
  const [small, large] = databases;
  const pragma = small.raw.prepare('PRAGMA data_version').pluck();
  const looks = microsecondsPerCall(
    [
      ...databases.map(
        ({ chatDb }) =>
          () =>
            chatDb.changed(),
      ),
      () => pragma.get(),
    ],
    { calls: 5_000 },
  );
  const news = newRows(databases);
  for (const database of databases) database.close();
  rmSync(directory, { recursive: true, force: true });
  const bare = { name: 'bare data_version', value: looks[2] };
  return [
    bounded({ what: 'unchanged, 1 000 rows', measured: looks[0], reference: bare, unit: 'µs', most: 20 }),
    bounded({ what: 'unchanged, 100 000 rows', measured: looks[1], reference: bare, unit: 'µs', most: 20 }),
    ratio({
      what: 'one new message, 100 000 rows',
      measured: median(news.get(large)),
      reference: { name: '1 000 rows', value: median(news.get(small)) },
      unit: 'µs',
      most: 1.2,
    }),
  ];
}

function open(path, size) {
  const writer = new ChatDbWriter(path, { version: 26 });
  writer.bulkReceive(size, { from: PERSON });
  const chatDb = new ChatDb({ path, clock: systemClock, log: SILENT_LOG, region: () => 'US' });
  const found = [];
  const reader = new IncomingReader({
    chatDb,
    store: memoryStore(),
    clock: systemClock,
    log: SILENT_LOG,
    region: () => 'US',
    ownAddresses: () => new Set(),
    worthAnswering: () => true,
    onMessages: (messages) => found.push(...messages),
  });
  reader.scan();
  const raw = openDatabase(path, { readonly: true });
  const close = () => {
    reader.stop();
    chatDb.close();
    raw.close();
    writer.close();
  };
  return { writer, chatDb, reader, raw, found, close };
}

/** Microseconds of each scan that found one new message, the databases in turns. */
function newRows(databases) {
  const took = new Map(databases.map((database) => [database, []]));
  for (let number = -20; number < NEW_ROWS; number++) {
    for (const database of databases) {
      const { writer, reader, found } = database;
      writer.receive({ from: PERSON, text: `New message ${number}` });
      const before = found.length;
      const began = process.hrtime.bigint();
      reader.scan();
      const ended = process.hrtime.bigint();
      if (found.length !== before + 1) throw new Error('the new message was not found');
      if (number >= 0) took.get(database).push(Number(ended - began) / 1e3);
    }
  }
  return took;
}

/** Keeps the place in memory: what is measured is the reading, not our own commit. */
function memoryStore() {
  let position;
  let waiting = [];
  return {
    write: (work) => work(),
    incoming: { add: () => true },
    cursor: {
      get: () => position,
      set: (next) => {
        position = next;
      },
      pending: () => waiting,
      setPending: (rows) => {
        waiting = [...rows];
      },
    },
  };
}
