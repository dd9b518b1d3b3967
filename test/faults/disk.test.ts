import { once } from 'node:events';
import { closeSync, fstatSync, openSync, readdirSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { Acks, Commands } from '../../src/commands/Commands.js';
import type { ReceivedCommand } from '../../src/model/command.js';
import { type Database, openDatabase } from '../../src/store/sqlite.js';
import { EdgeWorld, PERSON } from '../support/EdgeWorld.js';
import { FakeClock } from '../support/FakeClock.js';
import { FakeMessages } from '../support/FakeMessages.js';
import { outgoingOn } from '../support/outgoingOn.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { SmallDisk } from '../support/SmallDisk.js';
import { openTestStore, temporaryDirectory, temporaryStore } from '../support/temporaryStore.js';

const canMount = SmallDisk.canMount();
if (!canMount) console.warn('No small disk can be mounted here: a full one is tested on the store alone.');

const numbered = (count: number) => Array.from({ length: count }, (_, index) => `number ${index}`);

describe('a full disk', { concurrent: true }, () => {
  test.skipIf(!canMount)('stops intake before anything is acked, and clears on its own', async (context) => {
    const world = await EdgeWorld.open(context);
    const disk = SmallDisk.mount(context, world.state, 8);
    const daemon = await world.start();
    await world.acked(world.command('before'));

    disk.fill();
    const meanwhile = numbered(3).map((text) => world.command(text));
    world.mac.chatDb.receive({ from: PERSON, text: 'can you hear me?' });
    const { snapshot } = await daemon.statusUntil((answer) => answer.snapshot?.state === 'degraded');
    expect(snapshot?.problems).toMatchObject([
      { code: 'disk_full', remedy: expect.stringContaining('Free space') },
    ]);
    expect(meanwhile.flatMap((commandId) => world.acksOf(commandId))).toEqual([]);
    expect(world.backend.messages).toEqual([]);

    disk.makeRoom();
    for (const commandId of meanwhile) {
      expect(await world.acked(commandId)).toMatchObject({ status: 'completed' });
    }
    await world.sent(6);
    await daemon.statusUntil((answer) => answer.snapshot?.state === 'healthy');
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(daemon.complaints()).toBe('');
    expect(world.texts.toSorted()).toEqual(
      ['before', ...numbered(3), 'one sec', 'you said: can you hear me?'].toSorted(),
    );
    expect(world.texts.filter((text) => text.startsWith('number'))).toEqual(numbered(3));
  });

  test.skipIf(!canMount)(
    'to the last byte at the start: the service waits, reports why, and continues on its own',
    async (context) => {
      const world = await EdgeWorld.open(context);
      const disk = SmallDisk.mount(context, world.state, 8);
      const before = await world.start();
      await world.acked(world.command('before'));
      await before.kill('SIGKILL');

      disk.fill();
      const asked = world.command('while it is full');
      const daemon = world.spawn(['run', '--service']);
      const { snapshot } = await daemon.statusUntil((answer) => answer.snapshot?.state === 'degraded');
      expect(snapshot?.problems).toMatchObject([
        { code: 'disk_full', remedy: expect.stringContaining('Free space') },
      ]);
      expect(world.acksOf(asked)).toEqual([]);
      expect(world.texts).toEqual(['before']);

      disk.makeRoom();
      const after = await daemon.statusUntil((answer) => answer.snapshot?.state === 'healthy');
      expect(after.snapshot?.pid).toBe(daemon.pid);
      expect(await world.acked(asked)).toMatchObject({ status: 'completed' });
      expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
      expect(world.texts).toEqual(['before', 'while it is full']);
    },
  );

  test.skipIf(!canMount)(
    'at the start in the foreground: the agent ends, and reports why',
    async (context) => {
      const world = await EdgeWorld.open(context);
      SmallDisk.mount(context, world.state, 8).fill();
      const daemon = world.spawn();
      expect(await daemon.exited).toMatchObject({ code: 1 });
      expect(daemon.complaints()).toMatch(/The disk of the state directory .* is full/);
    },
  );

  test.skipIf(!canMount)('is not over because something small still fits', (context) => {
    const directory = join(temporaryDirectory(), 'small');
    // Less room in all than counts as room, so that the outcome depends on nothing else.
    SmallDisk.mount(context, directory, 3);
    const store = temporaryStore(new FakeClock(), directory);
    let told = 0;
    store.onRecovery(() => told++);
    const full = Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' });
    const refuse = () => {
      throw full;
    };
    expect(store.tryWrite(refuse)).toBe(false);
    expect(store.tryWrite(() => store.meta.set('small', 'fits'))).toBe(true);
    expect(store.fault()?.code).toBe('disk_full');
    expect(told).toBe(0);
    store.close();
  });
});

test('a full disk is reported once it is evident, though the disk first gave a vaguer error', () => {
  const store = temporaryStore(new FakeClock());
  const failWith = (code: string) =>
    store.tryWrite(() => {
      throw Object.assign(new Error('no'), { code });
    });
  failWith('SQLITE_IOERR_WRITE');
  expect(store.fault()).toMatchObject({ code: 'state_unwritable' });
  failWith('SQLITE_FULL');
  expect(store.fault()).toMatchObject({ code: 'disk_full' });
});

describe('a store whose file may not grow', () => {
  test('refuses the whole batch, acks nothing of it, and accepts it once it may grow again', () => {
    const clock = new FakeClock();
    const store = temporaryStore(clock);
    const { database } = store as unknown as { database: Database };
    const pages = database.pragma('page_count', { simple: true }) as number;
    const acks = new Acks(store, clock);
    const verdict = { kind: 'completed' } as const;
    const commands = new Commands(store, acks, new RecordingLog(), [{ types: ['t'], run: () => verdict }]);
    const batch = Array.from({ length: 500 }, (_, number) => ({
      ...{ commandId: `c${number}`, commandType: 't', payload: {}, priority: 'normal', timestamp: null },
      fault: null,
    })) as unknown as ReceivedCommand[];
    let told = 0;
    store.onRecovery(() => told++);

    database.pragma(`max_page_count = ${pages}`);
    expect(() => commands.receive(batch, 'http')).toThrow(/full/);
    expect(store.acks.count()).toBe(0);
    expect(store.commands.find('c0')).toBeUndefined();
    expect(store.fault()).toMatchObject({ code: 'disk_full' });

    database.pragma(`max_page_count = ${pages * 100}`);
    commands.receive(batch, 'http');
    expect(store.acks.count()).toBe(500);
    expect(store.fault()).toBeUndefined();
    expect(told).toBe(1);
    commands.receive(batch, 'http');
    expect(store.acks.count()).toBe(500);
  });

  test('when an attempt of an earlier run is to be settled: it is settled later, and texts are sent', async () => {
    const clock = new FakeClock();
    const store = temporaryStore(clock);
    const messages = new FakeMessages();
    const open = () => outgoingOn(store, messages, clock);
    const before = open();
    await before.start();
    const to = { conversation: PERSON, threadId: PERSON, role: 'message', priority: 2, pauseMs: 0 } as const;
    store.write(() => before.enqueue({ ...to, id: 'a', text: 'a' }));
    before.stop();
    messages.started.length = 0;

    const requeue = store.sends.requeue.bind(store.sends);
    store.sends.requeue = () => {
      throw Object.assign(new Error('full'), { code: 'SQLITE_FULL' });
    };
    const started = open().start();
    await clock.advanceAsync(5_000);
    expect(messages.texts).toEqual([]);
    store.sends.requeue = requeue;
    await clock.advanceAsync(2_000);
    await started;
    expect(messages.texts).toEqual(['a']);
  });
});

describe('a store that another process keeps locked', { concurrent: true }, () => {
  test('for a moment is waited for', async () => {
    const path = join(temporaryDirectory(), 'edge-agent.db');
    const store = openTestStore(path, { clock: new FakeClock(), log: new RecordingLog() });
    const turns = new Int32Array(new SharedArrayBuffer(8));
    const tell = (turn: number, round: number) => {
      Atomics.store(turns, turn, round);
      Atomics.notify(turns, turn);
    };
    const sqlite = createRequire(import.meta.url).resolve('better-sqlite3');
    const locker = new Worker(LOCKER, { eval: true, workerData: { path, turns, sqlite } });
    for (let round = 1; round <= ROUNDS; round++) {
      await once(locker, 'message');
      tell(WANTED, round);
      store.write(() => store.meta.set('round', String(round)));
      tell(WRITTEN, round);
    }
    expect(store.meta.get('round')).toBe(String(ROUNDS));
    expect(store.fault()).toBeUndefined();
    await once(locker, 'exit');
    store.close();
  });

  test('for longer loses nothing, and the agent keeps answering meanwhile', async (context) => {
    const world = await EdgeWorld.open(context);
    const daemon = await world.start();
    const unlock = lock(world);
    const commands = numbered(3).map((text) => world.command(text));
    world.mac.chatDb.receive({ from: PERSON, text: 'still there?' });
    await daemon.line('The store cannot be written: SQLite returned SQLITE_BUSY');
    const { snapshot } = await daemon.status();
    expect(snapshot?.problems).toMatchObject([
      { code: 'state_unwritable', remedy: expect.stringContaining('edge-agent.db') },
    ]);
    expect(commands.flatMap((commandId) => world.acksOf(commandId))).toEqual([]);

    unlock();
    for (const commandId of commands) {
      expect(await world.acked(commandId)).toMatchObject({ status: 'completed' });
    }
    await world.sent(5);
    await daemon.statusUntil((answer) => answer.snapshot?.state === 'healthy');
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(world.texts.filter((text) => text.startsWith('number'))).toEqual(numbered(3));
    expect(world.texts).toHaveLength(5);
  });
});

describe('a store damaged when the agent was killed', { concurrent: true }, () => {
  test('is set aside and recreated, with a loud report, and every known command stays known', async (context) => {
    const world = await EdgeWorld.open(context);
    const killed = await world.start();
    const scheduled = numbered(400).map((text) =>
      world.backend.pushCommand({
        command_type: 'schedule_message',
        payload: { thread_id: PERSON, message_text: text, send_at: '2126-01-01T00:00:00Z' },
      }),
    );
    const sent = world.command('only once');
    await world.acked(sent);
    for (const { commandId } of scheduled) await world.acked(commandId);
    await killed.kill('SIGKILL');
    damage(join(world.state, 'edge-agent.db'), 'commands');

    const daemon = await world.start();
    await daemon.line(/\[ERROR\] The store \S+ was damaged\. It was set aside as \S+/);
    const { snapshot } = await daemon.status();
    expect(snapshot?.problems).toMatchObject([{ code: 'store_damaged' }]);
    expect(snapshot?.scheduled_messages).toBe(400);
    expect(readdirSync(world.state).filter((name) => name.includes('.damaged-'))).not.toEqual([]);

    const { backend } = world;
    const acksOfSent = () => backend.acks.filter(({ body }) => body.command_id === sent).length;
    const before = acksOfSent();
    backend.pushRaw(
      JSON.stringify({
        type: 'command',
        data: {
          command_id: sent,
          command_type: 'send_message_now',
          payload: { thread_id: PERSON, text: 'only once' },
        },
      }),
    );
    await backend.until(() => acksOfSent() > before);
    await world.acked(world.command('life goes on'));
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(world.texts).toEqual(['only once', 'life goes on']);
  });
});

/** Takes the write lock of the agent's store, as a backup or a shell would; call what it returns to let go. */
/** So often the lock is met, so that it is whatever thread runs first. */
const ROUNDS = 50;
const WANTED = 0;
const WRITTEN = 1;

/** Takes the lock of the store, reports that it has it, and releases it as soon as another process wants to write. */
const LOCKER = `
  const { workerData: { path, turns, sqlite }, parentPort } = require('node:worker_threads');
  const database = new (require(sqlite))(path);
  for (let round = 1; round <= ${ROUNDS}; round++) {
    database.exec('BEGIN IMMEDIATE');
    parentPort.postMessage('held');
    Atomics.wait(turns, ${WANTED}, round - 1);
    database.exec('COMMIT');
    Atomics.wait(turns, ${WRITTEN}, round - 1);
  }
  database.close();
`;

function lock(world: EdgeWorld): () => void {
  const database = openDatabase(join(world.state, 'edge-agent.db'));
  database.exec('BEGIN IMMEDIATE');
  return () => {
    database.exec('COMMIT');
    database.close();
  };
}

/** Overwrites one page in the middle of a table, as a failing disk or a power cut that tears would. */
function damage(path: string, table: string): void {
  const database = openDatabase(path);
  database.pragma('wal_checkpoint(TRUNCATE)');
  const pages = database
    .prepare("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path")
    .pluck()
    .all(table) as number[];
  const size = database.pragma('page_size', { simple: true }) as number;
  database.close();
  const page = pages[Math.floor(pages.length / 2)];
  if (page === undefined) throw new Error(`the table ${table} has no page`);
  const file = openSync(path, 'r+');
  if (fstatSync(file).size < page * size) throw new Error('the page is not in the file');
  writeSync(file, Buffer.alloc(size, 0xff), 0, size, (page - 1) * size);
  closeSync(file);
}
