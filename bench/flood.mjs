import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { askDaemon } from '../dist/operator/askDaemon.js';
import { socketPath } from '../dist/operator/socketPath.js';
import { Store } from '../dist/store/Store.js';
import { openDatabase } from '../dist/store/sqlite.js';
import { systemClock } from '../dist/system/clock.js';
import { DaemonWorld } from './DaemonWorld.mjs';
import { bounded, nowMs } from './figures.mjs';

const COMMANDS = 100_000;
const DUE = 10_000;
const PEOPLE = 200;
const QUIET_MS = 2_000;
const ASKER = fileURLToPath(new URL('./statusAsker.mjs', import.meta.url));
const MB = 1024 * 1024;
const ignore = () => undefined;
const QUIET = { debug: ignore, info: ignore, warn: ignore, error: ignore };
/** From the scheduling of the texts until they are due: the daemon has started by then. */
const AHEAD_MS = 30_000;

/**
 * Much at once: commands in one reply to a sync, and scheduled texts that fall due in one second. How long it takes,
 * the daemon's peak memory, and how long a status request waits meanwhile. Sending is paused: only accepting is
 * measured.
 */
export async function run() {
  const reply = await watched(oneReply);
  let dueAt = Number.NaN;
  const due = await watched(
    (world) => async () => {
      if (Date.now() > dueAt) throw new Error('the texts were due before the daemon was ready');
      const began = nowMs() + dueAt - Date.now();
      return { began, end: await stored(world, DUE) };
    },
    ({ directory }) => {
      dueAt = Date.now() + AHEAD_MS;
      scheduledIn(directory, dueAt);
      return {};
    },
  );
  const reference = { name: 'longest answer before', value: reply.quietMs };
  return [
    bounded({
      what: `${COMMANDS} commands in one reply`,
      measured: reply.ms / 1000,
      unit: 's',
      most: 8,
    }),
    bounded({
      what: `peak memory, ${COMMANDS} commands in one reply`,
      measured: reply.peak / MB,
      reference: { name: 'before', value: reply.rss / MB },
      unit: 'MB',
    }),
    bounded({
      what: `longest answer of the status, ${COMMANDS} commands in one reply`,
      measured: reply.busyMs,
      reference,
      unit: 'ms',
      most: 100,
    }),
    bounded({
      what: `longest answer of the status, ${DUE} texts due in one second`,
      measured: due.busyMs,
      reference: { name: 'longest answer before', value: due.quietMs },
      unit: 'ms',
      most: 100,
    }),
    bounded({
      what: `${DUE} texts due in one second, until all are in their lanes`,
      measured: due.ms / 1000,
      unit: 's',
    }),
  ];
}

/** `work` prepares, and gives what is measured: when it began and ended, by the clock of `nowMs`. */
async function watched(work, before = {}) {
  const world = await DaemonWorld.open(before);
  const path = socketPath(join(world.directory, 'state'));
  const paused = await askDaemon(path, { verb: 'pause' });
  if (paused.kind !== 'answered') throw new Error(`the agent was not paused: ${paused.kind}`);
  const start = await work(world);
  const asker = fork(ASKER, [path]);
  await pause(QUIET_MS);
  const quietMs = await longestAnswer(asker);
  const { rss } = await world.usage();
  const { began, end } = await start();
  const busyMs = await longestAnswer(asker);
  asker.kill();
  const { peak } = await world.usage();
  await world.close();
  return { ms: end - began, quietMs, busyMs, rss, peak };
}

/** The longest wait of who asks for the status all the time, since this was asked last, in ms. */
async function longestAnswer(asker) {
  asker.send('longest');
  const [longest] = await once(asker, 'message');
  return longest;
}

/** They wait for the next sync, which the daemon makes as soon as its socket is cut. */
async function oneReply(world) {
  const { backend } = world;
  for (let number = 0; number < COMMANDS; number++) backend.pushCommand(send(number), { via: 'polling' });
  return async () => {
    const began = nowMs();
    backend.dropSocket();
    return { began, end: await stored(world, COMMANDS) };
  };
}

/** They are in the store as the daemon starts. */
function scheduledIn(directory, dueAt) {
  const state = join(directory, 'state');
  mkdirSync(state, { mode: 0o700 });
  const store = Store.open(join(state, 'edge-agent.db'), { clock: systemClock, log: QUIET });
  store.write(() => {
    for (let number = 0; number < DUE; number++) {
      const commandId = `cmd_${number}`;
      const conversation = person(number);
      const command = { commandId, commandType: 'schedule_message', body: '{}', bodyHash: '', via: 'http' };
      store.commands.add(command);
      const text = { commandId, conversation, threadId: conversation, text: 'Later', priority: 2 };
      const sendAt = dueAt + Math.floor((number / DUE) * 1_000);
      store.schedule.add({ ...text, sendAt, scheduleId: `sched_${number}` });
    }
  });
  store.close();
}

/** When so many texts are in their lanes, by the clock of `nowMs`. */
async function stored({ directory }, count) {
  const database = openDatabase(join(directory, 'state', 'edge-agent.db'), { readonly: true });
  const newest = database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'sends'").pluck();
  const until = nowMs() + 300_000;
  while ((newest.get() ?? 0) < count) {
    if (nowMs() > until) throw new Error(`${newest.get()} of ${count} texts are stored`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  database.close();
  return nowMs();
}

function send(number) {
  const payload = { thread_id: person(number), text: `Number ${number} of many` };
  return { command_id: `cmd_${number}`, command_type: 'send_message_now', payload };
}

function person(number) {
  return `+1310555${1000 + (number % PEOPLE)}`;
}
