import { describe, expect, test } from 'vitest';
import type { Columns } from '../../../src/kit/messages/AppleDatabase.js';
import { IncomingReader } from '../../../src/messages/chatdb/IncomingReader.js';
import { MESSAGES_ALONE } from '../../../src/messages/chatdb/judgeRow.js';
import type { ReaderStore } from '../../../src/messages/chatdb/ReaderStore.js';
import { MessagesWorld, OTHER, PERSON, VERSIONS } from './messagesWorld.js';

/** A world whose reader has been started on an empty chat.db. */
function started(options = {}) {
  const world = new MessagesWorld(options);
  world.writer.rowCount();
  const store = world.newStore();
  const reader = world.reader(store);
  reader.scan();
  return { world, store, reader };
}

const BYTES = Buffer.from([0xff, 0xfe, 0x00, 0x41]);

describe.each(VERSIONS)('in chat.db of %o, where SQLite takes anything in any column', (options) => {
  test.each<[string, Columns]>([
    ['a text of bytes', { text: BYTES }],
    ['a body of letters', { text: null, attributedBody: 'no bytes' }],
    ['a body that is a number', { text: null, attributedBody: 7 }],
    ['a sent message with a text of bytes', { text: BYTES, is_from_me: 1 }],
    ['bytes in every other column of letters', { text: 'x', account: BYTES, destination_caller_id: BYTES }],
    ['a service of bytes', { text: 'x', service: BYTES }],
    ['a balloon of bytes', { text: 'x', balloon_bundle_id: BYTES }],
    ['letters in the place of dates and flags', { text: 'x', date: 'today', item_type: 'none' }],
    ['a group name of bytes', { item_type: 2, group_title: BYTES }],
    ['a reaction to bytes', { associated_message_type: 2000, associated_message_guid: BYTES }],
  ])('%s does not block the next message', (_name, columns) => {
    const { world, store, reader } = started(options);
    const handle = world.writer.handle(PERSON);
    const odd = { handle_id: handle, is_from_me: 0, ...columns };
    const { rowId } = world.writer.insertMessage(odd, world.writer.directChat(PERSON));
    world.receive({ from: OTHER, text: 'after it' });
    reader.scan();
    expect(world.texts).toContain('after it');
    expect(store.cursor.get()?.rowId).toBe(rowId + 1);
    expect(reader.fault()).toBeUndefined();
  });
});

describe('a row of an unknown form', () => {
  test('a body of letters is replaced by the text', () => {
    const { world, reader } = started();
    world.receive({ from: PERSON, text: 'the text', textIn: 'text', columns: { attributedBody: 'letters' } });
    reader.scan();
    expect(world.texts).toEqual(['the text']);
  });

  test('whose processing throws is left out as damaged, logged as an error, and passed', () => {
    const { world, store, reader: first } = started();
    first.stop();
    const reader = new IncomingReader({
      ...{ chatDb: world.chatDb, store, clock: world.clock, log: world.log },
      region: 'US',
      ownAddresses: () => new Set(),
      worthAnswering: () => true,
      forwarding: {
        rules: () => ({
          ...MESSAGES_ALONE,
          refusal({ text }) {
            if (text === 'odd') throw new TypeError('cannot read this');
            return null;
          },
        }),
        report: () => undefined,
        wasEdited: () => undefined,
        joinLink: () => false,
      },
      onMessages: (messages) => world.received.push(...messages),
    });
    world.receive({ from: PERSON, text: 'odd' });
    world.receive({ from: PERSON, text: 'after it' });
    reader.scan();
    reader.stop();
    expect(world.texts).toEqual(['after it']);
    expect(reader.skipped()).toEqual({ damaged: 1 });
    expect(world.log.lines.filter((line) => line.startsWith('ERROR'))).toHaveLength(1);
  });
});

describe('a message that the store cannot accept', () => {
  test('is set aside after three tries, and those around it in its batch are stored once each, in order', () => {
    const { world, store, reader: first } = started();
    first.stop();
    let tries = 0;
    const choosy: ReaderStore = {
      write: (work) => store.write(work),
      incoming: {
        newestGuids: (limit) => store.incoming.newestGuids(limit),
        add: (message) => {
          if (message.text === 'odd') {
            tries += 1;
            throw new TypeError('cannot be stored');
          }
          return store.incoming.add(message);
        },
      },
      cursor: store.cursor,
      share: (shared) => store.share(shared),
      commitShared: () => store.commitShared(),
      setAside: store.setAside,
    };
    const reader = world.reader(choosy as typeof store);
    for (const text of ['before', 'odd', 'after']) world.receive({ from: PERSON, text });
    reader.scan();
    world.clock.advance(10_000);
    expect(world.texts).toEqual(['before', 'after']);
    expect(store.setAside.recent(9)).toMatchObject([{ kind: 'row', error: 'cannot be stored' }]);
    expect(store.cursor.get()?.rowId).toBe(3);
    expect(reader.fault()).toBeUndefined();
    const before = tries;
    world.receive({ from: OTHER, text: 'next' });
    reader.scan();
    expect(world.texts).toEqual(['before', 'after', 'next']);
    expect(tries).toBe(before);
  });
});

describe('what blocks all reading', () => {
  test('is a fault from the third time on, and none any more when it is over', () => {
    const { world, store, reader: first } = started();
    first.stop();
    let fails = true;
    const failing: ReaderStore = {
      write: (work) => {
        if (fails) throw new TypeError('cannot be stored');
        return store.write(work);
      },
      incoming: store.incoming,
      cursor: store.cursor,
      share: (shared) => store.share(shared),
      commitShared: () => store.commitShared(),
    };
    const reader = world.reader(failing as typeof store);
    world.receive({ from: PERSON, text: 'kept' });
    reader.scan();
    const since = world.clock.now();
    world.clock.advance(1000);
    expect(reader.fault()).toBeUndefined();
    world.clock.advance(1000);
    expect(reader.fault()).toEqual({ since, error: 'cannot be stored' });
    fails = false;
    world.clock.advance(1000);
    expect(world.texts).toEqual(['kept']);
    expect(reader.fault()).toBeUndefined();
  });
});
