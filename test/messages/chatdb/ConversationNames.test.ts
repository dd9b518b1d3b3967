import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ChatDbWriter } from '../../../src/kit/messages/ChatDbWriter.js';
import { ChatDb } from '../../../src/messages/chatdb/ChatDb.js';
import { ConversationNames } from '../../../src/messages/chatdb/ConversationNames.js';
import type { IncomingMessage } from '../../../src/model/incoming.js';
import type { NewSend } from '../../../src/model/sending.js';
import { wordsKey } from '../../../src/outgoing/DuplicatePairing.js';
import { ConversationKeys } from '../../../src/store/conversations.js';
import { Store } from '../../../src/store/Store.js';
import { openDatabase } from '../../../src/store/sqlite.js';
import { FakeClock } from '../../support/FakeClock.js';
import { RecordingLog } from '../../support/RecordingLog.js';
import { openTestStore, temporaryDirectory } from '../../support/temporaryStore.js';

const [OLD, NEW] = ['447967960994', '+447967960994'];

function world() {
  const directory = temporaryDirectory();
  const clock = new FakeClock();
  const log = new RecordingLog();
  const path = join(directory, 'store.db');
  const chatPath = join(directory, 'chat.db');
  const writer = new ChatDbWriter(chatPath, { version: 15 });
  let store = openTestStore(path, { clock, log });
  const build = () => {
    const names = new ConversationNames(store, 'US', log, wordsKey);
    return {
      store,
      names,
      chatDb: new ChatDb({ path: chatPath, clock, log, region: 'US', groups: names }),
    };
  };
  let built = build();
  onTestFinished(() => {
    built.chatDb.close();
    store.close();
    writer.close();
  });
  return {
    clock,
    log,
    writer,
    get agent() {
      return built;
    },
    /** A new run of the agent with the same store. */
    restart() {
      built.chatDb.close();
      store.close();
      store = Store.open(path, { clock, log });
      built = build();
      return built;
    },
  };
}

function message(conversation: string, guid: string): IncomingMessage {
  return {
    ...{
      guid,
      rowId: 1,
      conversation,
      threadId: conversation,
      chatGuid: `any;-;${conversation}`,
      sender: conversation,
    },
    ...{
      text: 'hi',
      sentAt: 7,
      isGroup: false,
      participants: [conversation],
      service: 'SMS',
      replyToGuid: null,
    },
    attachments: [],
  };
}

function send(conversation: string, id: string, more: Partial<NewSend> = {}): NewSend {
  return {
    ...{ id, conversation, threadId: conversation, text: 'yes', role: 'first', priority: 2, pauseMs: 0 },
    ...{
      commandId: null,
      scheduleId: null,
      answers: null,
      twinKey: wordsKey(conversation, 'yes'),
      twin: null,
    },
    ...{ state: 'queued', errorCode: null, error: null },
    ...more,
  };
}

/** Something of everything that is kept of a conversation. */
function fill(store: Store, conversation: string, mark: string): void {
  store.write(() => {
    store.incoming.add(message(conversation, `m-${mark}`));
    store.sends.add(send(conversation, `s-${mark}`));
    store.pauses.set(conversation, 'manual');
    store.contexts.set(conversation, { mark });
    store.targetForms.set(conversation, 'participant');
    store.newRecipients.add({ conversation, writtenAt: store.sends.newest() }, 0);
    store.schedule.add({
      ...{
        scheduleId: `d-${mark}`,
        commandId: `c-${mark}`,
        conversation,
        threadId: conversation,
        text: 'later',
      },
      ...{ priority: 2, sendAt: 9e12 },
    });
  });
}

function kept(store: Store, conversation: string) {
  return {
    incoming: store.incoming.open(conversation, 10).map((record) => record.message.guid),
    sends: store.sends.queuedIn(conversation).map(({ id }) => id),
    isPaused: store.pauses.covers(conversation),
    context: store.contexts.get(conversation),
    form: store.targetForms.get(conversation),
    isNewRecipient: store.newRecipients.since(-1).some((one) => one.conversation === conversation),
    scheduled: store.schedule.list(undefined, 100).filter((one) => one.conversation === conversation).length,
  };
}

const NOTHING = {
  ...{ incoming: [], sends: [], isPaused: false, context: undefined, form: undefined },
  ...{ isNewRecipient: false, scheduled: 0 },
};

describe('a store of a version that parsed addresses differently', () => {
  test('everything under the old key is found under the new one, at the first start', () => {
    const { agent } = world();
    fill(agent.store, OLD, 'a');
    agent.names.moveOldKeys();
    expect(kept(agent.store, OLD)).toEqual(NOTHING);
    expect(kept(agent.store, NEW)).toEqual({
      ...{ incoming: ['m-a'], sends: ['s-a'], isPaused: true, context: { mark: 'a' }, form: 'participant' },
      ...{ isNewRecipient: true, scheduled: 1 },
    });
    expect(agent.store.incoming.find('m-a')).toMatchObject({
      threadId: NEW,
      sender: NEW,
      participants: [NEW],
    });
    expect(agent.store.sends.findById('s-a')?.twinKey).toBe(wordsKey(NEW, 'yes'));
  });

  test('the data under both keys is merged: the longer pause, the newer context', () => {
    const { agent, clock } = world();
    fill(agent.store, OLD, 'a');
    clock.advance(1000);
    fill(agent.store, NEW, 'b');
    agent.store.write(() => agent.store.pauses.setIncoming(OLD, true));
    const since = agent.store.pauses.get(OLD)?.since;
    agent.names.moveOldKeys();
    expect(kept(agent.store, NEW)).toMatchObject({
      ...{ incoming: ['m-a', 'm-b'], sends: ['s-a', 's-b'], context: { mark: 'b' }, scheduled: 2 },
    });
    expect(agent.store.pauses.list()).toEqual([
      { conversation: NEW, reason: 'manual', since, incoming: true },
    ]);
  });

  test('a message that was posted already keeps the name that the backend knows', () => {
    const { agent } = world();
    fill(agent.store, OLD, 'a');
    agent.store.write(() => agent.store.incoming.postStarted(1, 0));
    agent.names.moveOldKeys();
    expect(agent.store.incoming.find('m-a')).toMatchObject({ threadId: OLD, conversation: NEW });
  });

  test('it is converted once, and again where numbers are read by another region', () => {
    const { agent, log } = world();
    fill(agent.store, OLD, 'a');
    agent.names.moveOldKeys();
    fill(agent.store, '33612345678', 'b');
    agent.names.moveOldKeys();
    expect(kept(agent.store, '33612345678').sends).toEqual(['s-b']);
    new ConversationNames(agent.store, 'GB', log, wordsKey).moveOldKeys();
    expect(kept(agent.store, '+33612345678').sends).toEqual(['s-b']);
  });

  test.each(['+13105551234', 'ann@example.com', '787878', 'AMAZON', 'chat123', '*', 'any;+;+13105551234'])(
    '%s stays as it is',
    (key) => {
      const { agent } = world();
      fill(agent.store, key, 'a');
      const before = kept(agent.store, key);
      agent.names.moveOldKeys();
      expect(kept(agent.store, key)).toEqual(before);
    },
  );

  test('a disk that accepts no write leaves everything where it is, for the next start', () => {
    const { agent, restart } = world();
    fill(agent.store, OLD, 'a');
    const { store } = agent;
    store.write(() => undefined);
    expect(() =>
      store.write(() => {
        agent.names.moveOldKeys();
        throw new Error('the disk is full');
      }),
    ).toThrow();
    expect(store.pauses.covers(OLD)).toBe(true);
    expect(store.pauses.covers(NEW)).toBe(false);
    const next = restart();
    next.names.moveOldKeys();
    expect(kept(next.store, NEW).sends).toEqual(['s-a']);
  });
});

describe('a group whose identifier changes', () => {
  test('keeps the key under which it was known, through restarts, and every name leads to it', () => {
    const { agent, writer, restart } = world();
    const before = writer.groupChat(['+13105551234'], { identifier: 'chat100', service: 'SMS' });
    fill(agent.store, 'chat100', 'a');
    writer.chats.regroup(before, { identifier: 'chat200' });
    agent.names.readTies(agent.chatDb);
    for (const { names, store } of [agent, restart()]) {
      for (const name of ['chat200', 'RCS;+;chat200', 'any;+;chat100', 'SMS;+;chat100'])
        expect(names.keyOf(name)).toBe('chat100');
      expect(store.pauses.covers(names.keyOf('chat200'))).toBe(true);
    }
  });

  test('and whose names cannot be joined is set aside, and the groups beside it are known by their keys', () => {
    const { agent, writer } = world();
    const regroup = (from: string, to: string) => {
      fill(agent.store, from, from);
      writer.chats.regroup(writer.groupChat([`+1310555${from.slice(-3)}1`], { identifier: from }), {
        identifier: to,
      });
    };
    regroup('chat100', 'chat200');
    regroup('chat300', 'chat400');
    agent.store.onRekeyed((moves) => {
      if (moves.has('chat200')) throw new TypeError('no way to move this');
    });
    agent.names.readTies(agent.chatDb);
    expect(agent.names.keyOf('chat400')).toBe('chat300');
    expect(agent.names.keyOf('chat200')).toBe('chat200');
    expect(agent.store.setAside.recent(9)).toMatchObject([{ kind: 'group' }]);
  });

  test('known only under its new name, that is its key, and the old one leads to it', () => {
    const { agent, writer } = world();
    const before = writer.groupChat(['+13105551234'], { identifier: 'chat100' });
    fill(agent.store, 'chat200', 'a');
    writer.chats.regroup(before, { identifier: 'chat200' });
    agent.names.readTies(agent.chatDb);
    expect(agent.names.keyOf('chat100')).toBe('chat200');
  });

  test('merged late, after both were used: the data of either is one, under the first', () => {
    const { agent, writer, clock } = world();
    const one = writer.groupChat(['+13105551234'], { identifier: 'chat100' });
    const two = writer.groupChat(['+13105551234'], { identifier: 'chat200' });
    fill(agent.store, 'chat200', 'b');
    clock.advance(1000);
    fill(agent.store, 'chat100', 'a');
    agent.names.readTies(agent.chatDb);
    const moved: (string | undefined)[] = [];
    agent.store.onRekeyed((moves) => moved.push(moves.get('chat100')));
    writer.chats.lookUp('x', [one, two]);
    agent.names.readTies(agent.chatDb);
    expect(moved).toEqual(['chat200']);
    expect(kept(agent.store, 'chat200')).toMatchObject({
      incoming: ['m-b', 'm-a'],
      sends: ['s-b', 's-a'],
      isPaused: true,
    });
    expect(kept(agent.store, 'chat100')).toEqual(NOTHING);
  });

  test('changed a third time it is still the first, and two such groups that meet are one', () => {
    const { agent, writer } = world();
    const read = () => agent.names.readTies(agent.chatDb);
    const first = writer.groupChat(['+13105551234'], { identifier: 'chat100' });
    const second = writer.chats.regroup(first, { identifier: 'chat200' });
    read();
    writer.chats.regroup(second, { identifier: 'chat300' });
    read();
    const other = writer.groupChat(['+13105551234'], { identifier: 'chat400' });
    const fifth = writer.chats.regroup(other, { identifier: 'chat500' });
    read();
    expect(agent.names.keyOf('chat500')).toBe('chat400');
    writer.chats.lookUp('x', [second, fifth]);
    read();
    for (const name of ['chat200', 'chat300', 'chat400', 'chat500'])
      expect(agent.names.keyOf(name)).toBe('chat100');
    expect(agent.chatDb.findChat('chat100')).toHaveLength(5);
  });

  test('gets its texts in the active chat, and rows of any of its chats are its own', () => {
    const { agent, writer } = world();
    const before = writer.groupChat(['+13105551234'], { identifier: 'chat100', service: 'SMS' });
    writer.receive({ from: '+13105551234', chat: before, text: 'before', date: 1_700_000_000_000 });
    const after = writer.chats.regroup(before, { identifier: 'chat200' });
    writer.receive({ from: '+13105551234', chat: after, text: 'after', date: 1_700_000_001_000 });
    writer.writeSent({ chat: after, text: 'ours' });
    agent.names.readTies(agent.chatDb);
    expect(agent.chatDb.findChat('chat100')?.[0]?.guid).toBe(after.guid);
    expect(agent.chatDb.sentRowsAfter(0, 10).map((row) => row.conversationKey)).toEqual(['chat100']);
    expect(agent.chatDb.rowsOfSendsSince(0, 10).map((row) => row.conversationKey)).toEqual(['chat100']);
  });

  test('what a failed write had merged is merged again', () => {
    const { agent, writer } = world();
    const before = writer.groupChat(['+13105551234'], { identifier: 'chat100' });
    writer.chats.regroup(before, { identifier: 'chat200' });
    expect(() =>
      agent.store.write(() => {
        agent.names.readTies(agent.chatDb);
        throw new Error('the disk is full');
      }),
    ).toThrow();
    expect(agent.names.keyOf('chat200')).toBe('chat200');
    agent.chatDb.forgetGroupTies();
    agent.names.readTies(agent.chatDb);
    expect(agent.names.keyOf('chat200')).toBe('chat100');
  });
});

test('every table with one row per conversation defines how two are merged', () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'store.db');
  Store.open(path, { clock: new FakeClock(), log: new RecordingLog() }).close();
  const database = openDatabase(path);
  onTestFinished(() => void database.close());
  const tables = database
    .prepare(
      `SELECT t.name FROM sqlite_master t JOIN pragma_table_info(t.name) c
       WHERE t.type = 'table' AND c.name = 'conversation' AND c.pk > 0`,
    )
    .pluck()
    .all() as string[];
  expect(tables.length).toBeGreaterThan(4);
  const keys = new ConversationKeys(database);
  for (const table of tables) {
    const columns = database.pragma(`table_info(${table})`) as {
      name: string;
      type: string;
      notnull: number;
    }[];
    const names = columns.filter(({ notnull }) => notnull === 1).map(({ name }) => name);
    const sample = ({ name, key }: { name: string; key: string }) => {
      if (name === 'conversation') return key;
      if (name === 'reason') return 'manual';
      return columns.find((column) => column.name === name)?.type === 'TEXT' ? '{}' : 1;
    };
    for (const key of [OLD, NEW])
      database
        .prepare(`INSERT INTO ${table} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`)
        .run(...names.map((name) => sample({ name, key })));
  }
  keys.move(OLD, NEW, wordsKey);
  for (const table of tables)
    expect([table, database.prepare(`SELECT conversation FROM ${table}`).pluck().all()]).toEqual([
      table,
      [NEW],
    ]);
});
