import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import pg from 'pg';
import { addAgent } from '../dist/gateway/ledger/agents.js';
import { addCommand } from '../dist/gateway/ledger/commands.js';
import { claimConnection } from '../dist/gateway/ledger/connections.js';
import { GATEWAY_MIGRATIONS } from '../dist/gateway/ledger/gatewayMigrations.js';
import { SecretBox } from '../dist/gateway/ledger/SecretBox.js';
import { PostgresDatabase } from '../dist/gateway/storage/PostgresDatabase.js';
import { SqliteDatabase } from '../dist/gateway/storage/SqliteDatabase.js';
import { openDurableDatabase } from '../dist/store/sqlite.js';
import { systemClock } from '../dist/system/clock.js';
import { systemRandom } from '../dist/system/random.js';
import { PostgresServer } from '../test/support/PostgresServer.mjs';
import { bounded, median } from './figures.mjs';
import { fleetRows } from './gatewayFleet.mjs';

const AGENTS = 200;
const COMMANDS = 2_000;
/** Requests under way at a time. */
const CALLERS = 100;
const CONNECTIONS = 10;
const ROUNDS = 3;
const ALONE = 100;

const nothing = () => undefined;
const PARTS = {
  migrations: GATEWAY_MIGRATIONS,
  clock: systemClock,
  random: systemRandom,
  log: { debug: nothing, info: nothing, warn: console.error, error: console.error },
};
const agentOf = (number) => `edge_${number % AGENTS}`;
const textOf = (number) => ({ thread_id: '+13105551234', text: `Number ${number} of many` });

/**
 * Commands accepted by the gateway's ledger, durable, on both engines: many at a time, and one after the other; sockets claimed. Then whole
 * gateways with 2 000 agents.
 */
export async function run() {
  const rows = [...(await sqliteRows())];
  // Not in the directory of the benches: PostgreSQL does not run as root, and has to get there. On a disk, as in production.
  const server = await PostgresServer.start(join('/tmp', `edge-postgres-${randomBytes(6).toString('hex')}`));
  try {
    rows.push(...(await postgresRows(server)), ...(await fleetRows(server)));
  } finally {
    await server.end();
  }
  return rows;
}

async function sqliteRows() {
  const directory = process.env.TMPDIR;
  const path = join(directory, 'gateway.sqlite');
  const bare = openDurableDatabase(join(directory, 'bare.sqlite'));
  bare.exec('CREATE TABLE commands (id INTEGER PRIMARY KEY, body TEXT NOT NULL)');
  const insert = bare.prepare('INSERT INTO commands (body) VALUES (?)');
  const insertAll = bare.transaction((bodies) => {
    for (const body of bodies) insert.run(body);
  });
  const reference = {
    many: async (bodies) => {
      for (let from = 0; from < bodies.length; from += CALLERS) insertAll(bodies.slice(from, from + CALLERS));
    },
    one: async (body) => insertAll([body]),
    name: `bare inserts, ${CALLERS} a commit`,
  };
  const database = await SqliteDatabase.open({ ...PARTS, path });
  const rows = await rowsOf('SQLite', database, reference);
  await database.close();
  bare.close();
  return rows;
}

async function postgresRows(server) {
  const pool = new pg.Pool({ connectionString: server.urlOf(), max: CONNECTIONS });
  await pool.query(
    'CREATE TABLE bare (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body TEXT NOT NULL)',
  );
  const one = (body) =>
    pool.query({ name: 'bare', text: 'INSERT INTO bare (body) VALUES ($1)', values: [body] });
  const reference = {
    many: (bodies) => byCallers(bodies, one),
    one,
    name: `bare inserts, ${CONNECTIONS} connections`,
  };
  const database = await PostgresDatabase.open({ ...PARTS, url: server.urlOf(), connections: CONNECTIONS });
  const rows = await rowsOf('PostgreSQL', database, reference);
  await database.close();
  await pool.end();
  return rows;
}

async function rowsOf(engine, database, reference) {
  const box = new SecretBox(randomBytes(32));
  await database.transaction(async (tx) => {
    for (let number = 0; number < AGENTS; number++)
      await addAgent(tx, box, { id: agentOf(number), name: null, isInvited: false }, Date.now());
    // Each claim is the first one of its agent.
    await tx.query(
      `WITH RECURSIVE numbers (number) AS (SELECT 0 UNION ALL SELECT number + 1 FROM numbers WHERE number < ${ROUNDS * (COMMANDS + ALONE)})
       INSERT INTO agents (agent_id, is_invited, created_at) SELECT 'claiming_' || number, 0, 0 FROM numbers`,
    );
  });
  let count = 0;
  const add = (number) =>
    database.transaction(async (tx) => {
      const command = { commandId: `cmd_${number}`, type: 'send_message_now', payload: textOf(number) };
      const { kind } = await addCommand(tx, agentOf(number), command, Date.now());
      if (kind !== 'added') throw new Error(`a command was not added: ${kind}`);
    });
  const claim = (number) =>
    database.transaction((tx) => claimConnection(tx, `claiming_${number}`, 'bench', Date.now()));
  const rates = { bare: [], gateway: [], claims: [] };
  const times = { bare: [], gateway: [] };
  for (let round = 0; round < ROUNDS; round++) {
    const numbers = Array.from({ length: COMMANDS }, () => count++);
    const bodies = numbers.map((number) => JSON.stringify(textOf(number)));
    rates.bare.push(await rateOf(COMMANDS, () => reference.many(bodies)));
    rates.gateway.push(await rateOf(COMMANDS, () => byCallers(numbers, add)));
    rates.claims.push(await rateOf(COMMANDS, () => byCallers(numbers, claim)));
    for (const body of bodies.slice(0, ALONE)) {
      times.bare.push(await msOf(() => reference.one(body)));
      times.gateway.push(await msOf(() => add(count++)));
    }
  }
  const bare = { name: reference.name, value: Math.max(...rates.bare) };
  return [
    bounded({
      what: `${engine}: commands accepted, ${CALLERS} at a time`,
      measured: Math.max(...rates.gateway),
      reference: bare,
      unit: '/s',
    }),
    bounded({
      what: `${engine}: sockets claimed, ${CALLERS} at a time`,
      measured: Math.max(...rates.claims),
      reference: bare,
      unit: '/s',
    }),
    bounded({
      what: `${engine}: one command at a time, median`,
      measured: median(times.gateway),
      reference: { name: 'one bare insert', value: median(times.bare) },
      unit: 'ms',
    }),
  ];
}

/** Runs `call` for each item, `CALLERS` at a time. */
async function byCallers(items, call) {
  const left = items[Symbol.iterator]();
  const caller = async () => {
    for (const item of left) await call(item);
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
}

async function rateOf(count, work) {
  return (count / (await msOf(work))) * 1000;
}

async function msOf(work) {
  const began = performance.now();
  await work();
  return performance.now() - began;
}
