import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { Persona } from '../../src/kit/backend/persona.js';
import { ChatDbWriter } from '../../src/kit/messages/ChatDbWriter.js';
import { openDatabase } from '../../src/store/sqlite.js';
import { MessagesWorld } from '../messages/chatdb/messagesWorld.js';
import type { DaemonProcess, StatusAnswer } from '../support/DaemonProcess.js';
import { EdgeWorld, PERSON } from '../support/EdgeWorld.js';

const HOUR = 3600_000;
const YEAR = 365 * 24 * HOUR;
const OTHER = '+13105559876';
const WITHDRAW = fileURLToPath(new URL('../support/withdrawPermission.mjs', import.meta.url));

/** One bubble per message, so that an answer shows its message. */
const persona: Persona = ({ filtered_text }) => ({ bubbles: [`re: ${filtered_text}`] });
const RUN = { concurrent: true } as const;

describe('chat.db, while the agent runs', RUN, () => {
  test('replaced by a copy with more in it is read from behind the last known message', async (context) => {
    const world = await EdgeWorld.open(context, { persona });
    const daemon = await world.start();
    await converse(world, daemon, 'before');
    const copy = copyOfChatDb(world);
    const more = new ChatDbWriter(copy, { version: 15 });
    more.receive({ from: PERSON, text: 'came with the copy' });
    more.close();
    replaceChatDb(world, copy);
    await daemon.line('chat.db is a different file; continuing after the last known row');
    await world.sent(2);
    const writer = newWriter(world, context);
    writer.receive({ from: PERSON, text: 'after' });
    await world.sent(3);
    await endsHaving(world, daemon, ['re: before', 're: came with the copy', 're: after']);
  });

  test('replaced by another database is read from its newest message on', async (context) => {
    const world = await EdgeWorld.open(context, { persona });
    const daemon = await world.start();
    await converse(world, daemon, 'before');
    const other = join(world.directory, 'other.db');
    const history = new ChatDbWriter(other, { version: 15 });
    history.bulkReceive(500, { from: OTHER, endDate: Date.now() - HOUR });
    history.close();
    replaceChatDb(world, other);
    await daemon.line('chat.db is a different database without the last known row');
    const writer = newWriter(world, context);
    writer.receive({ from: PERSON, text: 'after' });
    await world.sent(2);
    await endsHaving(world, daemon, ['re: before', 're: after']);
  });

  test.for(['in place', 'as another file'] as const)(
    'rebuilt %s with its ROWIDs in another order is read by date, and nothing is answered again',
    async (how, context) => {
      const world = await EdgeWorld.open(context, { persona });
      const daemon = await world.start();
      await converse(world, daemon, 'before');
      await daemon.kill('SIGKILL');
      for (const text of ['one', 'two', 'three']) world.mac.chatDb.receive({ from: PERSON, text });
      const reversed = (rowIds: readonly number[]) => rowIds.toReversed();
      if (how === 'in place') world.mac.chatDb.rewrites.rebuild(reversed);
      else {
        const path = copyOfChatDb(world);
        const copy = new ChatDbWriter(path, { version: 15 });
        copy.rewrites.rebuild(reversed);
        copy.close();
        replaceChatDb(world, path);
      }
      const next = await world.start();
      await next.line('Also read rows by date, because the order of rows in chat.db has changed');
      await world.sent(4);
      const writer = newWriter(world, context);
      writer.receive({ from: PERSON, text: 'after' });
      await world.sent(5);
      await endsHaving(world, next, ['re: before', 're: one', 're: two', 're: three', 're: after']);
    },
  );

  test('rewritten by iCloud under new guids, 22 hours later, is answered once, and the agent’s own texts are recognised', async (context) => {
    const settings = { 'outgoing.pause_on_operator_reply': true };
    const world = await EdgeWorld.open(context, { persona, settings });
    expect(await (await world.start()).kill('SIGTERM')).toMatchObject({ code: 0 });
    lastAlive(world, Date.now() - 23 * HOUR);
    const message = world.mac.chatDb.receive({
      from: PERSON,
      text: 'yesterday',
      date: Date.now() - 22 * HOUR,
    });
    const daemon = await world.start();
    await world.sent(1);
    await daemon.statusUntil(({ snapshot }) => snapshot?.sends_queued === 0);
    const own = openDatabase(world.mac.chatDbPath, { readonly: true });
    const sent = own.prepare('SELECT guid FROM message WHERE is_from_me = 1').pluck().all() as string[];
    own.close();
    for (const guid of [message.guid, ...sent]) world.mac.chatDb.rewrites.rewrite(guid);
    await daemon.statusUntil(({ snapshot }) => snapshot?.incoming_left_out.copy === 1 + sent.length);
    world.mac.chatDb.receive({ from: PERSON, text: 'today' });
    await world.sent(2);
    const { snapshot } = await daemon.status();
    expect(snapshot?.paused).toEqual([]);
    await endsHaving(world, daemon, ['re: yesterday', 're: today']);
  });

  test('replaced by an older copy that lacks the last rows is read from behind the newest known message', () => {
    const world = new MessagesWorld();
    const store = world.newStore();
    const reader = world.reader(store);
    world.receive({ from: PERSON, text: 'history' });
    reader.scan();
    const first = world.receive({ from: PERSON, text: 'first' });
    world.receive({ from: PERSON, text: 'not in the copy' });
    reader.scan();
    world.closeWriter();
    const copy = new ChatDbWriter(join(world.directory, 'copy.db'));
    copy.bulkReceive(5, { from: OTHER, endDate: world.clock.now() });
    copy.receive({ from: PERSON, text: 'first', guid: first.guid, date: world.clock.now() });
    copy.receive({ from: PERSON, text: 'came with the copy', date: world.clock.now() });
    copy.close();
    putInPlace(copy.path, world.path);
    world.chatDb.changed();
    reader.scan();
    expect(world.texts).toEqual(['first', 'not in the copy', 'came with the copy']);
  });

  test('removed, restored while locked and unlocked is reported as missing and read again', async (context) => {
    const world = await EdgeWorld.open(context, { persona });
    const daemon = await world.start();
    await converse(world, daemon, 'before');
    const messages = dirname(world.mac.chatDbPath);
    renameSync(messages, `${messages}.away`);
    await daemon.statusUntil(({ snapshot }) => snapshot?.problems[0]?.code === 'chatdb_missing');

    const away = new ChatDbWriter(join(`${messages}.away`, 'chat.db'), { version: 15 });
    away.receive({ from: PERSON, text: 'meanwhile' });
    away.close();
    world.mac.chatDb.close();
    const locked = openDatabase(join(`${messages}.away`, 'chat.db'));
    locked.pragma('locking_mode = EXCLUSIVE');
    locked.exec('BEGIN EXCLUSIVE');
    renameSync(`${messages}.away`, messages);
    const { snapshot } = await daemon.statusUntil(
      (answer) => answer.snapshot?.problems[0]?.code === 'chatdb_unreadable',
    );
    expect(snapshot?.problems[0]?.message).toContain('locked');
    expect(world.texts).toEqual(['re: before']);

    locked.exec('COMMIT');
    locked.close();
    await world.sent(2);
    await daemon.statusUntil((answer) => answer.snapshot?.state === 'healthy');
    await daemon.line('chat.db can be read again');
    const writer = newWriter(world, context);
    writer.receive({ from: PERSON, text: 'after' });
    await world.sent(3);
    await endsHaving(world, daemon, ['re: before', 're: meanwhile', 're: after']);
  });

  test('locked by another program blocks no text to a person from being sent once, which is reported as unconfirmed', async (context) => {
    const world = await EdgeWorld.open(context, { persona });
    const first = await world.start();
    await converse(world, first, 'before');
    expect(await first.kill('SIGTERM')).toMatchObject({ code: 0 });
    world.mac.chatDb.close();
    const locked = openDatabase(world.mac.chatDbPath);
    locked.pragma('locking_mode = EXCLUSIVE');
    locked.exec('BEGIN EXCLUSIVE');

    const doomed = await world.startDegraded();
    const isTold = ({ snapshot }: StatusAnswer) =>
      snapshot?.problems.some(
        ({ code, message }) => code === 'chatdb_unreadable' && /locked/.test(message),
      ) ?? false;
    await doomed.statusUntil(isTold);
    // Messages cannot write them down yet.
    world.behave({ kind: 'ok', row: { kind: 'none' } }, { times: 2 });
    // Wanted after the first start beyond doubt: what may be older than the store waits for chat.db.
    const timestamp = new Date(Date.now() + 10_000).toISOString();
    for (const text of ['one', 'two']) {
      const { commandId } = world.backend.pushCommand({
        command_type: 'send_message_now',
        payload: { thread_id: PERSON, text },
        timestamp,
      });
      expect(await world.acked(commandId)).toMatchObject({
        status: 'completed',
        result: { outcome: 'sent', confirmed: false },
      });
    }
    await doomed.kill('SIGKILL');
    const daemon = await world.startDegraded();
    await daemon.statusUntil(isTold);

    locked.exec('COMMIT');
    locked.close();
    const writer = newWriter(world, context);
    for (const text of ['one', 'two']) writer.writeSent({ chat: writer.directChat(PERSON), text });
    writer.receive({ from: PERSON, text: 'after' });
    await world.sent(4);
    await daemon.statusUntil(({ snapshot }) => snapshot?.state === 'healthy');
    expect(world.texts).toEqual(['re: before', 'one', 'two', 're: after']);
    const told = world.backend.events.map(({ body }) => body.event_type);
    expect(told).not.toContain('operator_replied');
  });

  test('blocked by macOS and allowed again is reported with its remedy, and nothing is lost', async (context) => {
    const world = await EdgeWorld.open(context, { persona });
    const flag = join(world.directory, 'withdrawn');
    Object.assign(world.place.env, {
      NODE_OPTIONS: `--import ${WITHDRAW}`,
      WITHDRAWN_WHILE: flag,
      WITHDRAWN_PATH: world.mac.chatDbPath,
    });
    expect(await (await world.start()).kill('SIGTERM')).toMatchObject({ code: 0 });
    firstStartIsLongAgo(world);
    const daemon = await world.start();
    await converse(world, daemon, 'before');
    writeFileSync(flag, '');
    const { snapshot } = await daemon.statusUntil((answer) => answer.snapshot?.state === 'degraded');
    expect(snapshot?.problems).toMatchObject([
      { code: 'chatdb_not_permitted', remedy: expect.stringContaining('Full Disk Access') },
    ]);
    world.mac.chatDb.receive({ from: PERSON, text: 'meanwhile' });
    const commandId = world.command('sent without being read');
    expect(await world.acked(commandId)).toMatchObject({ status: 'completed', result: { confirmed: false } });

    rmSync(flag);
    await world.sent(3);
    await daemon.statusUntil((answer) => answer.snapshot?.state === 'healthy');
    await endsHaving(world, daemon, ['re: before', 'sent without being read', 're: meanwhile']);
  });
});

describe('rows from years ago that arrive again', RUN, () => {
  test('are not answered, and fresh messages among them are, while running and while down', async (context) => {
    const world = await EdgeWorld.open(context, { persona });
    const daemon = await world.start();
    const backfill = (fresh: string) => {
      const { chatDb } = world.mac;
      chatDb.bulkReceive(300, { from: PERSON, endDate: Date.now() - 3 * YEAR });
      chatDb.receive({ from: PERSON, text: fresh });
      chatDb.bulkReceive(300, { from: OTHER, endDate: Date.now() - 2 * YEAR });
    };
    backfill('while running');
    await world.sent(1);
    await daemon.statusUntil(({ snapshot }) => snapshot?.incoming_left_out.stale === 600);
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
    backfill('while down');
    const next = await world.start();
    await world.sent(2);
    await next.statusUntil(({ snapshot }) => snapshot?.incoming_left_out.stale === 600);
    await endsHaving(world, next, ['re: while running', 're: while down']);
  });
});

describe('after the agent was down', RUN, () => {
  test.for([
    ['10 hours', 10, ['re: 9 h ago', 're: 7 h ago', 're: 1 h ago', 're: now']],
    ['30 hours', 30, ['re: 23 h ago', 're: 9 h ago', 're: 7 h ago', 're: 1 h ago', 're: now']],
  ] as const)(
    'for %s, what is not older than a day is answered, and the rest is counted',
    async ([, hours, answers], context) => {
      const world = await EdgeWorld.open(context, { persona });
      expect(await (await world.start()).kill('SIGTERM')).toMatchObject({ code: 0 });
      lastAlive(world, Date.now() - hours * HOUR);
      const ages = [29, 25, 23, 9, 7, 1].filter((age) => age < hours);
      for (const age of ages) {
        world.mac.chatDb.receive({ from: PERSON, text: `${age} h ago`, date: Date.now() - age * HOUR });
      }
      world.mac.chatDb.receive({ from: PERSON, text: 'now' });
      const daemon = await world.start();
      await world.sent(answers.length);
      const { snapshot } = await daemon.status();
      const tooOld = ages.filter((age) => age > 24).length;
      expect(snapshot?.incoming_left_out.stale ?? 0).toBe(tooOld);
      await endsHaving(world, daemon, answers);
    },
  );
});

async function converse(world: EdgeWorld, daemon: DaemonProcess, text: string): Promise<void> {
  world.mac.chatDb.receive({ from: PERSON, text });
  await world.sent(1);
  await daemon.statusUntil(({ snapshot }) => snapshot?.sends_queued === 0);
}

/** Stops the agent; then exactly these texts were sent, and each message was delivered once. */
async function endsHaving(world: EdgeWorld, daemon: DaemonProcess, texts: readonly string[]): Promise<void> {
  expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
  // Three messages of a conversation are posted at a time, and bubbles are sent as replies arrive.
  expect(world.texts.toSorted()).toEqual(texts.toSorted());
  const guids = world.backend.messages.map(({ guid }) => guid);
  expect(new Set(guids).size).toBe(guids.length);
}

/** A complete copy of chat.db as it is now, in a file of its own. */
function copyOfChatDb(world: EdgeWorld): string {
  const path = join(world.directory, 'copy.db');
  const database = openDatabase(world.mac.chatDbPath);
  database.prepare('VACUUM INTO ?').run(path);
  database.close();
  return path;
}

/** Puts another file in the place of chat.db, as a restored backup does. */
function replaceChatDb(world: EdgeWorld, path: string): void {
  world.mac.chatDb.close();
  putInPlace(path, world.mac.chatDbPath);
}

function putInPlace(path: string, target: string): void {
  for (const suffix of ['-wal', '-shm']) if (existsSync(target + suffix)) rmSync(target + suffix);
  renameSync(path, target);
}

/** Messages opens the file that now is at the path. */
function newWriter(world: EdgeWorld, { onTestFinished }: Parameters<typeof EdgeWorld.open>[0]): ChatDbWriter {
  const writer = new ChatDbWriter(world.mac.chatDbPath, { version: 15 });
  onTestFinished(() => writer.close());
  return writer;
}

/** Makes the store record that the agent was last alive then. */
function lastAlive(world: EdgeWorld, at: number): void {
  const store = openDatabase(join(world.state, 'edge-agent.db'));
  store.prepare("UPDATE meta SET value = ? WHERE key = 'alive_at'").run(String(at));
  store.close();
}

/** A command of the first seconds may be one that an agent before this has sent: it would wait for chat.db. */
function firstStartIsLongAgo(world: EdgeWorld): void {
  const store = openDatabase(join(world.state, 'edge-agent.db'));
  store.prepare("DELETE FROM meta WHERE key = 'ledger_gap'").run();
  store.close();
}
