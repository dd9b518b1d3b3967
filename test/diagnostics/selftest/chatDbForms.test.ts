import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Finding } from '../../../src/diagnostics/checks/runChecks.js';
import { ASSUMPTIONS } from '../../../src/diagnostics/selftest/survey/chatDbForms.js';
import { readSurvey, WINDOW_ROWS } from '../../../src/diagnostics/selftest/survey/readSurvey.js';
import { appleDate } from '../../../src/kit/messages/AppleDatabase.js';
import type { AppleVersion } from '../../../src/kit/messages/appleSchema.js';
import { ChatDbWriter } from '../../../src/kit/messages/ChatDbWriter.js';
import { Schema } from '../../../src/messages/chatdb/schema.js';
import type { CheckDetail } from '../../../src/model/operatorApi.js';
import { openDatabase } from '../../../src/store/sqlite.js';
import { systemClock } from '../../../src/system/clock.js';
import { temporaryDirectory } from '../../support/temporaryStore.js';
import { TestContext } from '../checks/TestContext.js';

import { CHAT_FORMS } from './forms/chatForms.js';
import { CONTENT_FORMS } from './forms/contentForms.js';
import { ROW_FORMS } from './forms/rowForms.js';
import { balloon, type Form, GROUP_ID, LINK, OTHER, PERSON, say, THEN, WORDS } from './forms/writing.js';

const CASES: readonly Form[] = [...ROW_FORMS, ...CONTENT_FORMS, ...CHAT_FORMS];

/** What the check finds in a chat.db that this was written to. */
async function survey(write: Form[3], version: AppleVersion = 26): Promise<Finding> {
  const context = new TestContext();
  const path = join(context.state, 'surveyed.db');
  const writer = new ChatDbWriter(path, { version });
  write(writer);
  writer.close();
  context.settings = { EDGE_IMESSAGE_DB_PATH: path };
  const [found] = (await context.run('chatdb-forms')).checks;
  if (found === undefined) throw new Error('the check is missing');
  return found;
}

function detail({ details = [] }: Finding, id: string): CheckDetail {
  const found = details.find((one) => one.id === id);
  if (found === undefined) throw new Error(`nothing is said of ${id}`);
  return found;
}

test.each(CASES)('%s: %s by %s, and the report contains only counts', async (id, result, _form, write) => {
  const found = await survey(write);
  expect(detail(found, id)).toMatchObject({ id, result });
  expectCountsOnly(found);
  if (result === 'contradicted') {
    expect(found.verdict).toBe('WARN');
    expect(found.evidence).toContain(`${id} (`);
    expect(found.remedy).toContain(`${id}: `);
  }
});

test('every assumption is tested with rows that agree and with rows that contradict', () => {
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

describe('a chat.db', () => {
  test.each([11, 12, 13, 14, 15, 26, 27] as const)(
    'of macOS %i that is as assumed passes',
    async (version) => {
      const found = await survey(wellWritten, version);
      expect(found).toMatchObject({
        verdict: 'PASS',
        evidence: expect.stringMatching(/^\d+ rows: \d+ assumptions agree/),
      });
      expect(found.details?.map(({ id }) => id)).toEqual(ASSUMPTIONS.map(({ id }) => id));
    },
  );

  test('with the minimum that can be read contradicts nothing for lack of columns', async () => {
    const context = new TestContext();
    const path = join(context.state, 'plain.db');
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
    context.settings = { EDGE_IMESSAGE_DB_PATH: path };
    const [found] = (await context.run('chatdb-forms')).checks;
    expect(found).toMatchObject({ verdict: 'PASS' });
  });

  test.each(['message', 'chat', 'attachment'])(
    'with columns of %s removed one by one is still judged',
    async (table) => {
      const context = new TestContext();
      const path = join(context.state, 'whole.db');
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
      context.settings = { EDGE_IMESSAGE_DB_PATH: path };
      for (const name of columns.filter((one) => !needed.test(one) && !one.startsWith('sr_'))) {
        database.exec(`ALTER TABLE ${table} DROP COLUMN ${name}`);
      }
      database.close();
      const [found] = (await context.run('chatdb-forms')).checks;
      expect(found?.verdict).toMatch(/^(PASS|WARN)$/);
      expect(found?.details).toHaveLength(ASSUMPTIONS.length);
    },
  );
});

describe('it is skipped', () => {
  test('without chat.db, without permission to read it, or where it is no database', async () => {
    const context = new TestContext();
    const odd = join(context.state, 'odd.db');
    writeFileSync(odd, 'this is no database');
    const directory = join(context.state, 'missing', 'chat.db');
    for (const path of [odd, directory, context.state]) {
      context.settings = { EDGE_IMESSAGE_DB_PATH: path };
      const [found] = (await context.run('chatdb-forms')).checks;
      expect(found, path).toMatchObject({ verdict: 'SKIP' });
    }
    if (process.getuid?.() === 0) return;
    chmodSync(odd, 0);
    context.settings = { EDGE_IMESSAGE_DB_PATH: odd };
    expect((await context.run('chatdb-forms')).checks[0]).toMatchObject({ verdict: 'SKIP' });
  });

  test('without any row', async () => {
    expect(await survey(() => undefined)).toMatchObject({ verdict: 'SKIP' });
  });
});

test('the report of a Mac that is as assumed contains no text and no address', async () => {
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
  const context = new TestContext();
  context.alter((database) => database.exec('CREATE TABLE told (at INTEGER)'));
  const state = () => {
    let seen: unknown;
    context.alter((database) => {
      seen = [
        database.prepare('SELECT count(*) FROM sqlite_master').pluck().get(),
        database.prepare('SELECT count(*), max(ROWID) FROM message').get(),
      ];
    });
    return seen;
  };
  const before = state();
  await context.run('chatdb-forms');
  expect(state()).toEqual(before);
});

test.each([11, 15, 27] as const)('on macOS %i no query scans all messages', (version) => {
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
  const context = new TestContext();
  let elapsed = 0;
  const monotonic = () => {
    elapsed += 4_000;
    return elapsed;
  };
  context.mac.chatDb.bulkReceive(2_000, { from: PERSON });
  context.changes = { clock: { ...systemClock, monotonic } };
  const [found] = (await context.run('chatdb-forms')).checks;
  expect(found).toMatchObject({
    verdict: 'PASS',
    evidence: expect.stringContaining('no more in the time given'),
  });
});

test('of a large chat.db only the newest rows are read, in bounded CPU time', async () => {
  const context = new TestContext();
  const path = join(context.state, 'large.db');
  const writer = new ChatDbWriter(path, { version: 15 });
  writer.bulkReceive(4 * WINDOW_ROWS, { from: PERSON });
  writer.close();
  context.settings = { EDGE_IMESSAGE_DB_PATH: path };
  const began = process.cpuUsage();
  const [found] = (await context.run('chatdb-forms')).checks;
  expect(found?.evidence).toMatch(new RegExp(`^${WINDOW_ROWS} rows`));
  const { user, system } = process.cpuUsage(began);
  expect((user + system) / 1_000).toBeLessThan(10_000);
});
