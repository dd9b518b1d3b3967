import { describe, expect, test } from 'vitest';
import { encodeAttributedBody } from '../../../src/kit/messages/typedstreamEncoder.js';
import type { AttachmentRow, ChatRow } from '../../../src/messages/chatdb/chatRow.js';
import { classify } from '../../../src/messages/chatdb/classify.js';
import { MESSAGES_ALONE, type RowFacts } from '../../../src/messages/chatdb/judgeRow.js';
import { OTHER, OWN, PERSON } from './messagesWorld.js';

const NOW = Date.UTC(2026, 0, 1);

const row = (changes: Partial<ChatRow> = {}): ChatRow => ({
  rowId: 7,
  guid: 'G-7',
  text: 'hello',
  attributedBody: null,
  subject: null,
  service: 'iMessage',
  handle: PERSON,
  sentAt: NOW - 1000,
  date: null,
  datesAreSeconds: 0,
  isFromMe: 0,
  isFinished: 1,
  isSent: 0,
  account: 'E:me@example.com',
  ownAddress: 'me@example.com',
  itemType: 0,
  groupActionType: 0,
  groupTitle: null,
  otherHandle: null,
  associatedType: 0,
  associatedGuid: null,
  associatedEmoji: null,
  balloonBundleId: null,
  hasAttachments: 0,
  isEmpty: 0,
  partCount: 1,
  editedAt: null,
  retractedAt: null,
  isSystemMessage: 0,
  isServiceMessage: 0,
  isCorrupt: 0,
  isSpam: 0,
  isAutoReply: 0,
  scheduleType: 0,
  threadOriginatorGuid: null,
  replyToGuid: null,
  payload: null,
  summary: null,
  roomName: null,
  chatRowId: 1,
  chatGuid: `iMessage;-;${PERSON}`,
  chatIdentifier: PERSON,
  chatStyle: 45,
  chatService: 'iMessage',
  chatIsBlackholed: 0,
  chatIsFiltered: 0,
  ...changes,
});

const facts = (changes: Partial<RowFacts> = {}): RowFacts => ({
  region: 'US',
  ownAddresses: new Set([OWN, 'me@example.com']),
  worthAnswering: (sentAt) => NOW - sentAt < 3600_000,
  seenAt: NOW,
  waitedFor: () => false,
  participants: [],
  attachments: [],
  neighbours: { companions: [], ownMessages: [], isAcquainted: true, isDeleted: false, mayBeOfGroup: false },
  hasEchoed: () => false,
  onlyEchoes: () => false,
  rules: MESSAGES_ALONE,
  ...changes,
});

const file = (changes: Partial<AttachmentRow> = {}): AttachmentRow => ({
  guid: 'at_0_G-7',
  mimeType: 'image/heic',
  filename: 'IMG.HEIC',
  path: '~/Library/Messages/Attachments/00/00/x/IMG.HEIC',
  sizeBytes: 10,
  transferState: 5,
  hidden: 0,
  ...changes,
});

const NO_CHAT: Partial<ChatRow> = {
  chatRowId: null,
  chatGuid: null,
  chatIdentifier: null,
  chatStyle: null,
  chatService: null,
  chatIsBlackholed: null,
  chatIsFiltered: null,
};

test('a direct message is recognised', () => {
  expect(classify(row({ threadOriginatorGuid: 'G-1' }), facts())).toEqual({
    kind: 'message',
    bodyDamaged: false,
    editedAt: null,
    repeatsUs: false,
    message: {
      guid: 'G-7',
      rowId: 7,
      conversation: PERSON,
      threadId: PERSON,
      chatGuid: `iMessage;-;${PERSON}`,
      sender: PERSON,
      text: 'hello',
      sentAt: NOW - 1000,
      isGroup: false,
      participants: [PERSON],
      service: 'iMessage',
      to: 'me@example.com',
      replyToGuid: 'G-1',
      attachments: [],
    },
  });
});

test('a group message names the group and its members', () => {
  const group = { chatGuid: 'any;+;chat9', chatIdentifier: 'chat9', chatStyle: 43 };
  expect(classify(row(group), facts({ participants: [PERSON, OTHER, '(310) 555-9876'] }))).toMatchObject({
    message: {
      conversation: 'chat9',
      threadId: 'chat9',
      chatGuid: 'any;+;chat9',
      isGroup: true,
      participants: [PERSON, OTHER],
    },
  });
});

describe('what is left out, and why', () => {
  test.each([
    ['own', 'sent from this account', { isFromMe: 1 }],
    ['own', 'reaction from this account', { isFromMe: 1, associatedType: 2000 }],
    ['own', 'own number as the sender', { handle: '(310) 555-0100' }],
    ['own', 'own address as the sender', { handle: 'Me@Example.com' }],
    ['own', 'a note to oneself without handle', { handle: null, chatIdentifier: OWN }],
    ['stale', 'years old, with a new ROWID (iCloud)', { sentAt: Date.UTC(2019, 1, 1) }],
    ['reaction', 'sticker', { associatedType: 1000 }],
    ['reaction', 'love', { associatedType: 2000 }],
    ['reaction', 'emoji', { associatedType: 2006 }],
    ['reaction', 'removed', { associatedType: 3007 }],
    ['reaction', 'poll vote', { associatedType: 4000 }],
    ['system', 'participant change', { itemType: 1 }],
    ['system', 'group renamed', { itemType: 2, text: null }],
    ['system', 'left', { itemType: 3 }],
    ['system', 'location', { itemType: 4 }],
    ['system', 'kept audio', { itemType: 5 }],
    ['system', 'FaceTime', { itemType: 6 }],
    ['system', 'system message', { isSystemMessage: 1 }],
    ['schedule', 'Send Later', { scheduleType: 2 }],
    ['spam', 'junk', { isSpam: 1 }],
    ['spam', 'blocked', { chatIsBlackholed: 1 }],
    ['damaged', 'corrupt', { isCorrupt: 1 }],
    ['unsent', 'taken back', { retractedAt: NOW, text: null }],
    [
      'app',
      'an app without text',
      { balloonBundleId: 'com.apple.DigitalTouchBalloonProvider', text: '\ufffd' },
    ],
  ] as const)('%s: %s', (reason, _name, changes) => {
    expect(classify(row(changes), facts())).toEqual({ kind: 'left_out', reason });
  });

  test('a message unsent in part is not unsent: it keeps a text or a file', () => {
    expect(classify(row({ retractedAt: NOW }), facts())).toMatchObject({ message: { text: 'hello' } });
    const photo = row({ retractedAt: NOW, text: '\ufffc', hasAttachments: 1 });
    expect(classify(photo, facts({ attachments: [file()] }))).toMatchObject({
      kind: 'message',
      editedAt: NOW,
    });
    expect(classify(row({ retractedAt: NOW, text: null, hasAttachments: 1 }), facts())).toEqual({
      kind: 'left_out',
      reason: 'unsent',
    });
  });

  test('missing columns of old schemas leave nothing out', () => {
    const bare = { isSpam: null, scheduleType: null, partCount: null, isCorrupt: null, associatedType: null };
    expect(classify(row({ ...bare, itemType: null, isSystemMessage: null }), facts()).kind).toBe('message');
  });

  test('app and heading kinds 2 and 3 are messages', () => {
    expect(classify(row({ associatedType: 3 }), facts()).kind).toBe('message');
  });

  test('a link with its preview is its text', () => {
    const link = row({
      balloonBundleId: 'com.apple.messages.URLBalloonProvider',
      text: 'https://a.example',
      hasAttachments: 1,
    });
    const preview = file({ hidden: 1, transferState: 0 });
    expect(classify(link, facts({ attachments: [preview] }))).toEqual({
      kind: 'incomplete',
      waitingFor: 'preview',
    });
    expect(classify(link, facts({ attachments: [preview], waitedFor: () => true }))).toMatchObject({
      message: { text: 'https://a.example', attachments: [] },
    });
  });
});

describe('what has not arrived yet is waited for, and no longer than needed', () => {
  const gaveUp = facts({ waitedFor: () => true });

  test('the chat: then it is a direct message from its handle', () => {
    const orphan = row(NO_CHAT);
    expect(classify(orphan, facts())).toEqual({ kind: 'incomplete', waitingFor: 'chat' });
    expect(classify(orphan, gaveUp)).toMatchObject({
      message: { conversation: PERSON, chatGuid: '', isGroup: false },
    });
  });

  test('the chat of what may be from a group: then no one is answered', () => {
    const neighbours = { ...facts().neighbours, mayBeOfGroup: true };
    const waited = facts({ neighbours, waitedFor: (awaited) => awaited === 'chat' });
    expect(classify(row(NO_CHAT), waited)).toEqual({ kind: 'incomplete', waitingFor: 'group' });
    expect(classify(row(NO_CHAT), facts({ neighbours, waitedFor: () => true }))).toEqual({
      kind: 'left_out',
      reason: 'chatless',
    });
  });

  test('a group without an identifier is identified by its guid, and never by the sender', () => {
    const nameless = row({ chatGuid: 'any;+;chat9', chatIdentifier: null, chatStyle: 43 });
    expect(classify(nameless, facts())).toMatchObject({ message: { conversation: 'chat9', isGroup: true } });
  });

  test('no chat and no handle: no one to answer', () => {
    expect(classify(row({ ...NO_CHAT, handle: null }), gaveUp)).toEqual({
      kind: 'left_out',
      reason: 'senderless',
    });
  });

  test('the text: then the row is empty', () => {
    const empty = row({ text: null });
    expect(classify(empty, facts())).toEqual({ kind: 'incomplete', waitingFor: 'text' });
    expect(classify(empty, gaveUp)).toEqual({ kind: 'left_out', reason: 'empty' });
    expect(classify(row({ text: ' \n' }), gaveUp)).toEqual({ kind: 'left_out', reason: 'empty' });
    expect(classify(row({ text: null, isEmpty: 1, partCount: 0 }), gaveUp)).toEqual({
      kind: 'left_out',
      reason: 'unsent',
    });
  });

  test('a stale row is not waited for', () => {
    const stale = row({ ...NO_CHAT, text: null, sentAt: 0 });
    expect(classify(stale, facts())).toEqual({ kind: 'left_out', reason: 'stale' });
  });

  test.each([
    ['the cache flag says so', row({ hasAttachments: 1 }), []],
    ['the text has a place for one', row({ text: '\ufffclook' }), []],
    ['one of two is there', row({ text: '\ufffc\ufffclook' }), [file()]],
    [
      'the body names another',
      row({ attributedBody: encodeAttributedBody('\ufffclook', { transferGuids: ['other'] }) }),
      [file()],
    ],
    ['its transfer goes on', row({ text: '\ufffclook' }), [file({ transferState: 3 })]],
  ])('a file: %s', (_name, waiting, attachments) => {
    expect(classify(waiting, facts({ attachments }))).toEqual({
      kind: 'incomplete',
      waitingFor: 'attachments',
    });
    expect(classify(waiting, facts({ attachments, waitedFor: () => true })).kind).toBe('message');
  });

  test('a file alone that is never joined: a message without it, as it may still be', () => {
    const photo = row({ text: '\ufffc', hasAttachments: 1 });
    expect(classify(photo, facts())).toEqual({ kind: 'incomplete', waitingFor: 'attachments' });
    expect(classify(photo, gaveUp)).toMatchObject({ message: { text: '', attachments: [] } });
    expect(classify(row({ text: null, isEmpty: 1, partCount: 0, hasAttachments: 1 }), gaveUp)).toEqual({
      kind: 'left_out',
      reason: 'unsent',
    });
  });

  test('a failed transfer is not waited for', () => {
    const verdict = classify(
      row({ text: '\ufffclook' }),
      facts({ attachments: [file({ transferState: 6 })] }),
    );
    expect(verdict.kind).toBe('message');
  });
});

describe('text', () => {
  test('a message of a file alone is a message with an empty text', () => {
    const verdict = classify(row({ text: '\ufffc', hasAttachments: 1 }), facts({ attachments: [file()] }));
    expect(verdict).toMatchObject({
      message: {
        text: '',
        attachments: [{ guid: 'at_0_G-7', mimeType: 'image/heic', filename: 'IMG.HEIC', sizeBytes: 10 }],
      },
    });
  });

  test('attributedBody is preferred; on macOS 26 there is nothing else', () => {
    const both = row({ text: 'old', attributedBody: encodeAttributedBody('new') });
    expect(classify(both, facts())).toMatchObject({ message: { text: 'new' } });
    const only = row({ text: null, attributedBody: encodeAttributedBody('only here') });
    expect(classify(only, facts())).toMatchObject({ message: { text: 'only here' } });
  });

  test('a damaged body is replaced by the text, and by the fallback where there is none', () => {
    const whole = encodeAttributedBody('saved text');
    const damaged = whole.subarray(0, whole.indexOf('saved text') + 10);
    expect(classify(row({ attributedBody: damaged }), facts())).toMatchObject({
      message: { text: 'hello' },
      bodyDamaged: true,
    });
    expect(classify(row({ text: null, attributedBody: damaged }), facts())).toMatchObject({
      message: { text: 'saved text' },
      bodyDamaged: true,
    });
    expect(
      classify(row({ text: null, attributedBody: Buffer.from('??') }), facts({ waitedFor: () => true })),
    ).toEqual({
      kind: 'left_out',
      reason: 'damaged',
    });
  });

  test('a row without a date is as old as its arrival', () => {
    expect(classify(row({ sentAt: null }), facts())).toMatchObject({ message: { sentAt: NOW } });
  });
});
