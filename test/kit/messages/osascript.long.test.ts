import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ChatDbWriter } from '../../../src/kit/messages/ChatDbWriter.js';
import { installOsascript } from '../../../src/kit/messages/installOsascript.js';
import { type Behaviour, behave, behaveNormally } from '../../../src/kit/messages/osascriptBehaviour.js';
import { readCalls, readDispatches, readSent } from '../../../src/kit/messages/osascriptLog.js';
import { APPLESCRIPT_FAULTS } from '../../../src/messages/applescript/errors.js';
import type { OsascriptRunner, SendRequest } from '../../../src/messages/applescript/OsascriptRunner.js';
import { openDatabase } from '../../../src/store/sqlite.js';
import { request, Workbench } from '../../messages/applescript/Workbench.js';
import { PATIENCE_MS } from '../../support/patience.js';

const CHAT = 'iMessage;-;+13105550100';
const NO_ROW = { kind: 'none' } as const;

let bench: Workbench;
let messages: ChatDbWriter;
let stage: string;
let runner: OsascriptRunner;
beforeEach(() => {
  bench = new Workbench();
  stage = bench.path("a stage with 'quotes'");
  const chatDbPath = bench.path('chat.db');
  messages = new ChatDbWriter(chatDbPath, { version: 26 });
  messages.addChat({ style: 'direct', participants: ['+13105550100'], guid: CHAT });
  runner = bench.runner(installOsascript(stage, { chatDbPath, version: 26 }).path);
});
afterEach(() => {
  messages.close();
  bench.remove();
});

function send(changes: Partial<SendRequest> = {}) {
  return runner.start(request({ target: CHAT, ...changes })).result;
}

async function sendWith(behaviour: Behaviour, changes: Partial<SendRequest> = {}) {
  behave(stage, behaviour);
  return send(changes);
}

test('a send is accepted and recorded once, with every argument unchanged', async () => {
  const asked = request({ target: CHAT, text: '-"\n👋 $(id)' });
  expect(await runner.start(asked).result).toEqual({ kind: 'accepted' });
  const argv = [asked.text, CHAT, '10', '', asked.tag];
  const dispatch = { argv, form: 'chat', text: asked.text, target: CHAT, outcome: 'sent' };
  expect(readSent(stage)).toEqual([expect.objectContaining(dispatch)]);
  expect(readCalls(stage)).toEqual([expect.objectContaining({ argv })]);
  const output = readFileSync(join(bench.state, 'sends', `${asked.tag}.log`), 'utf8');
  expect(output.trimEnd()).toBe(`${asked.tag}\nedge-agent:dispatch`);
});

test('a chat that chat.db does not have fails in the lookup, and nothing is sent', async () => {
  const result = await send({ target: 'iMessage;-;+13105550199' });
  expect(result).toMatchObject({ kind: 'notStarted', code: -1728, retry: 'fallback' });
  expect(readDispatches(stage)).toEqual([]);
});

test.each(['participant', 'sms'] as const)('an address always resolves as %s', async (form) => {
  expect(await send({ form, target: '+13105550199' })).toEqual({ kind: 'accepted' });
  expect(readSent(stage)).toMatchObject([{ form, target: '+13105550199' }]);
});

test.each([...APPLESCRIPT_FAULTS])(
  'error %i before the send is distinguished from one after it',
  async (...row) => {
    const [number, { proves }] = row;
    const ambiguous = proves === 'ae_timeout' || proves === 'connection_lost';
    const refused = proves === 'refused';
    const before = await sendWith({ kind: 'error', number, when: 'before' });
    expect(before).toMatchObject({ kind: ambiguous ? 'unknown' : 'notStarted', code: number });
    expect(readDispatches(stage)).toEqual([]);
    const after = await sendWith({ kind: 'error', number, when: 'after', row: NO_ROW });
    expect(after).toMatchObject({ kind: refused ? 'notStarted' : 'unknown', code: number });
    expect(readDispatches(stage)).toMatchObject([{ outcome: refused ? 'refused' : 'sent' }]);
  },
);

test.each([
  ['zh', -1728, 'notStarted'],
  ['ja', -1728, 'notStarted'],
  ['zh', -1743, 'notStarted'],
  ['ja', -1712, 'unknown'],
  ['zh', 1, 'notStarted'],
] as const)('the text of an error (%s, %i) changes nothing', async (words, number, kind) => {
  expect(await sendWith({ kind: 'error', number, when: 'before', words })).toMatchObject({
    kind,
    code: number,
  });
});

describe.each(['before', 'after'] as const)('%s the send', (when) => {
  const sent = when === 'after' ? 1 : 0;

  test('a hang is ended at the deadline, and its outcome is unknown', async () => {
    const result = await sendWith({ kind: 'hang', when, row: NO_ROW }, { deadlineMs: 3_000 });
    expect(result).toMatchObject({ kind: 'unknown', reason: 'timeout' });
    expect(readSent(stage)).toHaveLength(sent);
  });

  test('a crash is unknown only if the send may have happened', async () => {
    const result = await sendWith({ kind: 'crash', when, signal: 'SIGTERM', row: NO_ROW });
    expect(result).toMatchObject(
      sent === 1 ? { kind: 'unknown', reason: 'killed' } : { kind: 'notStarted', retry: 'later' },
    );
    expect(readSent(stage)).toHaveLength(sent);
  });
});

test.each(['silent', 'deaf'] as const)('a %s call prints nothing, exits 0 and is accepted', async (kind) => {
  const asked = request({ target: CHAT });
  behave(stage, { kind, row: NO_ROW });
  expect(await runner.start(asked).result).toEqual({ kind: 'accepted' });
  const output = readFileSync(join(bench.state, 'sends', `${asked.tag}.log`), 'utf8');
  expect(output.trimEnd()).toBe(asked.tag);
  expect(readSent(stage)).toMatchObject([{ form: 'chat', text: asked.text, target: CHAT }]);
});

test('a slow call takes its time', async () => {
  const before = performance.now();
  expect(await sendWith({ kind: 'ok', row: NO_ROW, slowMs: 400 })).toEqual({ kind: 'accepted' });
  expect(performance.now() - before).toBeGreaterThanOrEqual(400);
});

describe('what is queued', () => {
  const fails = { kind: 'error', number: -600, when: 'before' } as const;

  test('is done in order, as often as requested, and then succeeds', async () => {
    behave(stage, fails, { times: 2 });
    behave(stage, { kind: 'crash', when: 'before' });
    const codes = [];
    for (let call = 0; call < 4; call++) codes.push(await send());
    expect(codes).toMatchObject([{ code: -600 }, { code: -600 }, { code: null }, { kind: 'accepted' }]);
  });

  test('is used only for the calls that fit', async () => {
    behave(stage, fails, { textIncludes: 'bad', times: 'always' });
    behave(stage, fails, { target: '+13105550111' });
    expect(await send({ text: 'a bad text' })).toMatchObject({ code: -600 });
    expect(await send({ text: 'a good text' })).toEqual({ kind: 'accepted' });
    expect(await send({ form: 'participant', target: '+13105550111' })).toMatchObject({ code: -600 });
    expect(await send({ text: 'bad again' })).toMatchObject({ code: -600 });
  });

  test('is taken once each by calls that run at the same time', async () => {
    behave(stage, fails, { times: 3 });
    const results = await Promise.all(Array.from({ length: 6 }, () => send()));
    expect(results.filter(({ kind }) => kind === 'notStarted')).toHaveLength(3);
    expect(readSent(stage)).toHaveLength(3);
  });

  test('can be forgotten', async () => {
    behave(stage, fails, { times: 'always' });
    behaveNormally(stage);
    expect(await send()).toEqual({ kind: 'accepted' });
  });
});

describe('the row in chat.db', () => {
  interface Row {
    guid: string | null;
    handle: string | null;
    attributedBody: Buffer | null;
    service: string;
    error: number;
    is_sent: number;
    is_delivered: number;
  }

  const rows = () => {
    const database = openDatabase(bench.path('chat.db'), { readonly: true });
    const select = `
      SELECT c.guid, h.id AS handle, m.attributedBody, m.service, m.error, m.is_sent, m.is_delivered
      FROM message m LEFT JOIN chat_message_join j ON j.message_id = m.ROWID
      LEFT JOIN chat c ON c.ROWID = j.chat_id LEFT JOIN handle h ON h.ROWID = m.handle_id
      WHERE m.is_from_me = 1 ORDER BY m.ROWID`;
    try {
      return database.prepare(select).all() as Row[];
    } finally {
      database.close();
    }
  };

  const eventually = (expected: object[]) =>
    expect.poll(rows, { timeout: PATIENCE_MS, interval: 50 }).toMatchObject(expected);

  test('is there as soon as osascript has ended, in the chat that was named', async () => {
    await send({ text: 'hello 👋' });
    expect(rows()).toMatchObject([{ guid: CHAT, is_sent: 1, error: 0, service: 'iMessage' }]);
    expect(rows()[0]?.attributedBody?.includes('hello 👋')).toBe(true);
  });

  test.each([
    ['participant', 'iMessage'],
    ['sms', 'SMS'],
  ] as const)('of a text to an address as %s creates the chat it needs', async (form, service) => {
    await send({ form, target: '+13105550142' });
    expect(rows()).toMatchObject([
      { handle: '+13105550142', service, guid: expect.stringContaining('0142') },
    ]);
  });

  test('is there although osascript hangs after the send', async () => {
    behave(stage, { kind: 'hang', when: 'after', row: { kind: 'delivered' } });
    expect(await send({ deadlineMs: 4_000 })).toMatchObject({ kind: 'unknown', reason: 'timeout' });
    expect(rows()).toMatchObject([{ guid: CHAT, is_delivered: 1 }]);
  });

  test('is not there if Messages never writes one, nor for a text that was refused', async () => {
    behave(stage, { kind: 'error', number: -10004, when: 'after' });
    behave(stage, { kind: 'ok', row: NO_ROW });
    expect(await send()).toMatchObject({ kind: 'notStarted', code: -10004 });
    expect(await send()).toEqual({ kind: 'accepted' });
    expect(rows()).toEqual([]);
  });

  test('may come late, also when osascript was killed by then', async () => {
    behave(stage, { kind: 'crash', when: 'after', row: { kind: 'late', afterMs: 200 } });
    expect(await send()).toMatchObject({ kind: 'unknown', reason: 'killed' });
    expect(rows()).toEqual([]);
    await eventually([{ guid: CHAT, is_sent: 1 }]);
  });

  test('may say later that the text was not delivered', async () => {
    behave(stage, { kind: 'ok', row: { kind: 'failing', afterMs: 300 } });
    await send();
    expect(rows()).toMatchObject([{ guid: CHAT, is_sent: 1, error: 0 }]);
    await eventually([{ guid: CHAT, is_sent: 0, error: 22 }]);
  });

  test('may say at first that it was not delivered, and then be sent by SMS', async () => {
    behave(stage, { kind: 'ok', row: { kind: 'downgraded', afterMs: 300 } });
    await send();
    expect(rows()).toMatchObject([{ guid: CHAT, is_sent: 0, error: 22 }]);
    await eventually([{ guid: CHAT, is_sent: 1, error: 0, service: 'SMS' }]);
  });

  test('may be a ghost: empty, of no chat, its handle the identifier of the group', async () => {
    const group = messages.groupChat(['+13105550100', '+13105550101']);
    behave(stage, { kind: 'ok', row: { kind: 'ghost' } });
    expect(await send({ target: group.guid })).toEqual({ kind: 'accepted' });
    expect(rows()).toMatchObject([
      { guid: null, handle: group.identifier, attributedBody: null, service: 'SMS', is_sent: 0 },
    ]);
  });
});
