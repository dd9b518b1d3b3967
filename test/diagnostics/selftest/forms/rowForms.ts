import { appleDate } from '../../../../src/kit/messages/AppleDatabase.js';
import { encodeAttributedBody } from '../../../../src/kit/messages/typedstreamEncoder.js';
import { type Form, OTHER, PERSON, say, THEN, WORDS } from './writing.js';

/** Rows judged by their owner, identity or date. */
export const ROW_FORMS: readonly Form[] = [
  ['dates', 'agrees', 'dates in ns', (m) => say(m, 'a', 0)],
  ['dates', 'contradicted', 'rows of the next century', (m) => [1, 2].map((n) => say(m, `${n}`, 4e12))],
  [
    'dates',
    'contradicted',
    'rows without a date',
    (m) => [1, 2].map(() => m.insertMessage({ text: 'a', date: 0 })),
  ],
  ['rowids-grow', 'agrees', 'AUTOINCREMENT', (m) => say(m, 'a', 0)],
  [
    'rowids-grow',
    'contradicted',
    'a forgotten sequence',
    (m) => {
      say(m, 'a', 0);
      m.resetRowIds();
    },
  ],
  [
    'rowid-order',
    'agrees',
    'rows in the order of time',
    (m) => [0, 1, 2].map((n) => say(m, `${n}`, n * 1000)),
  ],
  [
    'rowid-order',
    'agrees',
    'iCloud’s copies of an old row',
    (m) => {
      const { guid } = say(m, 'a', -9e6);
      say(m, 'b', 0);
      for (let copy = 0; copy < 4; copy++) m.rewrites.rewrite(guid);
    },
  ],
  [
    'rowid-order',
    'contradicted',
    'a rebuilt file',
    (m) => [0, -9e6, -1e6, -9e6].map((at, n) => say(m, `${n}`, at)),
  ],
  ['copies', 'absent', 'no copies', (m) => [0, 5000].map((at) => say(m, WORDS, at))],
  ['copies', 'agrees', 'exact copies', (m) => m.rewrites.rewrite(say(m, WORDS, 0).guid)],
  [
    'copies',
    'agrees',
    'a copy of an edited row',
    (m) => {
      const columns = {
        attributedBody: encodeAttributedBody('other'),
        text: null,
        date_edited: appleDate(THEN),
      };
      m.rewrites.rewrite(say(m, WORDS, 0).guid, { columns });
    },
  ],
  ['copies', 'contradicted', 'a copy with a rounded date', (m) => [0, 400].map((at) => say(m, WORDS, at))],
  [
    'copies',
    'contradicted',
    'a copy with other words',
    (m) =>
      m.rewrites.rewrite(say(m, WORDS, 0).guid, {
        columns: { attributedBody: encodeAttributedBody('other'), text: 'other' },
      }),
  ],
  [
    'whole-seconds',
    'agrees',
    'whole seconds of SMS',
    (m) => {
      say(m, 'a', 0);
      for (const at of [0, 1, 2, 3])
        m.receive({ from: OTHER, text: 'b', service: 'SMS', date: THEN - 123 + at * 1000 });
    },
  ],
  ['whole-seconds', 'absent', 'SMS alone', (m) => m.receive({ from: OTHER, text: 'b', service: 'SMS' })],
  [
    'whole-seconds',
    'contradicted',
    'whole seconds of iMessage',
    (m) => [0, 1, 2].map((n) => say(m, `${n}`, n * 1000 - 123)),
  ],
  ['own-rows', 'agrees', 'a settled row', (m) => m.writeSent({ handle: PERSON, text: 'a', date: THEN })],
  [
    'own-rows',
    'absent',
    'a row that is just written',
    (m) => m.writeSent({ handle: PERSON, text: 'a', upTo: 'first' }),
  ],
  [
    'own-rows',
    'contradicted',
    'a row that never settled',
    (m) => m.writeSent({ handle: PERSON, text: 'a', date: THEN, upTo: 'first' }),
  ],
  [
    'own-rows',
    'contradicted',
    'a sent row without a handle',
    (m) => say(m, 'a', 0, { handle_id: 0, is_sent: 1 }),
  ],
  ['received-rows', 'agrees', 'finished, with a handle', (m) => say(m, 'a', 0)],
  ['received-rows', 'contradicted', 'unfinished', (m) => say(m, 'a', 0, { is_finished: 0 })],
  ['received-rows', 'contradicted', 'sent', (m) => say(m, 'a', 0, { is_sent: 1 })],
  ['received-rows', 'contradicted', 'of nobody', (m) => say(m, 'a', 0, { handle_id: 0 })],
  [
    'received-rows',
    'absent',
    'unfinished, but new',
    (m) => say(m, 'a', Date.now() - THEN, { is_finished: 0 }),
  ],
  ['direct-sender', 'agrees', 'the person of the chat', (m) => say(m, 'a', 0)],
  [
    'direct-sender',
    'contradicted',
    'somebody else',
    (m) =>
      [0, 1].map((at) => m.receive({ from: OTHER, text: `${at}`, chat: m.directChat(PERSON), date: THEN })),
  ],
  [
    'room-names',
    'agrees',
    'a group and a person',
    (m) => {
      say(m, 'a', 0);
      m.receive({ from: PERSON, text: 'b', chat: m.groupChat([PERSON, OTHER]), date: THEN });
    },
  ],
  [
    'room-names',
    'contradicted',
    'direct rows with a room',
    (m) => {
      for (const at of [0, 1])
        m.updateMessage(say(m, 'a', at).rowId, { cache_roomnames: 'chat831045551234' });
    },
  ],
  [
    'room-names',
    'contradicted',
    'rows of groups without a room',
    (m) => {
      const chat = m.groupChat([PERSON, OTHER]);
      for (const text of ['a', 'b'])
        m.updateMessage(m.receive({ from: PERSON, text, chat }).rowId, { cache_roomnames: null });
    },
  ],
  ['one-service', 'agrees', 'one row', (m) => say(m, WORDS, 0)],
  [
    'one-service',
    'agrees',
    'the same words an hour later by SMS',
    (m) => {
      say(m, WORDS, 0);
      say(m, WORDS, 3_600_000, { service: 'SMS' });
    },
  ],
  [
    'one-service',
    'contradicted',
    'iMessage and SMS at once',
    (m) => {
      say(m, WORDS, 0);
      say(m, WORDS, 2_000, { service: 'SMS' });
    },
  ],
  [
    'reactions',
    'agrees',
    'a tapback',
    (m) =>
      m.happenings.react({
        to: say(m, 'a', 0).guid,
        from: PERSON,
        chat: m.directChat(PERSON),
        kind: 'love',
      }),
  ],
  ['reactions', 'absent', 'a message of an app', (m) => say(m, 'a', 0, { associated_message_type: 3 })],
  ['reactions', 'contradicted', 'an unknown kind', (m) => say(m, 'a', 0, { associated_message_type: 2008 })],
  [
    'notices',
    'agrees',
    'a renamed group',
    (m) =>
      m.happenings.changeGroup(m.groupChat([PERSON, OTHER]), { kind: 'renamed', title: 'x', by: PERSON }),
  ],
  ['notices', 'contradicted', 'an unknown kind', (m) => say(m, 'a', 0, { item_type: 9 })],
];
