import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Detail } from '../../src/checks/check.js';
import type { Finding } from '../../src/checks/runChecks.js';
import { Schema } from '../../src/messages/chatdb/schema.js';
import { ASSUMPTIONS } from '../../src/selftest/survey/chatDbForms.js';
import { readSurvey, WINDOW_ROWS } from '../../src/selftest/survey/readSurvey.js';
import { appleDate } from '../../src/simulator/messages/AppleDatabase.js';
import type { AppleVersion } from '../../src/simulator/messages/appleSchema.js';
import { ChatDbWriter } from '../../src/simulator/messages/ChatDbWriter.js';
import { encodeSummary } from '../../src/simulator/messages/SimulatedHappenings.js';
import { encodeAttributedBody, encodeRuns } from '../../src/simulator/messages/typedstreamEncoder.js';
import { openDatabase } from '../../src/store/sqlite.js';
import { systemClock } from '../../src/system/clock.js';
import { TestBench } from '../checks/TestBench.js';
import { temporaryDirectory } from '../support/temporaryStore.js';

const PERSON = '+13105551234';
const OTHER = '+13105559876';
const WORDS = 'zebra crossing at noon';
const LINK = 'https://example.com/zebra';
const PREVIEW = { balloon_bundle_id: 'com.apple.messages.URLBalloonProvider' };
const GROUP_ID = '11111111-2222-4333-8444-555555555555';
/** An hour ago, and not at a whole second. */
const THEN = Math.floor(Date.now() / 1000) * 1000 - 3_600_000 + 123;

type Write = (messages: ChatDbWriter) => void;

/** What the check finds in a chat.db that this was written to. */
async function survey(write: Write, version: AppleVersion = 26): Promise<Finding> {
  const bench = new TestBench();
  const path = join(bench.state, 'surveyed.db');
  const writer = new ChatDbWriter(path, { version });
  write(writer);
  writer.close();
  bench.settings = { EDGE_IMESSAGE_DB_PATH: path };
  const [found] = (await bench.run('chatdb-forms')).checks;
  if (found === undefined) throw new Error('the check is missing');
  return found;
}

function detail({ details = [] }: Finding, id: string): Detail {
  const found = details.find((one) => one.id === id);
  if (found === undefined) throw new Error(`nothing is said of ${id}`);
  return found;
}

/** Received from a person; `at` is ms behind `THEN`. */
function say(messages: ChatDbWriter, text: string, at: number, columns = {}, from = PERSON) {
  return messages.receive({ from, text, date: THEN + at, columns });
}

function balloon(messages: ChatDbWriter, at: number, columns = {}) {
  return say(messages, LINK, at, { ...PREVIEW, ...columns });
}

/** Two rows of a group with these names in chat_lookup. */
function groups(
  messages: ChatDbWriter,
  people: readonly [readonly string[], readonly string[]],
  names: readonly [string, string],
  ids: readonly [string, string] = ['', ''],
) {
  const chats = people.map((participants, at) =>
    messages.groupChat(participants, { groupId: ids[at] ?? '' }),
  );
  for (const name of new Set(names))
    messages.chats.lookUp(
      name,
      chats.filter((_chat, at) => names[at] === name),
    );
  say(messages, 'hello', 0);
}

const part = (number: number) => [['__kIMMessagePartAttributeName', number] as const];
const file = (guid: string, number: number) =>
  [
    ['__kIMFileTransferGUIDAttributeName', guid],
    ['__kIMMessagePartAttributeName', number],
  ] as const;

function inline(messages: ChatDbWriter, mimeType: string): void {
  const message = messages.receive({
    from: PERSON,
    text: 'x',
    date: THEN,
    attachments: [{ guid: 'at_0_A', mimeType }],
  });
  const runs = [
    { text: 'look ', attributes: part(0) },
    { text: '\ufffc', attributes: file('at_0_A', 0) },
  ];
  messages.updateMessage(message.rowId, { text: null, attributedBody: encodeRuns(runs) });
}

function edited(messages: ChatDbWriter, newest: string): void {
  const versions = [
    { text: 'first', at: THEN },
    { text: newest, at: THEN + 5000 },
  ];
  const { rowId } = say(messages, 'second', 0);
  messages.updateMessage(rowId, {
    date_edited: appleDate(THEN + 5000),
    message_summary_info: encodeSummary({ original: 1, versions: { 0: versions } }),
  });
}

const CASES: readonly (readonly [string, 'agrees' | 'contradicted' | 'absent', string, Write])[] = [
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
  [
    'part-numbers',
    'agrees',
    'numbered parts',
    (m) => m.receive({ from: PERSON, parts: ['one', 'two'], date: THEN }),
  ],
  [
    'part-numbers',
    'contradicted',
    'text without a number',
    (m) => {
      const runs = [
        { text: 'one', attributes: part(0) },
        { text: 'two', attributes: [['__kIMOther', 1] as const] },
      ];
      m.updateMessage(say(m, 'x', 0).rowId, { attributedBody: encodeRuns(runs) });
    },
  ],
  ['inline-images', 'agrees', 'an image in the text', (m) => inline(m, 'image/heic')],
  ['inline-images', 'contradicted', 'a document in the text', (m) => inline(m, 'application/pdf')],
  [
    'inline-images',
    'absent',
    'a photo beside the text',
    (m) => m.receive({ from: PERSON, text: 'x', date: THEN, attachments: [{}] }),
  ],
  ...(['dated', 'emptied', 'summary'] as const).map(
    (form) =>
      [
        'unsend-forms',
        'agrees',
        form,
        (m: ChatDbWriter) => m.happenings.unsend(say(m, 'a', 0), THEN, form),
      ] as const,
  ),
  [
    'unsend-forms',
    'absent',
    'an empty row of a file',
    (m) => m.receive({ from: PERSON, date: THEN, attachments: [{}] }),
  ],
  [
    'unsend-forms',
    'contradicted',
    'edited and empty',
    (m) => say(m, '', 0, { date_edited: appleDate(THEN) }),
  ],
  ['edit-history', 'agrees', 'versions up to the text', (m) => edited(m, 'second')],
  ['edit-history', 'contradicted', 'a newest version that is not the text', (m) => edited(m, 'third')],
  ['edit-history', 'contradicted', 'no versions', (m) => m.happenings.edit(say(m, 'a', 0), 'b')],
  [
    'parts-left',
    'agrees',
    'cut',
    (m) => m.happenings.unsendParts(say(m, 'a', 0), [1], { text: 'a', original: 2 }),
  ],
  [
    'parts-left',
    'contradicted',
    'not cut',
    (m) => {
      const message = m.receive({ from: PERSON, parts: ['one', 'two'], date: THEN });
      m.updateMessage(message.rowId, {
        message_summary_info: encodeSummary({ original: 2, retracted: [1] }),
      });
    },
  ],
  [
    'app-lines',
    'agrees',
    'a line of an app',
    (m) => say(m, '$(kIMTranscriptPluginBreadcrumbTextReceiverIdentifier) closed all rings', 0),
  ],
  ['app-lines', 'absent', 'words in brackets', (m) => say(m, 'run $(kubectl get pods) and $(keep) now', 0)],
  [
    'app-lines',
    'contradicted',
    'a name of another form',
    (m) => say(m, '$(kTranscriptSenderIdentifier) closed all rings', 0),
  ],
  [
    'link-previews',
    'agrees',
    'text and preview',
    (m) => {
      say(m, `see ${LINK}`, 0);
      balloon(m, 60_000);
    },
  ],
  ['link-previews', 'absent', 'a lone link', (m) => balloon(m, 0)],
  [
    'link-previews',
    'contradicted',
    'a late preview',
    (m) => {
      say(m, `see ${LINK}`, 0);
      balloon(m, 120_000);
    },
  ],
  ['preview-copies', 'agrees', '40 s apart', (m) => [0, 40_000].map((at) => balloon(m, at))],
  ['preview-copies', 'contradicted', '200 s apart', (m) => [0, 200_000].map((at) => balloon(m, at))],
  [
    'preview-copies',
    'absent',
    'with words between',
    (m) => {
      balloon(m, 0);
      say(m, 'once more', 1000);
      balloon(m, 200_000);
    },
  ],
  [
    'preview-ties',
    'agrees',
    'tied to a text with the link',
    (m) => {
      const { guid } = say(m, `see ${LINK}`, 0);
      balloon(m, 1000, { reply_to_guid: guid });
    },
  ],
  [
    'preview-ties',
    'agrees',
    'tied to a text that lacks it',
    (m) => {
      const { guid } = say(m, 'see here', 0);
      balloon(m, 1000, { reply_to_guid: guid });
    },
  ],
  [
    'preview-ties',
    'contradicted',
    'tied to another row',
    (m) => {
      const { guid } = say(m, 'good morning', -60_000);
      say(m, `see ${LINK}`, 0);
      balloon(m, 1000, { reply_to_guid: guid });
    },
  ],
  ['group-lookup', 'agrees', 'one person left', (m) => groups(m, [[PERSON, OTHER], [PERSON]], ['x', 'x'])],
  ['group-lookup', 'contradicted', 'nobody in common', (m) => groups(m, [[PERSON], [OTHER]], ['x', 'x'])],
  ['group-lookup', 'absent', 'no ties', (m) => groups(m, [[PERSON], [OTHER]], ['x', 'y'])],
  [
    'group-ids',
    'agrees',
    'tied by both',
    (m) =>
      groups(
        m,
        [
          [PERSON, OTHER],
          [OTHER, PERSON],
        ],
        ['x', 'x'],
        [GROUP_ID, GROUP_ID],
      ),
  ],
  [
    'group-ids',
    'contradicted',
    'kept apart by chat_lookup',
    (m) =>
      groups(
        m,
        [
          [PERSON, OTHER],
          [OTHER, PERSON],
        ],
        ['x', 'y'],
        [GROUP_ID, GROUP_ID],
      ),
  ],
  [
    'group-ids',
    'absent',
    'other people',
    (m) => groups(m, [[PERSON], [OTHER]], ['x', 'y'], [GROUP_ID, GROUP_ID]),
  ],
  ['written-to', 'agrees', 'an account', (m) => say(m, 'a', 0)],
  [
    'written-to',
    'contradicted',
    'an address of nobody here',
    (m) => say(m, 'a', 0, { destination_caller_id: '+13105550199' }),
  ],
  [
    'written-to',
    'absent',
    'an SMS that a phone relays',
    (m) => say(m, 'a', 0, { service: 'SMS', destination_caller_id: '+13105550199' }),
  ],
  ['chat-accounts', 'agrees', 'an id', (m) => say(m, 'a', 0)],
  [
    'chat-accounts',
    'contradicted',
    'none',
    (m) => {
      const chat = m.addChat({ style: 'direct', participants: [OTHER], accountId: '' });
      m.receive({ from: OTHER, text: 'a', chat });
    },
  ],
  [
    'chat-accounts',
    'contradicted',
    'no id of the known form',
    (m) => {
      const chat = m.addChat({ style: 'direct', participants: [OTHER], accountId: 'iMessage' });
      m.receive({ from: OTHER, text: 'a', chat });
    },
  ],
  [
    'plain-numbers',
    'agrees',
    'nothing was delivered',
    (m) => m.writeSent({ chat: m.directChat('447967960994'), text: 'a', date: THEN }),
  ],
  [
    'plain-numbers',
    'contradicted',
    'delivered',
    (m) => m.writeSent({ chat: m.directChat('447967960994'), text: 'a', date: THEN, upTo: 'delivered' }),
  ],
  [
    'plain-numbers',
    'absent',
    'a short code, and a long one of SMS',
    (m) => {
      m.receive({ from: '22000', text: 'a', service: 'SMS' });
      m.receive({ from: '1069012345678', text: 'a', service: 'SMS' });
    },
  ],
  ['account-forms', 'agrees', 'E:', (m) => say(m, 'a', 0)],
  [
    'account-forms',
    'contradicted',
    'bare addresses',
    (m) => [0, 1].map((at) => say(m, 'a', at, { account: 'operator@example.com' })),
  ],
  [
    'filtered-chats',
    'agrees',
    'junk',
    (m) => {
      const chat = m.addChat({ style: 'direct', participants: [OTHER], filtered: 2 });
      m.receive({ from: OTHER, text: 'a', chat });
    },
  ],
  [
    'filtered-chats',
    'contradicted',
    'an unknown kind',
    (m) => {
      const chat = m.addChat({ style: 'direct', participants: [OTHER], filtered: 7 });
      m.receive({ from: OTHER, text: 'a', chat });
    },
  ],
  ['deleted-messages', 'agrees', 'moved', (m) => m.happenings.recentlyDelete(say(m, 'a', 0))],
  [
    'deleted-messages',
    'contradicted',
    'still in its chat',
    (m) => {
      const message = say(m, 'a', 0);
      m.happenings.recentlyDelete(message);
      m.joinChat(message.rowId, m.directChat(PERSON));
    },
  ],
  ['finished-files', 'agrees', 'a file', (m) => m.receive({ from: PERSON, attachments: [{}], date: THEN })],
  [
    'finished-files',
    'contradicted',
    'no path',
    (m) => {
      for (const text of ['a', 'b']) m.receive({ from: PERSON, text, attachments: [{}], date: THEN });
      const database = openDatabase(m.path);
      database.exec('UPDATE attachment SET filename = NULL');
      database.close();
    },
  ],
  [
    'file-types',
    'agrees',
    'a known uti',
    (m) => m.receive({ from: PERSON, attachments: [{ mimeType: null, uti: 'public.heic' }] }),
  ],
  [
    'file-types',
    'contradicted',
    'unknown ones',
    (m) =>
      m.receive({
        from: PERSON,
        attachments: [
          { mimeType: null, uti: 'dyn.a' },
          { mimeType: null, uti: 'dyn.b' },
        ],
      }),
  ],
];

test.each(CASES)('%s: %s by %s, and the report says nothing but counts', async (id, result, _form, write) => {
  const found = await survey(write);
  expect(detail(found, id)).toMatchObject({ id, result });
  expectCountsOnly(found);
  if (result === 'contradicted') {
    expect(found.verdict).toBe('WARN');
    expect(found.evidence).toContain(`${id} (`);
    expect(found.remedy).toContain(`${id}: `);
  }
});

test('every assumption is tried with rows that agree and with rows that contradict', () => {
  for (const { id } of ASSUMPTIONS) {
    const tried = CASES.filter(([of]) => of === id).map(([, result]) => result);
    expect(tried, id).toEqual(expect.arrayContaining(['agrees', 'contradicted']));
  }
});

/** Something of everything that a Mac writes as it is assumed to. */
function wellWritten(messages: ChatDbWriter): void {
  say(messages, WORDS, 0);
  messages.writeSent({ handle: PERSON, text: 'hello there', date: THEN + 1234, upTo: 'read' });
  messages.rewrites.rewrite(say(messages, 'see you at eight tonight', 2000).guid);
  say(messages, `look: ${LINK}`, 3000);
  balloon(messages, 4000);
  const chat = messages.groupChat([PERSON, OTHER]);
  messages.receive({ from: OTHER, text: 'all of you', chat, date: THEN + 5000, attachments: [{}] });
  messages.happenings.react({ to: 'A', from: PERSON, chat, kind: 'like', date: THEN + 6000 });
  messages.happenings.unsend(say(messages, 'oops', 7000));
  messages.happenings.sendApp(PERSON, 'game', THEN + 8000);
}

describe('a chat.db of', () => {
  test.each([11, 12, 13, 14, 15, 26, 27] as const)('macOS %i that is as assumed passes', async (version) => {
    const found = await survey(wellWritten, version);
    expect(found).toMatchObject({
      verdict: 'PASS',
      evidence: expect.stringMatching(/^\d+ rows: \d+ assumptions agree/),
    });
    expect(found.details?.map(({ id }) => id)).toEqual(ASSUMPTIONS.map(({ id }) => id));
  });

  test('the least that can be read contradicts nothing for want of columns', async () => {
    const bench = new TestBench();
    const path = join(bench.state, 'plain.db');
    const database = openDatabase(path);
    database.exec(`
      CREATE TABLE message (ROWID INTEGER PRIMARY KEY AUTOINCREMENT, guid TEXT, text TEXT, handle_id INTEGER, service TEXT,
        date INTEGER, is_from_me INTEGER DEFAULT 0);
      CREATE TABLE handle (ROWID INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT, service TEXT);
      CREATE TABLE chat (ROWID INTEGER PRIMARY KEY AUTOINCREMENT, guid TEXT, style INTEGER, chat_identifier TEXT);
      CREATE TABLE chat_message_join (chat_id INTEGER, message_id INTEGER, message_date INTEGER);
      INSERT INTO handle (id) VALUES ('${PERSON}');
      INSERT INTO chat (guid, style, chat_identifier) VALUES ('iMessage;-;${PERSON}', 45, '${PERSON}');
      INSERT INTO message (guid, text, handle_id, service, date) VALUES ('a', 'hello', 1, 'iMessage', ${appleDate(THEN)});
      INSERT INTO chat_message_join VALUES (1, 1, 0);
    `);
    database.close();
    bench.settings = { EDGE_IMESSAGE_DB_PATH: path };
    const [found] = (await bench.run('chatdb-forms')).checks;
    expect(found).toMatchObject({ verdict: 'PASS' });
  });

  test.each(['message', 'chat', 'attachment'])(
    'columns of %s taken away one by one is still judged',
    async (table) => {
      const bench = new TestBench();
      const path = join(bench.state, 'whole.db');
      const writer = new ChatDbWriter(path, { version: 27 });
      wellWritten(writer);
      writer.close();
      const needed =
        /^(ROWID|guid|original_guid|chat_identifier|style|handle_id|is_from_me|date|text|service|service_name)$/;
      const database = openDatabase(path);
      for (const { name, type } of database
        .prepare<unknown[], { name: string; type: string }>(
          "SELECT name, type FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL",
        )
        .all())
        database.exec(`DROP ${type} "${name}"`);
      const columns = (database.pragma(`table_info(${table})`) as { name: string }[]).map(({ name }) => name);
      bench.settings = { EDGE_IMESSAGE_DB_PATH: path };
      for (const name of columns.filter((one) => !needed.test(one) && !one.startsWith('sr_'))) {
        database.exec(`ALTER TABLE ${table} DROP COLUMN ${name}`);
      }
      database.close();
      const [found] = (await bench.run('chatdb-forms')).checks;
      expect(found?.verdict).toMatch(/^(PASS|WARN)$/);
      expect(found?.details).toHaveLength(ASSUMPTIONS.length);
    },
  );
});

describe('it is skipped', () => {
  test('without chat.db, without the right to read it, or where it is no database', async () => {
    const bench = new TestBench();
    const odd = join(bench.state, 'odd.db');
    writeFileSync(odd, 'this is no database');
    const directory = join(bench.state, 'missing', 'chat.db');
    for (const path of [odd, directory, bench.state]) {
      bench.settings = { EDGE_IMESSAGE_DB_PATH: path };
      const [found] = (await bench.run('chatdb-forms')).checks;
      expect(found, path).toMatchObject({ verdict: 'SKIP' });
    }
    if (process.getuid?.() === 0) return;
    chmodSync(odd, 0);
    bench.settings = { EDGE_IMESSAGE_DB_PATH: odd };
    expect((await bench.run('chatdb-forms')).checks[0]).toMatchObject({ verdict: 'SKIP' });
  });

  test('without any row', async () => {
    expect(await survey(() => undefined)).toMatchObject({ verdict: 'SKIP' });
  });
});

test('nothing of what the rows say, nor of whom, is in the report of a Mac that is as assumed', async () => {
  expectCountsOnly(await survey(wellWritten));
});

/** No text, number, address, guid or date of a row. */
function expectCountsOnly(found: Finding): void {
  const text = JSON.stringify(found);
  for (const secret of [WORDS, 'zebra', 'example', 'operator', 'hello', 'oops', 'chat8310', GROUP_ID])
    expect(text).not.toContain(secret);
  expect(text).not.toMatch(/\d{5}|[0-9A-F]{8}-/);
  for (const { counts = {}, agree, contradict } of found.details ?? [])
    for (const count of [agree, contradict, ...Object.values(counts)])
      expect(Number.isInteger(count) && count >= 0).toBe(true);
}

test('chat.db is only read', async () => {
  const bench = new TestBench();
  bench.alter((database) => database.exec('CREATE TABLE told (at INTEGER)'));
  const state = () => {
    let seen: unknown;
    bench.alter((database) => {
      seen = [
        database.prepare('SELECT count(*) FROM sqlite_master').pluck().get(),
        database.prepare('SELECT count(*), max(ROWID) FROM message').get(),
      ];
    });
    return seen;
  };
  const before = state();
  await bench.run('chatdb-forms');
  expect(state()).toEqual(before);
});

test.each([11, 15, 27] as const)('of macOS %i no query goes through all messages', (version) => {
  const path = join(temporaryDirectory(), 'chat.db');
  const writer = new ChatDbWriter(path, { version });
  wellWritten(writer);
  writer.close();
  const database = openDatabase(path, { readonly: true });
  onTestFinished(() => void database.close());
  const asked = new Set<string>();
  const prepare = database.prepare.bind(database);
  const recording: typeof database.prepare = (sql: string) => {
    asked.add(sql);
    return prepare(sql);
  };
  database.prepare = recording;
  const open = { database, schema: Schema.read(database), generation: '' };
  readSurvey(open, { clock: systemClock, region: 'US', own: [] });
  expect(asked.size).toBeGreaterThan(10);
  for (const sql of asked) {
    const steps = prepare<unknown[], { detail: string }>(
      `EXPLAIN QUERY PLAN ${sql.replaceAll('?', '1')}`,
    ).all();
    const plan = steps.map(({ detail }) => detail);
    // In the order of the table itself, a limit ends the look after so many rows.
    const isLimited =
      /ORDER BY (?:\w\.)?ROWID DESC LIMIT/.test(sql) && !plan.some((step) => step.includes('TEMP B-TREE'));
    const scans = plan.filter((step) => /^SCAN (m|n|j|a|message|attachment|chat_message_join)\b/.test(step));
    expect(isLimited ? [] : scans, sql).toEqual([]);
  }
});

test('reading ends when its time is over, and the evidence says so', async () => {
  const bench = new TestBench();
  let elapsed = 0;
  const monotonic = () => {
    elapsed += 4_000;
    return elapsed;
  };
  bench.mac.chatDb.bulkReceive(2_000, { from: PERSON });
  bench.changes = { clock: { ...systemClock, monotonic } };
  const [found] = (await bench.run('chatdb-forms')).checks;
  expect(found).toMatchObject({
    verdict: 'PASS',
    evidence: expect.stringContaining('no more in the time given'),
  });
});

test('of a large chat.db only the newest rows are looked at, in a bounded time', async () => {
  const bench = new TestBench();
  const path = join(bench.state, 'large.db');
  const writer = new ChatDbWriter(path, { version: 15 });
  writer.bulkReceive(4 * WINDOW_ROWS, { from: PERSON });
  writer.close();
  bench.settings = { EDGE_IMESSAGE_DB_PATH: path };
  const began = performance.now();
  const [found] = (await bench.run('chatdb-forms')).checks;
  expect(found?.evidence).toMatch(new RegExp(`^${WINDOW_ROWS} rows`));
  expect(performance.now() - began).toBeLessThan(10_000);
});
