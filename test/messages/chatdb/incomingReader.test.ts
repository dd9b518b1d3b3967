import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Columns } from '../../../src/kit/messages/AppleDatabase.js';
import { ChatDbWriter } from '../../../src/kit/messages/ChatDbWriter.js';
import type { ReaderStore } from '../../../src/messages/chatdb/ReaderStore.js';
import { MessagesWorld, OTHER, OWN, PERSON, VERSIONS } from './messagesWorld.js';

/** A world whose reader has been started on an empty chat.db. */
function started(options = {}) {
  const world = new MessagesWorld(options);
  world.writer.rowCount();
  const store = world.newStore();
  const reader = world.reader(store);
  reader.scan();
  return { world, store, reader };
}

function replaceBy(world: MessagesWorld, fill: (writer: ChatDbWriter) => void): void {
  const path = join(world.directory, 'other.db');
  const writer = new ChatDbWriter(path);
  fill(writer);
  writer.close();
  world.closeWriter();
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${world.path}${suffix}`, { force: true });
  renameSync(path, world.path);
  world.chatDb.changed();
}

describe.each(VERSIONS)('chat.db of %o', (options) => {
  test('a message is stored with its cursor, and announced once', () => {
    const { world, store, reader } = started(options);
    const message = world.receive({ from: PERSON, text: 'hi' });
    reader.scan();
    reader.scan();
    expect(world.texts).toEqual(['hi']);
    expect(store.incoming.open(PERSON, 10)).toHaveLength(1);
    expect(store.cursor.get()).toMatchObject({ rowId: message.rowId, guid: message.guid });
    expect(store.cursor.pending()).toEqual([]);
  });

  test('written in stages, it is read completely, once it is complete', () => {
    const { world, reader } = started(options);
    const message = world.receive({ from: PERSON, text: 'look', attachments: [{}], stages: ['row'] });
    for (const stage of ['text', 'chat', 'attachments'] as const) {
      reader.scan();
      expect(world.texts).toEqual([]);
      message.write(stage);
    }
    reader.scan();
    expect(world.texts).toEqual([]);
    message.write('transfers');
    reader.scan();
    expect(world.received).toMatchObject([{ text: 'look', chatGuid: expect.any(String), attachments: [{}] }]);
  });
});

describe('the first start ever', () => {
  test('forwards nothing that is older', () => {
    const world = new MessagesWorld();
    world.receive({ from: PERSON, text: 'before' });
    const reader = world.reader(world.newStore());
    reader.scan();
    world.receive({ from: PERSON, text: 'after' });
    reader.scan();
    expect(world.texts).toEqual(['after']);
  });

  test('on an unreadable chat.db: the cursor is set when it is readable, behind all existing rows', () => {
    const world = new MessagesWorld();
    const store = world.newStore();
    const reader = world.reader(store);
    reader.scan();
    expect(store.cursor.get()).toBeUndefined();
    world.receive({ from: PERSON, text: 'before' });
    world.clock.advance(1000);
    reader.scan();
    expect(store.cursor.get()).toMatchObject({ rowId: 1 });
    world.receive({ from: PERSON, text: 'after' });
    reader.scan();
    expect(world.texts).toEqual(['after']);
  });

  test('on an empty chat.db: the first message is forwarded', () => {
    const { world, reader } = started();
    world.receive({ from: PERSON, text: 'first' });
    reader.scan();
    expect(world.texts).toEqual(['first']);
  });
});

describe('an incomplete row', () => {
  test('without a chat holds back later rows of its handle, and of no one else, for 3 s at most', () => {
    const { world, reader } = started();
    world.receive({ from: PERSON, text: 'one', stages: ['row', 'text'] });
    world.receive({ from: PERSON, text: 'two' });
    world.receive({ from: OTHER, text: 'other' });
    reader.scan();
    expect(world.texts).toEqual(['other']);
    world.clock.advance(2999);
    expect(world.texts).toEqual(['other']);
    world.clock.advance(1);
    expect(world.texts).toEqual(['other', 'two']);
    world.clock.advance(56_999);
    expect(world.texts).toEqual(['other', 'two']);
    world.clock.advance(1);
    expect(world.texts).toEqual(['other', 'two', 'one']);
    expect(world.received[2]).toMatchObject({ conversation: PERSON, chatGuid: '', isGroup: false });
    expect(world.clock.pending).toBe(0);
  });

  test('holds back, with a later message of its handle in a group, what others write after that in the group', () => {
    const { world, reader } = started();
    const chat = world.writer.groupChat([PERSON, OTHER], { identifier: 'chat1' });
    world.receive({ from: PERSON, text: 'one', stages: ['row', 'text'] });
    world.receive({ from: PERSON, text: 'two', chat });
    world.receive({ from: OTHER, text: 'three', chat });
    world.receive({ from: OTHER, text: 'alone' });
    reader.scan();
    expect(world.texts).toEqual(['alone']);
    world.clock.advance(3000);
    expect(world.texts).toEqual(['alone', 'two', 'three']);
  });

  test('whose group arrives late is never a private message, and is stored in the group, however late', () => {
    const { world, store, reader } = started();
    const chat = world.writer.groupChat([PERSON, OTHER], { identifier: 'chat1' });
    const late = world.receive({ from: PERSON, text: 'to all', chat, stages: ['row', 'text'] });
    reader.scan();
    world.clock.advance(30 * 60_000);
    expect(world.texts).toEqual([]);
    reader.stop();
    const again = world.reader(store);
    again.scan();
    expect(world.texts).toEqual([]);
    late.write('chat');
    again.scan();
    expect(world.received).toMatchObject([{ text: 'to all', conversation: 'chat1', isGroup: true }]);
  });

  test('whose group never arrives is left out after an hour, and is no longer waited for', () => {
    const { world, store, reader } = started();
    world.writer.groupChat([PERSON, OTHER]);
    world.receive({ from: PERSON, text: 'to all', chat: null });
    reader.scan();
    world.clock.advance(3_600_000);
    expect(world.texts).toEqual([]);
    expect(reader.skipped()).toEqual({ chatless: 1 });
    expect(store.cursor.pending()).toEqual([]);
    expect(world.clock.pending).toBe(0);
  });

  test.each<[string, (world: MessagesWorld) => Columns]>([
    ['it bears the name of one', () => ({ cache_roomnames: 'chat77' })],
    ['it answers a message in one', (world) => ({ thread_originator_guid: inGroup(world) })],
    [
      'it is a reaction to a message in one',
      (world) => ({ associated_message_type: 2000, associated_message_guid: `p:0/${inGroup(world)}` }),
    ],
  ])('may be from a group, whoever wrote it, if %s', (_, columns) => {
    const { world, reader } = started();
    world.receive({ from: PERSON, text: 'hm', chat: null, columns: columns(world) });
    reader.scan();
    const before = world.texts;
    world.clock.advance(3_600_000);
    expect(world.texts).toEqual(before);
    expect(reader.skipped()).toEqual({ chatless: 1 });
  });

  test.each<[string, Columns]>([
    ['names a group', { cache_roomnames: 'chat77' }],
    [
      'names a group, and answers a message',
      { cache_roomnames: 'chat77', thread_originator_guid: 'unknown' },
    ],
  ])('with a direct chat, that %s, is never a private message: the group is waited for', (_, columns) => {
    const { world, store, reader } = started();
    const group = world.writer.groupChat([PERSON, OTHER], { identifier: 'chat77' });
    const row = world.receive({ from: PERSON, text: 'to all' });
    // Joining a chat writes the column again, from that chat.
    world.writer.updateMessage(row.rowId, columns);
    reader.scan();
    world.clock.advance(30 * 60_000);
    expect(world.texts).toEqual([]);
    reader.stop();
    const again = world.reader(store);
    again.scan();
    world.writer.joinChat(row.rowId, group);
    again.scan();
    expect(world.received).toMatchObject([{ text: 'to all', conversation: 'chat77', isGroup: true }]);
  });

  test('whose room is stored after its direct chat was joined, in time, is not answered alone', () => {
    const { world, reader } = started();
    world.writer.groupChat([PERSON, OTHER], { identifier: 'chat77' });
    const row = world.receive({
      from: PERSON,
      chat: world.writer.directChat(PERSON),
      stages: ['row', 'chat'],
    });
    reader.scan();
    world.writer.updateMessage(row.rowId, { cache_roomnames: 'chat77', text: 'to all' });
    reader.scan();
    world.clock.advance(3_600_000);
    expect(world.texts).toEqual([]);
    expect(reader.skipped()).toEqual({ chatless: 1 });
  });

  test('of a direct chat and of a group at once is from the group, whichever chat is older', () => {
    const { world, reader } = started();
    const direct = world.writer.directChat(PERSON);
    const group = world.writer.groupChat([PERSON, OTHER], { identifier: 'chat77', service: 'SMS' });
    const row = world.receive({ from: PERSON, text: 'to all', chat: direct, stages: ['row', 'text'] });
    world.writer.inOneCommit(() => {
      row.write('chat');
      world.writer.joinChat(row.rowId, group);
    });
    reader.scan();
    expect(world.received).toMatchObject([{ text: 'to all', conversation: 'chat77', isGroup: true }]);
  });

  test('that answers a message whose chat is unknown may be from a group; in a direct chat it is direct', () => {
    const { world, reader } = started();
    const known = world.receive({ from: PERSON, text: 'a question' });
    const answer = (guid: string) =>
      world.receive({ from: PERSON, text: guid, chat: null, columns: { thread_originator_guid: guid } });
    answer('unknown');
    answer(known.guid);
    reader.scan();
    world.clock.advance(60_000);
    expect(world.texts).toEqual(['a question', known.guid]);
    world.clock.advance(3_600_000);
    expect(reader.skipped()).toEqual({ chatless: 1 });
  });

  test('of someone who is in a group by another service may be from that group', () => {
    const { world, reader } = started();
    world.writer.groupChat([PERSON, OTHER], { service: 'SMS' });
    world.receive({ from: PERSON, text: 'to all', chat: null, service: 'iMessage' });
    reader.scan();
    world.clock.advance(60_000);
    expect(world.texts).toEqual([]);
  });

  test('whose chat arrives in time is stored in that chat, in order', () => {
    const { world, reader } = started();
    const chat = world.writer.groupChat([PERSON, OTHER], { identifier: 'chat1' });
    const one = world.receive({ from: PERSON, text: 'one', chat, stages: ['row', 'text'] });
    world.receive({ from: PERSON, text: 'two', chat });
    reader.scan();
    expect(world.texts).toEqual([]);
    one.write('chat');
    reader.scan();
    expect(world.received).toMatchObject([
      { text: 'one', conversation: 'chat1', isGroup: true, participants: [PERSON, OTHER] },
      { text: 'two', conversation: 'chat1' },
    ]);
  });

  test('without text holds back others for 2 s, and is left out after 10 minutes', () => {
    const { world, store, reader } = started();
    world.receive({ from: PERSON, stages: ['row', 'chat'] });
    reader.scan();
    expect(store.cursor.pending()).toHaveLength(1);
    world.receive({ from: PERSON, text: 'behind it' });
    world.clock.advance(1999);
    expect(world.texts).toEqual([]);
    world.clock.advance(1);
    expect(world.texts).toEqual(['behind it']);
    expect(store.cursor.pending()).toHaveLength(1);
    world.clock.advance(598_000);
    expect(store.cursor.pending()).toEqual([]);
    expect(reader.skipped()).toEqual({ empty: 1 });
    expect(world.clock.pending).toBe(0);
  });

  test('whose file is on its way is read as it is after 10 s, and holds back no one', () => {
    const { world, reader } = started();
    world.receive({
      from: PERSON,
      text: 'photo',
      attachments: [{}],
      stages: ['row', 'text', 'chat', 'attachments'],
    });
    world.receive({ from: PERSON, text: 'and a text' });
    reader.scan();
    expect(world.texts).toEqual(['and a text']);
    world.clock.advance(9999);
    expect(world.texts).toHaveLength(1);
    world.clock.advance(1);
    expect(world.texts).toEqual(['and a text', 'photo']);
  });

  test('survives a restart: the cursor passed it, the pending set did not', () => {
    const { world, store, reader } = started();
    const message = world.receive({ from: PERSON, text: 'late', stages: ['row'] });
    world.receive({ from: OTHER, text: 'whole' });
    reader.scan();
    reader.stop();
    expect(store.cursor.get()).toMatchObject({ rowId: 2 });
    message.complete();
    world.reader(store).scan();
    expect(world.texts).toEqual(['whole', 'late']);
  });

  test('that is deleted is forgotten', () => {
    const { world, store, reader } = started();
    const message = world.receive({ from: PERSON, text: 'x', stages: ['row'] });
    reader.scan();
    world.writer.deleteMessage(message.rowId);
    reader.scan();
    expect(store.cursor.pending()).toEqual([]);
  });

  test('a clock set back a day makes it wait again, and not for a day', () => {
    const { world, reader } = started();
    world.receive({ from: PERSON, text: 'one', stages: ['row', 'text'] });
    reader.scan();
    world.clock.jumpWall(-24 * 3600_000);
    reader.scan();
    expect(world.texts).toEqual([]);
    world.clock.advance(60_000);
    expect(world.texts).toEqual(['one']);
  });
});

/** The guid of a message of others in a group. */
function inGroup(world: MessagesWorld): string {
  const chat = world.writer.groupChat([OTHER, '+13105550000']);
  return world.receive({ from: OTHER, text: 'in the group', chat }).guid;
}

describe('what is left out is counted by its reason', () => {
  test('own, stale and reactions', () => {
    const { world, reader } = started();
    world.writer.writeSent({ handle: PERSON, text: 'from us', date: world.clock.now() });
    world.receive({ from: OWN, text: 'from our own number' });
    world.receive({ from: PERSON, text: 'from last year', date: world.clock.now() - 365 * 86_400_000 });
    world.receive({ from: PERSON, text: 'Loved “x”', columns: { associated_message_type: 2000 } });
    reader.scan();
    expect(world.texts).toEqual([]);
    expect(reader.skipped()).toEqual({ own: 2, stale: 1, reaction: 1 });
  });

  test('an iCloud backfill of old messages is not answered, however large', () => {
    const { world, reader } = started();
    world.writer.bulkReceive(1500, { from: PERSON, endDate: Date.UTC(2020, 0, 1) });
    world.receive({ from: PERSON, text: 'now' });
    while (world.texts.length === 0) {
      reader.scan();
      world.clock.advance(1);
    }
    expect(world.texts).toEqual(['now']);
    expect(reader.skipped()).toEqual({ stale: 1500 });
  });
});

describe('catching up', () => {
  test('all that came while we were down arrives, in order, with one commit a batch', () => {
    const { world, store, reader } = started();
    reader.stop();
    for (let i = 0; i < 450; i++) world.receive({ from: PERSON, text: `m${i}` });
    let commits = 0;
    const counting: ReaderStore = {
      write: (work) => {
        commits++;
        return store.write(work);
      },
      incoming: store.incoming,
      cursor: store.cursor,
      share: (shared) => store.share(shared),
      commitShared: () => store.commitShared(),
    };
    const again = world.reader(counting as typeof store);
    again.scan();
    while (world.texts.length < 450) world.clock.advance(1);
    expect(world.texts).toEqual(Array.from({ length: 450 }, (_, i) => `m${i}`));
    expect(commits).toBe(3);
    again.scan();
    expect(commits).toBe(3);
  });
});

describe('a store that does not accept a batch', () => {
  test('moves nothing; the batch is retried and stored once', () => {
    const { world, store, reader } = started();
    reader.stop();
    let full = true;
    const filling: ReaderStore = {
      write: (work) =>
        store.write(() => {
          const result = work();
          if (full) throw new Error('disk full');
          return result;
        }),
      incoming: store.incoming,
      cursor: store.cursor,
      share: (shared) => store.share(shared),
      commitShared: () => store.commitShared(),
    };
    const again = world.reader(filling as typeof store);
    world.receive({ from: PERSON, text: 'kept' });
    again.scan();
    expect(world.texts).toEqual([]);
    expect(store.cursor.get()).toMatchObject({ rowId: 0 });
    full = false;
    world.clock.advance(1000);
    expect(world.texts).toEqual(['kept']);
  });

  test('a listener that throws does not stop the reading', () => {
    const { world, reader } = started();
    world.received.push = () => {
      throw new Error('listener');
    };
    world.receive({ from: PERSON, text: 'a' });
    reader.scan();
    Reflect.deleteProperty(world.received, 'push');
    world.receive({ from: PERSON, text: 'b' });
    reader.scan();
    expect(world.texts).toEqual(['b']);
    expect(world.log.lines.some((line) => line.startsWith('ERROR'))).toBe(true);
  });
});

describe('another database in the same place', () => {
  test('is read from behind the last known row, wherever that is now', () => {
    const { world, reader } = started();
    const last = world.receive({ from: PERSON, text: 'known' });
    reader.scan();
    replaceBy(world, (writer) => {
      writer.bulkReceive(5, { from: PERSON, endDate: world.clock.now() });
      writer.receive({ from: PERSON, text: 'known', guid: last.guid, date: world.clock.now() });
      writer.receive({ from: PERSON, text: 'came meanwhile', date: world.clock.now() });
    });
    reader.scan();
    expect(world.texts).toEqual(['known', 'came meanwhile']);
  });

  test('without that row is read from its newest row on: nothing in it is answered', () => {
    const { world, store, reader } = started();
    world.receive({ from: PERSON, text: 'known' });
    const waiting = world.receive({ from: PERSON, text: 'waiting', stages: ['row'] });
    reader.scan();
    expect(store.cursor.pending()).toEqual([{ rowId: waiting.rowId, firstSeenAt: world.clock.now() }]);
    replaceBy(world, (writer) => writer.bulkReceive(5, { from: OTHER, endDate: world.clock.now() }));
    reader.scan();
    expect(store.cursor.pending()).toEqual([]);
    world.receive({ from: OTHER, text: 'new' });
    reader.scan();
    expect(world.texts).toEqual(['known', 'new']);
  });

  test('is noticed even if it was replaced while we were down', () => {
    const { world, store, reader } = started();
    world.receive({ from: PERSON, text: 'known' });
    reader.scan();
    reader.stop();
    replaceBy(world, (writer) => writer.bulkReceive(50, { from: OTHER, endDate: world.clock.now() }));
    world.reader(store).scan();
    expect(world.texts).toEqual(['known']);
    expect(store.cursor.get()).toMatchObject({ rowId: 50 });
  });

  test('messages that a person deleted do not make it another', () => {
    const { world, reader } = started();
    const last = world.receive({ from: PERSON, text: 'deleted later' });
    reader.scan();
    world.writer.deleteMessage(last.rowId);
    reader.scan();
    world.receive({ from: PERSON, text: 'next' });
    reader.scan();
    expect(world.texts).toEqual(['deleted later', 'next']);
    expect(world.log.lines.filter((line) => line.startsWith('WARN'))).toEqual([]);
  });

  test('of the same file, with reassigned ROWIDs, is noticed by the ROWIDs', () => {
    const { world, store, reader } = started();
    world.writer.bulkReceive(20, { from: PERSON, endDate: world.clock.now() });
    reader.scan();
    world.clock.advance(10);
    for (let rowId = 1; rowId <= 20; rowId++) world.writer.deleteMessage(rowId);
    world.writer.resetRowIds();
    world.receive({ from: PERSON, text: 'after the reset' });
    reader.scan();
    expect(store.cursor.get()).toMatchObject({ rowId: 1 });
    world.receive({ from: PERSON, text: 'next' });
    reader.scan();
    expect(world.texts.at(-1)).toBe('next');
  });
});
