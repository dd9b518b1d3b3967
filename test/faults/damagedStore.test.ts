import { closeSync, fstatSync, openSync, readdirSync, statSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { PAGE_BYTES as PAGE } from '../../src/store/salvage/pageBytesOf.js';
import { openDatabase } from '../../src/store/sqlite.js';
import { type Cleanup, EdgeWorld, PERSON } from '../support/EdgeWorld.js';
import { sized } from '../support/size.js';

const THROW_AT_DAMAGE = fileURLToPath(new URL('../support/throwAtDamage.mjs', import.meta.url));
const OTHER = '+13105557777';
const storeOf = (world: EdgeWorld) => join(world.state, 'edge-agent.db');

/** Overwrites pages of a table, or all of its pages and those of its indexes, as a failing disk would. */
function spoil(path: string, table: string, which: 'root' | 'middle' | 'all'): void {
  const database = openDatabase(path);
  database.pragma('wal_checkpoint(TRUNCATE)');
  const root = database
    .prepare<unknown[], number>('SELECT rootpage FROM sqlite_master WHERE name = ?')
    .pluck()
    .all(table);
  const leaves = database
    .prepare<unknown[], number>(
      "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path",
    )
    .pluck()
    .all(table);
  const all = database
    .prepare<unknown[], number>(
      'SELECT DISTINCT pageno FROM dbstat WHERE name IN (SELECT name FROM sqlite_master WHERE tbl_name = ?)',
    )
    .pluck()
    .all(table);
  database.close();
  if (which === 'middle' && leaves.length < 3)
    throw new Error(`the table ${table} has no page in the middle`);
  const middle = leaves.slice(Math.floor(leaves.length / 2)).slice(0, 1);
  const pages = { root, middle, all }[which];
  if (pages.length === 0) throw new Error(`the table ${table} has no page`);
  const file = openSync(path, 'r+');
  for (const page of pages) {
    if (fstatSync(file).size < page * PAGE) throw new Error('the page is not in the file');
    writeSync(file, Buffer.alloc(PAGE, 0xff), 0, PAGE, (page - 1) * PAGE);
  }
  closeSync(file);
}

/** A commit of another connection makes the agent read its pages again, which are damaged by then. */
function spoilWhileItRuns(world: EdgeWorld, table: string): void {
  const database = openDatabase(storeOf(world));
  database.exec("INSERT INTO meta (key, value) VALUES ('touched', '1')");
  database.close();
  spoil(storeOf(world), table, 'all');
}

/** The command that an event is about. */
function commandOf(details: unknown): string | undefined {
  return /"command_id":"([^"]+)"/.exec(JSON.stringify(details))?.[1];
}

/** A world whose agent worked for a while, was killed, and whose person wrote while it was down. */
async function killedAtWork(context: Cleanup) {
  const world = await EdgeWorld.open(context, { durableBackend: true });
  const killed = await world.start();
  const scheduled = Array.from({ length: 40 }, (_, n) => {
    const payload = {
      thread_id: PERSON,
      message_text: `later ${n} ${'x'.repeat(200)}`,
      send_at: '2126-01-01T00:00:00Z',
    };
    return world.backend.pushCommand({ command_type: 'schedule_message', payload }).commandId;
  });
  const sent = Array.from({ length: 3 }, (_, n) => world.command(`number ${n} ${'y'.repeat(2_000)}`));
  for (const commandId of [...scheduled, ...sent]) await world.acked(commandId);
  world.mac.chatDb.receive({ from: PERSON, text: 'before' });
  await world.sent(5);
  await killed.kill('SIGKILL');
  world.mac.chatDb.receive({ from: PERSON, text: 'while you were away' });
  const meanwhile = world.command('made while you were away');
  return { world, scheduled, sent, meanwhile };
}

/** Every text differs, except the reflex, which is sent once for each message. */
function sendsNothingTwice({ texts, backend }: EdgeWorld): void {
  const others = texts.filter((text) => text !== 'one sec');
  expect(new Set(others).size).toBe(others.length);
  expect(texts.length - others.length).toBeLessThanOrEqual(
    new Set(backend.messages.map(({ body }) => body.message_guid)).size,
  );
}

/** Everything is as it would be without the damage, except what is reported lost. */
async function isWhole({ world, scheduled, sent, meanwhile }: Awaited<ReturnType<typeof killedAtWork>>) {
  const daemon = await world.start();
  await daemon.line(/\[ERROR\] The store \S+ was damaged\. It was set aside as \S+/);
  expect(readdirSync(world.state).filter((name) => name.includes('.damaged-'))).not.toEqual([]);
  expect(await world.acked(meanwhile)).toMatchObject({ status: 'completed' });
  await world.backend.until(({ messages }) =>
    messages.some(({ body }) => body.text === 'while you were away'),
  );
  await world.sent(8);
  const { snapshot } = await daemon.statusUntil((answer) => answer.snapshot?.incoming_queued === 0);
  expect(snapshot?.problems).toContainEqual(
    expect.objectContaining({ code: 'store_damaged', remedy: expect.stringContaining('Check the disk') }),
  );
  sendsNothingTwice(world);
  expect(world.texts).toHaveLength(8);
  for (const commandId of [...sent, meanwhile]) {
    const outcomes = new Set(world.acksOf(commandId).map(({ result }) => JSON.stringify(result?.outcome)));
    expect([...outcomes]).toEqual(['"sent"']);
  }
  const missing = scheduled.length - (snapshot?.scheduled_messages ?? 0);
  const failed = () =>
    world.backend.events.filter(({ body }) => body.event_type === 'message_failed').map(({ body }) => body);
  const lost = () =>
    new Set(
      failed()
        .map(({ details }) => commandOf(details))
        .filter((commandId) => commandId !== undefined && scheduled.includes(commandId)),
    );
  await world.backend.until(() => lost().size >= missing);
  expect(lost().size).toBe(missing);
  // A reply whose record was on the page: its outcome is reported as unknown.
  for (const { details } of failed())
    if (!lost().has(commandOf(details) ?? ''))
      expect(details).toMatchObject({ outcome: 'unknown', in_reply_to: expect.any(String) });
  const message = String(snapshot?.problems.find(({ code }) => code === 'store_damaged')?.message);
  if (missing > 0) expect(message).toContain('Scheduled texts that are not sent: sched_');
  return { daemon, missing };
}

type Spoiled = readonly [what: string, table: string, which: 'root' | 'middle' | 'all'];

const FIRST: readonly Spoiled[] = [
  ['the root of the ledger', 'sends', 'root'],
  ['a page of the commands', 'commands', 'middle'],
  ['the acks', 'acks', 'all'],
];
/** Each separately in the long run; test/store/salvage.test.ts has each table in the quick one. */
const OTHERS: readonly Spoiled[] = [
  ['a page of the ledger', 'sends', 'middle'],
  ['the root of the commands', 'commands', 'root'],
  ['the reading position', 'chatdb_cursor', 'all'],
  ['the messages', 'incoming', 'root'],
  ['the pauses, of which there are none', 'pauses', 'root'],
  ['the small facts', 'meta', 'root'],
];
const SPOILED = [...FIRST, ...sized([], OTHERS)];

describe('a store damaged when the agent was killed costs what was damaged, and nothing more', {
  concurrent: true,
}, () => {
  test.for(SPOILED)('%s', async ([, table, which], context) => {
    const before = await killedAtWork(context);
    spoil(storeOf(before.world), table, which);
    const { missing } = await isWhole(before);
    expect(missing).toBe(0);
  });

  test('a page of the schedule: each text that is lost is reported to the backend and the operator', async (context) => {
    const before = await killedAtWork(context);
    spoil(storeOf(before.world), 'schedule', 'middle');
    const { daemon, missing } = await isWhole(before);
    expect(missing).toBeGreaterThan(0);
    expect(missing).toBeLessThan(40);
    expect(daemon.lines().filter((line) => /Scheduled text \S+ is lost/.test(line))).toHaveLength(missing);
  });

  test('the header', async (context) => {
    const before = await killedAtWork(context);
    const path = storeOf(before.world);
    spoil(path, 'meta', 'root');
    const file = openSync(path, 'r+');
    writeSync(file, Buffer.alloc(100, 0), 0, 100, 0);
    closeSync(file);
    await isWhole(before);
  });

  test('every copy of a pause: nothing is sent until the operator confirms, and then it is', async (context) => {
    const world = await EdgeWorld.open(context);
    const killed = await world.start();
    expect(await world.cli('pause', OTHER)).toMatchObject({ exitCode: 0 });
    await killed.kill('SIGKILL');
    const held = world.command('not into a pause', { thread_id: OTHER });
    spoil(storeOf(world), 'pauses', 'all');
    const daemon = await world.start();
    const { snapshot } = await daemon.statusUntil((answer) => (answer.snapshot?.sends_queued ?? 0) > 0);
    expect(snapshot?.problems).toContainEqual(expect.objectContaining({ code: 'sending_paused' }));
    expect(snapshot?.problems).toContainEqual(
      expect.objectContaining({
        code: 'store_damaged',
        message: expect.stringContaining('everything is paused'),
      }),
    );
    expect(world.texts).toEqual([]);
    expect(await world.cli('resume')).toMatchObject({ exitCode: 0 });
    expect(await world.acked(held)).toMatchObject({ status: 'completed' });
    expect(world.texts).toEqual(['not into a pause']);
  });

  test('half of the file: nothing is sent twice', async (context) => {
    const { world, sent, meanwhile } = await killedAtWork(context);
    const path = storeOf(world);
    const database = openDatabase(path);
    database.pragma('wal_checkpoint(TRUNCATE)');
    database.close();
    truncateSync(path, Math.floor(statSync(path).size / 2 / PAGE) * PAGE);
    const daemon = await world.start();
    await daemon.line(/\[ERROR\] The store \S+ was damaged/);
    await daemon.statusUntil((answer) => answer.snapshot?.link === 'realtime');
    // Of whatever a restart finds a pause to be lost, only a person lets it out.
    await world.cli('resume');
    await world.acked(meanwhile);
    sendsNothingTwice(world);
    for (const commandId of sent) expect(world.acksOf(commandId)).toHaveLength(1);
  });
});

describe('a store that is damaged while the agent runs', () => {
  test('stops it in order, whatever other damage is found meanwhile', async (context) => {
    const world = await EdgeWorld.open(context, { durableBackend: true });
    world.place.env.NODE_OPTIONS = `--import=${THROW_AT_DAMAGE}`;
    const daemon = await world.start();
    const sent = Array.from({ length: 8 }, (_, n) => world.command(`number ${n} ${'y'.repeat(2_000)}`));
    for (const commandId of sent) await world.acked(commandId);
    spoilWhileItRuns(world, 'commands');
    world.command('one more');
    expect(await daemon.exited).toMatchObject({ code: 1 });
    const lines = daemon.lines().join('\n');
    for (const what of ['a timer', 'a promise'])
      expect(lines).toContain(`Internal error while it stops: ${what} met a damaged page`);
    expect(lines).toMatch(/Stopped$/);
    expect(daemon.complaints()).toContain('The store turned out to be damaged');
  });

  test('ends it, and the next start continues with what can still be read', async (context) => {
    const world = await EdgeWorld.open(context, { durableBackend: true });
    const daemon = await world.start();
    const sent = Array.from({ length: 8 }, (_, n) => world.command(`number ${n} ${'y'.repeat(2_000)}`));
    for (const commandId of sent) await world.acked(commandId);
    spoilWhileItRuns(world, 'commands');
    const more = Array.from({ length: 3 }, (_, n) => world.command(`more ${n}`));
    expect(await daemon.exited).toMatchObject({ code: 1 });
    const next = await world.start();
    await next.line(/\[ERROR\] The store \S+ was damaged/);
    await world.cli('resume');
    for (const commandId of more) await world.acked(commandId);
    sendsNothingTwice(world);
  });
});
