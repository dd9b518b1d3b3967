import { describe, expect, test } from 'vitest';
import { OwnAddresses } from '../../../src/messages/chatdb/ownership.js';
import { MessagesWorld, OTHER, PERSON, VERSIONS } from './messagesWorld.js';

describe.each(VERSIONS)('sent rows of %o', (options) => {
  test('a sent text is found behind the previously highest ROWID, with its text and chat', () => {
    const world = new MessagesWorld(options);
    world.receive({ from: PERSON, text: 'hi' });
    const before = world.chatDb.highestRowId() ?? Number.NaN;
    const sent = world.writer.writeSent({ handle: PERSON, text: 'yo “you”' });
    world.receive({ from: PERSON, text: 'answer' });
    expect(world.chatDb.sentRowsAfter(before, 10)).toEqual([
      {
        rowId: sent.rowId,
        guid: sent.guid,
        conversationKey: PERSON,
        handle: PERSON,
        text: 'yo “you”',
        service: 'iMessage',
        error: 0,
        sentAt: expect.any(Number),
        isSent: true,
        isFinished: true,
        isDelivered: false,
        isRead: false,
        dateDelivered: null,
        dateRead: null,
        wasDowngraded: false,
        isEmpty: false,
        joined: true,
      },
    ]);
    expect(world.chatDb.sentRowsAfter(sent.rowId, 10)).toEqual([]);
  });

  test('its later states are found by its guid', () => {
    const world = new MessagesWorld(options);
    const sent = world.writer.writeSent({ handle: PERSON, text: 'yo' });
    const at = Date.UTC(2026, 0, 2);
    sent.markDelivered(at).markRead(at + 5000);
    expect(world.chatDb.sentRow(sent.guid)).toMatchObject({
      isDelivered: true,
      isRead: true,
      dateDelivered: at,
      dateRead: at + 5000,
    });
    sent.markFailed(22);
    expect(world.chatDb.sentRow(sent.guid)).toMatchObject({ error: 22, isSent: false });
    sent.downgrade();
    expect(world.chatDb.sentRow(sent.guid)).toMatchObject({ wasDowngraded: true, service: 'SMS' });
    expect(world.chatDb.sentRow('nobody')).toBeUndefined();
  });

  test('a group text belongs to the group; a ghost belongs to no chat, and names its intended one', () => {
    const world = new MessagesWorld(options);
    const chat = world.writer.groupChat([PERSON, OTHER], { identifier: 'chat5' });
    world.writer.writeSent({ chat, text: 'all' });
    world.writer.writeSent({ chat, text: 'lost', ghost: true });
    expect(world.chatDb.sentRowsAfter(0, 10)).toMatchObject([
      { conversationKey: 'chat5', joined: true, text: 'all' },
      { conversationKey: null, joined: false, text: '', isEmpty: true, handle: 'chat5', service: 'SMS' },
    ]);
  });

  test('at most as many as requested, ascending', () => {
    const world = new MessagesWorld(options);
    for (const text of ['a', 'b', 'c']) world.writer.writeSent({ handle: PERSON, text });
    expect(world.chatDb.sentRowsAfter(0, 2).map((row) => row.text)).toEqual(['a', 'b']);
  });

  test('of rows behind a place, or since a date, only those are read that are dated up to then or are up to a place', () => {
    const world = new MessagesWorld(options);
    const at = Date.UTC(2026, 0, 2);
    const sentAt = (text: string, ms: number, part = 0) => {
      const date = BigInt(at + ms - Date.UTC(2001, 0, 1)) * 1_000_000n + BigInt(part);
      const { rowId } = world.writer.writeSent({ handle: PERSON, text });
      world.writer.updateMessage(rowId, { date });
      return rowId;
    };
    const first = sentAt('ahead', 9);
    sentAt('last of it', 5, 999_999);
    sentAt('behind it', 6);
    sentAt('brought', 1);
    const words = (rows: readonly { text: string }[]) => rows.map(({ text }) => text);
    const within = { until: at + 5, untilRow: first };
    expect(words(world.chatDb.rowsOfSendsAfter(0, 10, within))).toEqual(['ahead', 'last of it', 'brought']);
    expect(words(world.chatDb.rowsOfSendsAfter(first, 10, within))).toEqual(['last of it', 'brought']);
    expect(words(world.chatDb.rowsOfSendsSince(at + 2, 10, within))).toEqual(['last of it', 'ahead']);
    expect(words(world.chatDb.rowsOfSendsDatedAt([at + 9, at + 5, at + 2]))).toEqual(['last of it', 'ahead']);
  });

  test('rows are found by their guids, with those whose sending is still undecided', () => {
    const world = new MessagesWorld(options);
    const sent = world.writer.writeSent({ handle: PERSON, text: 'yo' });
    const open = world.writer.writeSent({ handle: PERSON, text: 'yo too', upTo: 'first' });
    const received = world.receive({ from: PERSON, text: 'hi' });
    const guids = [received.guid, open.guid, sent.guid, 'nobody'];
    sent.markFailed(22);
    const found = world.chatDb.rowsOfSendsNamed(guids);
    expect(new Set(found.map(({ guid }) => guid))).toEqual(new Set([sent.guid, open.guid]));
    expect(found.find(({ guid }) => guid === open.guid)?.isUndecided).toBe(true);
    const places = world.chatDb.placesOf(guids);
    expect(places.map(({ guid }) => guid)).toEqual([received.guid, open.guid, sent.guid]);
    for (const { guid, rowId, sentAt, error } of found)
      expect(places).toContainEqual({ guid, rowId, sentAt, error });
    expect(places.at(-1)?.error).toBe(22);
  });

  test('finds the chat of every form of a conversation, the newest message first', () => {
    const world = new MessagesWorld(options);
    const old = world.writer.addChat({
      style: 'direct',
      participants: [PERSON],
      service: 'SMS',
      guid: `SMS;-;${PERSON}`,
    });
    const current = world.writer.addChat({
      style: 'direct',
      participants: [PERSON],
      guid: `iMessage;-;${PERSON}`,
      accountId: 'ACCOUNT',
    });
    world.receive({ from: PERSON, text: 'older', chat: current, date: world.clock.now() - 1000 });
    const newest = world.receive({ from: PERSON, text: 'newer', chat: old });
    expect(world.chatDb.findChat(PERSON)).toMatchObject([
      { guid: old.guid, style: 'direct', service: 'SMS', newestRow: newest.rowId },
      { guid: current.guid, service: 'iMessage', accountId: 'ACCOUNT' },
    ]);
    world.receive({ from: PERSON, text: 'newest', chat: current, date: world.clock.now() + 1000 });
    expect(world.chatDb.findChat(PERSON)?.[0]).toMatchObject({ guid: current.guid });
  });

  test('finds groups by their identifier alone, and never invents a chat', () => {
    const world = new MessagesWorld(options);
    const chat = world.writer.groupChat([PERSON], { identifier: 'chat77' });
    expect(world.chatDb.findChat('chat77')).toMatchObject([
      { guid: chat.guid, style: 'group', newestRow: 0 },
    ]);
    expect(world.chatDb.findChat('chat78')).toEqual([]);
    expect(world.chatDb.findChat(OTHER)).toEqual([]);
  });
});

describe('chats whose identifier is written differently', () => {
  test.each([
    ['+13105551234', '3105551234'],
    ['+13105551234', '(310) 555-1234'],
    ['user@example.com', 'User@Example.com'],
    ['787878', '787878'],
    ['AMAZON', 'AMAZON'],
    ['787878(smsft)', '787878(smsft)'],
  ])('%s is found as %s', (key, identifier) => {
    const world = new MessagesWorld({ version: 26 });
    const chat = world.writer.addChat({ style: 'direct', participants: [identifier], identifier });
    expect(world.chatDb.findChat(key)).toMatchObject([{ guid: chat.guid, identifier }]);
  });

  test('the ghost chat of a group with its sign turned is not the group', () => {
    const world = new MessagesWorld({ version: 26 });
    world.writer.addChat({ style: 'direct', participants: ['chat5'], identifier: 'chat5' });
    expect(world.chatDb.findChat('chat5')).toEqual([]);
  });
});

describe('own addresses', () => {
  test('are the accounts of recent outgoing messages without their prefixes, and are cached', () => {
    const world = new MessagesWorld();
    expect(world.chatDb.access()).toMatchObject({ ok: false });
    for (const account of ['E:me@example.com', 'P:+13105550100', 'p:+13105550100', 'e:', null]) {
      world.writer.insertMessage({ account, is_from_me: 1 });
    }
    world.writer.insertMessage({ account: 'E:somebody@example.com', is_from_me: 0 });
    world.clock.advance(1000);
    expect([...world.chatDb.ownAddresses()].sort()).toEqual(['+13105550100', 'me@example.com']);
    world.writer.insertMessage({ account: 'E:second@example.com', is_from_me: 1 });
    expect(world.chatDb.ownAddresses()).toHaveLength(2);
    world.clock.advance(10 * 60_000);
    expect(world.chatDb.ownAddresses()).toHaveLength(3);
  });

  test('of all sources are canonical, in one set while nothing changes', () => {
    let learned = ['Me@Example.com'];
    const own = new OwnAddresses('US', [() => ['(310) 555-0100', ''], () => learned]);
    const first = own.all();
    expect(first).toEqual(new Set(['+13105550100', 'me@example.com']));
    expect(own.all()).toBe(first);
    learned = [];
    expect(own.all()).toEqual(new Set(['+13105550100']));
  });
});
