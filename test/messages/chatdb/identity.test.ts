import { describe, expect, onTestFinished, test } from 'vitest';
import { appleDate } from '../../../src/kit/messages/AppleDatabase.js';
import { FactWorld } from '../facts/FactWorld.js';

const HOUR = 3600_000;

function open(): FactWorld {
  const world = new FactWorld({ version: 15, srColumns: false, shuffledColumns: false });
  world.maxAgeMs = 48 * HOUR;
  onTestFinished(() => world.close());
  return world;
}

/** A message of now with a date to the nanosecond, as Messages writes it. */
function receive(world: FactWorld, from: string, text: string, more: { ns?: bigint; service?: 'SMS' } = {}) {
  const { ns = 123_457n, ...rest } = more;
  return world.receive({ from, text, ...rest, columns: { date: appleDate(world.clock.now()) + ns } });
}

const NOTHING = { texts: [], types: [] };

describe('a message that iCloud writes again under another guid', () => {
  test.each([1, 1000, 22 * HOUR, 24 * HOUR - 1])('is not a second message, %d ms later', (later) => {
    const world = open();
    const { guid } = receive(world, world.person(), 'see you at 8');
    expect(world.news().texts).toEqual(['see you at 8']);
    world.clock.advance(later);
    world.writer.rewrites.rewrite(guid);
    expect(world.news()).toMatchObject({ ...NOTHING, skipped: { copy: 1 } });
    world.restart();
    world.writer.rewrites.rewrite(guid);
    expect(world.news()).toMatchObject({ ...NOTHING, skipped: { copy: 1 } });
  });

  test('is one message where both rows are read at once', () => {
    const world = open();
    const { guid } = receive(world, world.person(), 'once');
    world.writer.rewrites.rewrite(guid);
    world.writer.rewrites.rewrite(guid);
    expect(world.news()).toMatchObject({ texts: ['once'], skipped: { copy: 2 } });
  });

  test.each(['open', 'answered', 'parked', 'expired'] as const)(
    'is not a message while the first is %s',
    (state) => {
      const world = open();
      const from = world.person();
      const { guid } = receive(world, from, 'hello');
      world.news();
      const [record] = world.store.incoming.open(from, 1);
      if (state !== 'open') world.store.write(() => world.store.incoming.settle(record?.seq ?? 0, state));
      world.clock.advance(22 * HOUR);
      world.writer.rewrites.rewrite(guid);
      expect(world.news()).toMatchObject({ ...NOTHING, skipped: { copy: 1 } });
    },
  );

  test('is not a message in another chat of the same conversation', () => {
    const world = open();
    const from = world.person();
    const { guid } = receive(world, from, 'by iMessage');
    world.news();
    const sms = world.writer.directChat(from, 'SMS');
    world.writer.rewrites.rewrite(guid, { chatRowId: sms.rowId, columns: { service: 'SMS' } });
    expect(world.news()).toMatchObject(NOTHING);
  });

  test('is no message where the first was filtered, and that is reported once', () => {
    const world = open();
    const { guid } = receive(world, '73003', 'Your code is 123456');
    expect(world.news()).toMatchObject({ types: ['message_filtered'] });
    world.clock.advance(22 * HOUR);
    world.writer.rewrites.rewrite(guid);
    expect(world.news()).toMatchObject(NOTHING);
  });

  test('is a copy also where it comes with an edit, which is reported for the guid that the backend has', () => {
    const world = open();
    const from = world.person();
    const { guid } = receive(world, from, 'at 8');
    world.news();
    const [record] = world.store.incoming.open(from, 1);
    world.store.write(() => world.store.incoming.postStarted(record?.seq ?? 0, 0));
    world.clock.advance(60_000);
    const columns = { text: 'at 9', attributedBody: null, date_edited: appleDate(world.clock.now()) };
    world.writer.rewrites.rewrite(guid, { columns });
    const events = [...world.news().events, ...world.after(60_000).events];
    expect(events).toMatchObject([
      { eventType: 'message_edited', details: { message_guid: guid, text: 'at 9' } },
    ]);
    expect(world.after(120_000)).toMatchObject(NOTHING);
  });

  test('unsent as the copy, it is unsent for the guid that the backend has', () => {
    const world = open();
    const from = world.person();
    const { guid } = receive(world, from, 'oops');
    world.news();
    const [record] = world.store.incoming.open(from, 1);
    world.store.write(() => world.store.incoming.postStarted(record?.seq ?? 0, 0));
    const copy = world.writer.rewrites.rewrite(guid);
    world.news();
    world.clock.advance(60_000);
    const gone = { text: null, attributedBody: null, is_empty: 1, part_count: 0 };
    world.writer.updateMessage(copy.rowId, { ...gone, date_retracted: appleDate(world.clock.now()) });
    expect([...world.news().events, ...world.after(60_000).events]).toMatchObject([
      { eventType: 'message_unsent', details: { message_guid: guid } },
    ]);
  });

  test.each(['renamed', 'shared'] as const)('is not a message with a photo alone, its files %s', (files) => {
    const world = open();
    const from = world.person();
    const columns = { date: appleDate(world.clock.now()) + 77n };
    const { guid } = world.receive({ from, attachments: [{ name: 'beach.heic' }], columns });
    expect(world.news().messages).toHaveLength(1);
    world.clock.advance(22 * HOUR);
    world.writer.rewrites.rewrite(guid, { files });
    expect(world.news()).toMatchObject(NOTHING);
    expect(world.after(60_000)).toMatchObject(NOTHING);
    expect(world.lateFiles).toEqual([]);
  });

  test('is answered and reacted to under the guid that the backend has', () => {
    const world = open();
    const from = world.person();
    const { guid } = receive(world, from, 'dinner?');
    world.news();
    const copy = world.writer.rewrites.rewrite(guid);
    world.news();
    world.receive({ from, text: 'yes', columns: { thread_originator_guid: copy.guid } });
    world.receive({
      from,
      text: 'Liked “dinner?”',
      columns: { associated_message_type: 2001, associated_message_guid: `p:0/${copy.guid}` },
    });
    expect(world.news()).toMatchObject({
      messages: [{ text: 'yes', replyToGuid: guid }],
      events: [{ eventType: 'reaction_added', details: { message_guid: guid } }],
    });
  });

  test('is not a message where the first existed before the agent', () => {
    const world = open();
    const { guid } = receive(world, world.person(), 'before the agent');
    world.news();
    world.store.write(() => world.store.cursor.set({ generation: '', rowId: 0, guid: null }));
    world.restart();
    world.writer.rewrites.rewrite(guid);
    expect(world.news()).toMatchObject(NOTHING);
  });
});

describe('what is no copy', () => {
  test('three times the same word with different dates, even within one millisecond', () => {
    const world = open();
    const from = world.person();
    const at = appleDate(world.clock.now());
    for (const ns of [1n, 2n, 999_999n]) world.receive({ from, text: 'ok', columns: { date: at + ns } });
    expect(world.news().texts).toEqual(['ok', 'ok', 'ok']);
  });

  test('the same text at the same moment from another person, or in another conversation', () => {
    const world = open();
    const [ann, ben] = [world.person(), world.person()];
    const chat = world.writer.groupChat([ann, ben]);
    const columns = { date: appleDate(world.clock.now()) + 5n };
    world.receive({ from: ann, text: 'ok', columns });
    world.receive({ from: ben, text: 'ok', columns });
    world.receive({ from: ann, text: 'ok', chat, columns });
    world.receive({ from: ben, text: 'ok', chat, columns });
    expect(world.news().texts).toHaveLength(4);
  });

  test('another text, or other files, with the same date', () => {
    const world = open();
    const from = world.person();
    const columns = { date: appleDate(world.clock.now()) + 5n };
    world.receive({ from, text: 'one', columns });
    world.receive({ from, text: 'two', columns });
    world.receive({ from, attachments: [{ name: 'a.png' }], columns });
    world.receive({ from, attachments: [{ name: 'b.png' }], columns });
    expect(world.news().messages).toHaveLength(4);
  });

  test('two SMS of one second that come together; the same row much later is one', () => {
    const world = open();
    const from = world.person();
    const second = appleDate(Math.floor(world.clock.now() / 1000) * 1000);
    const sms = () => world.receive({ from, text: 'ok', service: 'SMS', columns: { date: second } });
    const { guid } = sms();
    expect(world.news().texts).toEqual(['ok']);
    world.clock.advance(3_000);
    const second_ = sms();
    expect(world.news().texts).toEqual(['ok']);
    world.clock.advance(22 * HOUR);
    for (const again of [guid, second_.guid]) world.writer.rewrites.rewrite(again);
    expect(world.news()).toMatchObject({ ...NOTHING, skipped: { copy: 2 } });
    const originals = world.store.cursor.seen;
    expect(originals.originalOf(guid)).toBe(guid);
  });

  test.each([0, null])('a row without a date (%s)', (date) => {
    const world = open();
    const from = world.person();
    world.receive({ from, text: 'hi', columns: { date } });
    world.receive({ from, text: 'hi', columns: { date } });
    expect(world.news().texts).toEqual(['hi', 'hi']);
  });
});

describe('outgoing messages and events', () => {
  test('a copy of a text of the agent is no answer of an operator', () => {
    const world = open();
    world.settings.pause_on_operator_reply = true;
    const from = world.acquaintance();
    const seq = world.send(from, 'omw');
    const { guid } = world.writer.writeSent({ handle: from, text: 'omw', date: world.clock.now() + 7 });
    world.store.write(() => world.store.sends.settle(seq, { state: 'sent', guid }));
    expect(world.news()).toMatchObject(NOTHING);
    world.clock.advance(22 * HOUR);
    world.writer.rewrites.rewrite(guid);
    expect(world.news()).toMatchObject(NOTHING);
    expect(world.store.pauses.list()).toEqual([]);
  });

  test.each(['sent', 'failed'] as const)(
    'and neither is one whose first row the reader never saw, of a text that was %s',
    (state) => {
      const world = open();
      const from = world.acquaintance();
      const seq = world.send(from, 'omw');
      const sent = world.writer.writeSent({ handle: from, text: 'omw', date: world.clock.now() + 7 });
      world.clock.advance(100);
      world.store.write(() =>
        world.store.sends.settle(seq, { state, guid: sent.guid, errorCode: 'not_delivered' }),
      );
      world.writer.rewrites.rewrite(sent.guid);
      world.writer.deleteMessage(sent.rowId);
      expect(world.news()).toMatchObject(NOTHING);
      expect(world.after(300_000)).toMatchObject(NOTHING);
    },
  );

  test('an answer of the operator, a reaction and a change of a group are reported once', () => {
    const world = open();
    const from = world.acquaintance();
    const chat = world.writer.groupChat([from, world.person()]);
    world.receive({ from, text: 'in the group', chat });
    world.news();
    const date = appleDate(world.clock.now());
    const rows = [
      world.writer.writeSent({ handle: from, text: 'I answer', date: world.clock.now() }),
      world.receive({
        from,
        text: 'Liked',
        columns: { associated_message_type: 2001, associated_message_guid: 'p:0/X', date: date + 3n },
      }),
      world.writer.happenings.changeGroup(chat, {
        kind: 'renamed',
        by: from,
        title: 'New',
        date: world.clock.now(),
      }),
    ];
    const types = world.news().types.concat(world.after(300_000).types);
    expect(types.toSorted()).toEqual(['group_renamed', 'operator_replied', 'reaction_added']);
    world.clock.advance(22 * HOUR);
    for (const { guid } of rows) world.writer.rewrites.rewrite(guid);
    expect(world.news().types.concat(world.after(300_000).types)).toEqual([]);
  });
});
