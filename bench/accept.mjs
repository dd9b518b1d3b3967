import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { askDaemon } from '../dist/operator/askDaemon.js';
import { socketPath } from '../dist/operator/socketPath.js';
import { openDatabase } from '../dist/store/sqlite.js';
import { DaemonWorld } from './DaemonWorld.mjs';
import { bounded, median, nowMs, ratio } from './figures.mjs';

const COMMANDS = 20_000;
const ROUNDS = 5;
/** About what one read from the socket (64 KiB) holds. */
const AT_ONCE = 250;
const PEOPLE = 200;
const BARE = fileURLToPath(new URL('./bareRows.mjs', import.meta.url));

/**
 * Commands for texts, from the write of the first frame to the commit of the last one: by the daemon as it runs in service, through its
 * socket, while sending is paused. Against a bare program that inserts the same rows into the same tables.
 */
export async function run() {
  const world = await DaemonWorld.open();
  const state = join(world.directory, 'state');
  const bare = fork(BARE, [join(state, 'edge-agent.db'), join(world.directory, 'bare.db'), String(AT_ONCE)]);
  await once(bare, 'message');
  await paused(state);
  const rounds = [];
  // Of the first the code is not warm yet, in either of them.
  for (let round = 0; round <= ROUNDS; round++) {
    const agent = await accepted(world, round);
    const reference = await inserted(bare);
    if (round > 0) rounds.push({ agent, reference });
  }
  bare.disconnect();
  await world.close();
  const of = (side, figure) => median(rounds.map((round) => round[side][figure]));
  const perSecond = (side) => COMMANDS / (of(side, 'ms') / 1000);
  const each = (side) => of(side, 'cpu') / COMMANDS;
  return [
    // By the time that the reference may take: 0.85 of its rate.
    ratio({
      what: `accepted, ${AT_ONCE} a commit: time for ${COMMANDS}`,
      measured: of('agent', 'ms'),
      reference: { name: 'bare inserts of the same rows', value: of('reference', 'ms') },
      unit: 'ms',
      most: 1 / 0.85,
    }),
    bounded({
      what: 'accepted',
      measured: perSecond('agent'),
      reference: { name: 'bare inserts of the same rows', value: perSecond('reference') },
      unit: '/s',
    }),
    bounded({
      what: 'CPU a command',
      measured: each('agent'),
      reference: { name: 'bare inserts of the same rows', value: each('reference') },
      unit: 'µs',
    }),
    bounded({
      what: 'commands a commit',
      measured: COMMANDS / of('agent', 'commits'),
      reference: { name: 'bare inserts of the same rows', value: AT_ONCE },
      unit: '',
    }),
  ];
}

/** Nothing is sent: only accepting is measured. */
async function paused(state) {
  const answer = await askDaemon(socketPath(state), { verb: 'pause' });
  if (answer.kind !== 'answered') throw new Error(`the agent was not paused: ${answer.kind}`);
}

async function accepted(world, round) {
  const frames = Array.from({ length: COMMANDS }, (_, number) => commandFrame(round, number));
  const [connection] = world.backend.connections;
  const others = otherRows(world);
  const before = await world.usage();
  const began = nowMs();
  for (const frame of frames) connection.send(frame);
  const ms = (await lastCommit(world, COMMANDS * (round + 1))) - began;
  const after = await world.usage();
  const grown = otherRows(world) - others;
  // A status or a sync may come in between.
  if (grown > COMMANDS / 100)
    throw new Error(`accepting wrote ${grown} rows that the reference does not have`);
  return { ms, cpu: after.cpu - before.cpu, commits: after.commits - before.commits };
}

/** When the commit was made that completes so many, by the clock of `nowMs`. */
async function lastCommit(world, commands) {
  const database = openDatabase(join(world.directory, 'state', 'edge-agent.db'), { readonly: true });
  const newest = database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'sends'").pluck();
  const until = nowMs() + 120_000;
  while ((newest.get() ?? 0) < commands) {
    if (nowMs() > until) throw new Error(`${newest.get()} of ${commands} commands are stored`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const stored = database.prepare("SELECT count(*) FROM commands WHERE state = 'open'").pluck().get();
  database.close();
  if (stored !== commands) throw new Error(`${stored} of ${commands} commands are stored`);
  return (await world.usage()).committedAt;
}

/** How many rows the store has in addition to those of accepted commands. */
function otherRows(world) {
  const database = openDatabase(join(world.directory, 'state', 'edge-agent.db'), { readonly: true });
  const tables = database
    .prepare(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('commands', 'sends', 'sqlite_sequence')",
    )
    .pluck()
    .all();
  const count = (table) => database.prepare(`SELECT count(*) FROM ${table}`).pluck().get();
  const rows = tables.reduce((sum, table) => sum + count(table), 0);
  database.close();
  return rows;
}

/** The rows of the round, by the bare program. */
async function inserted(bare) {
  bare.send('insert');
  const [{ rows, ms, cpu }] = await once(bare, 'message');
  if (rows.some((count) => count !== COMMANDS)) throw new Error(`the reference inserted ${rows} rows`);
  return { ms, cpu };
}

function commandFrame(round, number) {
  const timestamp = new Date().toISOString();
  const payload = { thread_id: `+1310555${1000 + (number % PEOPLE)}`, text: `Number ${number} of many` };
  const data = { command_id: `cmd_${round}_${number}`, command_type: 'send_message_now', payload, timestamp };
  return JSON.stringify({ type: 'command', data, timestamp });
}
