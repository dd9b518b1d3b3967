import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { publishEvent, publishMessage, recordReply } from '../../../src/gateway/ledger/agentReports.js';
import { addAgent, removeAgent } from '../../../src/gateway/ledger/agents.js';
import {
  createApiKey,
  findApiKey,
  hasScope,
  isUseDue,
  listApiKeys,
  mayUseAgent,
  revokeApiKey,
  touchApiKey,
} from '../../../src/gateway/ledger/apiKeys.js';
import { audit, auditEntries } from '../../../src/gateway/ledger/auditLog.js';
import { addCommand } from '../../../src/gateway/ledger/commands.js';
import {
  conversationName,
  forgetConversations,
  messagesOfConversation,
} from '../../../src/gateway/ledger/conversations.js';
import {
  adoptRestoredEvents,
  decodeCursor,
  encodeCursor,
  eventsAfter,
  forgetEvents,
  newestCursor,
  publish,
} from '../../../src/gateway/ledger/eventLog.js';
import {
  forgetIdempotencyKeys,
  IDEMPOTENCY_MS,
  once,
  requestHash,
} from '../../../src/gateway/ledger/idempotency.js';
import {
  addMessage,
  findMessage,
  findMessages,
  forgetMessages,
  listMessages,
  noteCancelRequest,
} from '../../../src/gateway/ledger/messages.js';
import { endOrdersOf } from '../../../src/gateway/ledger/removedAgents.js';
import { SecretBox } from '../../../src/gateway/ledger/SecretBox.js';
import type { GatewayDatabase } from '../../../src/gateway/storage/GatewayDatabase.js';
import { until } from '../../support/until.js';
import { gatewayEngines } from '../gatewayEngines.js';
import { tellAck } from './tellAck.js';

const ENGINES = gatewayEngines();

const A = 'edge_13105550100';
const B = 'edge_13105550199';
const NOW = Date.UTC(2026, 10, 20, 8);
const EVERYTHING = { agents: null, types: null };

const plainRequest = { text: 'hello', attachments: [], sendAt: null, inReplyTo: null };
const message = (id: string, agentId = A) => ({
  agentId,
  id,
  keyId: 'key_1',
  conversation: '+13105551234',
  request: plainRequest,
});
const ackOf = (command_id: string, revision = 1, result: Record<string, unknown> = { outcome: 'sent' }) => ({
  command_id,
  status: 'completed' as const,
  revision,
  result,
  completed_at: '2026-11-20T08:00:02.000Z',
});
const delivered = (command_id: string) => ({
  event_id: `evt_of_${command_id}`,
  event_type: 'message_delivered',
  thread_id: '+13105551234',
  details: { command_id, message_guid: 'G1' },
  timestamp: '2026-11-20T08:00:03.000Z',
});
const bodySchema = z.looseObject({ type: z.string(), data: z.looseObject({}) });

const START = { xid: 0, seq: 0 };

/** So many events behind a cursor. PostgreSQL shows one once no older transaction runs, in other databases of the server too. */
async function eventsBehind(database: GatewayDatabase, cursor: typeof START, count: number) {
  const read = () => eventsAfter(database, cursor, EVERYTHING, 100);
  await until(
    async () => (await read()).length >= count,
    () => `${count} events`,
  );
  return read();
}

async function eventsOf(database: GatewayDatabase, count: number) {
  return (await eventsBehind(database, START, count)).map(({ body }) => bodySchema.parse(JSON.parse(body)));
}

async function withAgents(database: GatewayDatabase) {
  const box = new SecretBox(randomBytes(32));
  for (const id of [A, B])
    await database.transaction((tx) => addAgent(tx, box, { id, name: null, isInvited: false }, NOW));
  return database;
}

describe.each(ENGINES)('the ledger of $name', ({ open }) => {
  test('a key is valid until it is revoked, and the database does not have it', async () => {
    const database = await open();
    const wanted = { name: 'bot', scopes: ['messages:write'], agents: [A] } as const;
    const { key, secret } = await database.transaction((tx) => createApiKey(tx, wanted, NOW));
    expect(secret).toMatch(/^eg_live_[\w-]{43}$/);
    expect(await findApiKey(database, secret)).toEqual(key);
    expect(await findApiKey(database, `${secret}x`)).toBeUndefined();
    expect(JSON.stringify(await database.query('SELECT * FROM api_keys'))).not.toContain(secret.slice(8));
    expect([hasScope(key, 'messages:write'), hasScope(key, 'admin')]).toEqual([true, false]);
    expect([mayUseAgent(key, A), mayUseAgent(key, B)]).toEqual([true, false]);
    expect(isUseDue(key, NOW)).toBe(true);
    await database.transaction((tx) => touchApiKey(tx, key.id, NOW));
    const [listed] = await listApiKeys(database);
    expect(listed).toMatchObject({ id: key.id, lastUsedAt: NOW });
    expect(isUseDue({ ...key, lastUsedAt: NOW }, NOW + 1_000)).toBe(false);
    expect(await database.transaction((tx) => revokeApiKey(tx, key.id, NOW))).toBe(true);
    expect(await database.transaction((tx) => revokeApiKey(tx, key.id, NOW))).toBe(false);
    expect(await findApiKey(database, secret)).toBeUndefined();
  });

  test('what is in the audit log was done', async () => {
    const database = await open();
    const entry = { actor: 'key_1', action: 'webhook.created', subject: 'wh_1', details: { n: 1 }, at: NOW };
    await database.transaction((tx) => audit(tx, entry));
    const undone = database.transaction(async (tx) => {
      await audit(tx, { ...entry, action: 'webhook.deleted' });
      throw new Error('undone');
    });
    await expect(undone).rejects.toThrow('undone');
    expect(await auditEntries(database, 10)).toEqual([entry]);
  });

  test('an idempotency key has its effect once, also in parallel, and refuses another request', async () => {
    const database = await open();
    const request = {
      agentId: A,
      keyId: 'key_1',
      idempotencyKey: 'order 1',
      requestHash: requestHash({ a: 1, b: 2 }),
      now: NOW,
    };
    let effects = 0;
    const ask = (changed: Partial<typeof request> = {}) =>
      database.transaction((tx) =>
        once(tx, { ...request, ...changed }, z.object({ n: z.number() }), async () => {
          effects += 1;
          await audit(tx, { actor: 'k', action: 'effect', subject: 's', details: {}, at: NOW });
          return { n: 7 };
        }),
      );
    const answers = await Promise.all([ask(), ask(), ask()]);
    expect(
      answers.map((answer) => answer.kind === 'done' && [answer.answer.n, answer.isRepeat]).sort(),
    ).toEqual([
      [7, false],
      [7, true],
      [7, true],
    ]);
    expect(effects).toBe(1);
    expect(await auditEntries(database, 10)).toHaveLength(1);
    expect(await ask({ requestHash: requestHash({ b: 2, a: 1 }) })).toMatchObject({ isRepeat: true });
    expect(await ask({ requestHash: requestHash({ a: 2, b: 2 }) })).toEqual({ kind: 'reused' });
    expect(await ask({ agentId: B })).toMatchObject({ isRepeat: false });
    expect(await ask({ now: NOW + IDEMPOTENCY_MS })).toMatchObject({ isRepeat: false });
    await database.transaction((tx) => forgetIdempotencyKeys(tx, NOW + 2 * IDEMPOTENCY_MS));
    expect(await database.query('SELECT * FROM idempotency_keys')).toEqual([]);
  });

  test('an event is published once, and a cursor skips none and repeats none', async () => {
    const database = await open();
    const event = (n: number, agentId = A) => ({
      id: `evt_${n}`,
      type: 'webhook.test' as const,
      agentId,
      conversation: null,
      data: { message: `${n}` },
      at: NOW,
    });
    const add = (n: number, agentId?: string) =>
      database.transaction((tx) => publish(tx, event(n, agentId), NOW));
    await add(1);
    await add(1);
    await Promise.all([2, 3, 4, 5, 6].map((n) => add(n, n === 4 ? B : A)));
    await eventsBehind(database, START, 6);
    const first = await eventsAfter(database, START, EVERYTHING, 2);
    const cursor = first[1]?.cursor ?? START;
    expect(decodeCursor(encodeCursor(cursor))).toEqual(cursor);
    const rest = await eventsAfter(database, cursor, EVERYTHING, 10);
    expect(new Set([...first, ...rest].map(({ body }) => body)).size).toBe(6);
    const ofB = await eventsAfter(database, START, { agents: [B], types: ['webhook.test'] }, 10);
    expect(ofB).toHaveLength(1);
    expect(await eventsAfter(database, START, { agents: [B], types: ['reaction'] }, 10)).toEqual([]);
    expect(await eventsAfter(database, await newestCursor(database), EVERYTHING, 10)).toEqual([]);
    await database.transaction((tx) => adoptRestoredEvents(tx));
    await database.transaction((tx) => forgetEvents(tx, NOW + 1));
    expect(await eventsAfter(database, START, EVERYTHING, 10)).toEqual([]);
    await add(7);
    expect(await eventsBehind(database, cursor, 1)).toHaveLength(1);
  });

  test('a message has its whole history, each step once and with its evidence', async () => {
    const database = await withAgents(await open());
    for (const at of [NOW, NOW + 5])
      await database.transaction(async (tx) => addMessage(tx, message('msg_1'), at));
    const tell = async () => {
      await database.transaction((tx) => tellAck(tx, A, ackOf('msg_1'), 'send_message_now', NOW + 5));
      await database.transaction((tx) => publishEvent(tx, A, delivered('msg_1'), NOW + 9));
    };
    await tell();
    await tell();
    const found = await findMessage(database, A, 'msg_1');
    expect(found).toMatchObject({ status: 'delivered', text: 'hello', message_guid: 'G1' });
    expect(found?.history.map(({ status, evidence }) => [status, evidence.kind])).toEqual([
      ['queued', 'request'],
      ['sent', 'ack'],
      ['delivered', 'event'],
    ]);
    expect((await eventsOf(database, 2)).map(({ type, data }) => [type, data.status])).toEqual([
      ['message.status', 'sent'],
      ['message.status', 'delivered'],
    ]);
  });

  test('a status that proved wrong is taken back, and says so', async () => {
    const database = await withAgents(await open());
    await database.transaction(async (tx) => addMessage(tx, message('msg_1'), NOW));
    await database.transaction((tx) => tellAck(tx, A, ackOf('msg_1'), 'send_message_now', NOW));
    const undelivered = {
      event_id: 'evt_9',
      event_type: 'message_failed',
      thread_id: '+13105551234',
      details: {
        command_id: 'msg_1',
        outcome: 'not_sent',
        code: 'not_delivered',
        error: 'error 22',
        retry_safe: false,
      },
      timestamp: '2026-11-20T09:00:00.000Z',
    };
    await database.transaction((tx) => publishEvent(tx, A, undelivered, NOW));
    const found = await findMessage(database, A, 'msg_1');
    expect(found).toMatchObject({ status: 'failed', error: { code: 'not_delivered' }, retry_safe: false });
    expect(found?.history.at(-1)).toMatchObject({ status: 'failed', corrects: 'sent' });
    expect((await eventsOf(database, 2)).at(-1)?.data).toMatchObject({ status: 'failed', corrects: 'sent' });
  });

  test('messages are listed page by page, those of one agent alone, and deleted with their histories', async () => {
    const database = await withAgents(await open());
    for (let n = 0; n < 5; n += 1) {
      await database.transaction(async (tx) => addMessage(tx, message(`msg_${n}`), NOW + (n >> 1)));
    }
    await database.transaction(async (tx) => addMessage(tx, message('msg_1', B), NOW));
    const all = { conversation: undefined, status: undefined };
    const first = await listMessages(database, A, all, undefined, 3);
    const second = await listMessages(database, A, all, first.at(-1)?.place, 3);
    const ids = [...first, ...second].map((listed) => listed.message.id);
    expect([...ids].sort()).toEqual(['msg_0', 'msg_1', 'msg_2', 'msg_3', 'msg_4']);
    expect(ids[0]).toBe('msg_4');
    expect(await listMessages(database, A, { ...all, status: 'sent' }, undefined, 3)).toEqual([]);
    expect(await listMessages(database, A, { ...all, conversation: '+1' }, undefined, 3)).toEqual([]);
    expect((await findMessages(database, 'msg_1')).map(({ agent }) => agent).sort()).toEqual([A, B]);
    await database.transaction((tx) => noteCancelRequest(tx, A, 'msg_1', NOW + 5));
    await database.transaction((tx) => noteCancelRequest(tx, A, 'msg_1', NOW + 9));
    const cancelled = await findMessage(database, A, 'msg_1');
    expect(cancelled?.cancel_requested_at).toBe(new Date(NOW + 5).toISOString());
    await database.transaction((tx) => forgetMessages(tx, NOW + 60));
    // What waits is not old, whatever its age.
    expect(await database.query('SELECT message_id FROM message_history')).toHaveLength(6);
    await database.transaction((tx) => tx.query("UPDATE messages SET status = 'sent'"));
    await database.transaction((tx) => forgetMessages(tx, NOW + 60));
    expect(await database.query('SELECT * FROM message_history')).toEqual([]);
  });

  test('one message that cannot be read hides none of the others, and shows what can be read of it', async () => {
    const database = await withAgents(await open());
    for (const id of ['m1', 'm2']) await database.transaction(async (tx) => addMessage(tx, message(id), NOW));
    await database.transaction((tx) => tellAck(tx, A, ackOf('m1'), 'send_message', NOW));
    for (const sql of [
      "UPDATE messages SET knowledge = '{' WHERE message_id = 'm1'",
      "UPDATE messages SET request = '[]' WHERE message_id = 'm1'",
      "UPDATE message_history SET evidence = '' WHERE message_id = 'm1' AND step = 0",
      "UPDATE conversation_messages SET content = 'no' WHERE entry_id = 'm1'",
    ])
      await database.transaction((tx) => tx.query(sql));
    const all = { conversation: undefined, status: undefined };
    const listed = await listMessages(database, A, all, undefined, 10);
    expect(listed.map((one) => one.message.id).toSorted()).toEqual(['m1', 'm2']);
    expect(await findMessage(database, A, 'm1')).toMatchObject({
      text: null,
      status: 'sent',
      status_at: '2026-11-20T08:00:02.000Z',
      history: [
        { status: 'queued', evidence: { kind: 'damage' } },
        { status: 'sent', evidence: { kind: 'ack' } },
      ],
    });
    const shown = await messagesOfConversation(database, A, '+13105551234', undefined, 10);
    expect(shown.map((one) => [one.message.id, one.message.text]).toSorted()).toEqual([
      ['m1', null],
      ['m2', 'hello'],
    ]);
  });

  test('a message whose status cannot be read hides no other one, and accepts what its agent reports', async () => {
    const database = await withAgents(await open());
    for (const id of ['m1', 'm2']) await database.transaction(async (tx) => addMessage(tx, message(id), NOW));
    for (const sql of [
      "UPDATE messages SET status = '' WHERE message_id = 'm1'",
      "UPDATE message_history SET status = '', corrects = '' WHERE message_id = 'm1'",
    ])
      await database.transaction((tx) => tx.query(sql));
    const all = { conversation: undefined, status: undefined };
    const listed = await listMessages(database, A, all, undefined, 10);
    expect(listed.map((one) => one.message.id).toSorted()).toEqual(['m1', 'm2']);
    const shown = await messagesOfConversation(database, A, '+13105551234', undefined, 10);
    expect(shown.map((one) => [one.message.id, one.message.status]).toSorted()).toEqual([
      ['m1', 'unknown'],
      ['m2', 'queued'],
    ]);
    await database.transaction((tx) => tellAck(tx, A, ackOf('m1'), 'send_message', NOW));
    expect(await findMessage(database, A, 'm1')).toMatchObject({
      status: 'sent',
      history: [{ status: 'unknown' }, { status: 'sent', evidence: { kind: 'ack' } }],
    });
  });

  test('what an agent corrects is reported as corrected, also where the history of the text cannot be read', async () => {
    const database = await withAgents(await open());
    await database.transaction(async (tx) => addMessage(tx, message('m1'), NOW));
    const failed = { ...ackOf('m1', 1, { outcome: 'not_sent' }), status: 'failed' as const };
    await database.transaction((tx) => tellAck(tx, A, failed, 'send_message', NOW));
    await database.transaction((tx) => tx.query("UPDATE messages SET knowledge = '{'"));
    await database.transaction((tx) => tellAck(tx, A, ackOf('m1', 2), 'send_message', NOW));
    const told = await eventsOf(database, 2);
    expect(told.map(({ data }) => [data.status, data.corrects])).toEqual([
      ['failed', undefined],
      ['sent', 'failed'],
    ]);
  });

  test('a text that was sent stays so where its history cannot be read and its agent is removed', async () => {
    const database = await open();
    const box = new SecretBox(randomBytes(32));
    await database.transaction((tx) => addAgent(tx, box, { id: A, name: null, isInvited: false }, NOW));
    await database.transaction(async (tx) => {
      await addCommand(tx, A, { commandId: 'm1', type: 'send_message', payload: {} }, NOW);
      addMessage(tx, message('m1'), NOW);
      await publishEvent(tx, A, { ...delivered('m1'), event_type: 'message_sent' }, NOW);
    });
    await database.transaction((tx) => tx.query("UPDATE messages SET knowledge = '{'"));
    await database.transaction((tx) => removeAgent(tx, A, NOW));
    await endOrdersOf(database, A, NOW);
    expect(await findMessage(database, A, 'm1')).toMatchObject({ status: 'sent' });
    expect(await database.query('SELECT agent_id FROM removed_agents')).toEqual([]);
  });

  test('a conversation shows what was received and sent, in one order', async () => {
    const database = await withAgents(await open());
    const body = {
      message_guid: 'G-in',
      thread_id: '+13105551234',
      sender: '+13105551234',
      filtered_text: 'hi there',
      attachments: [{ guid: 'at_1', filename: 'a.jpeg' }],
      original_timestamp: '2026-11-20T07:59:00.000Z',
    };
    await database.transaction((tx) => publishMessage(tx, A, 'G-in', body, NOW));
    await database.transaction((tx) => publishMessage(tx, A, 'G-in', body, NOW + 4));
    const reply = { guid: 'G-in', conversation: '+13105551234', texts: ['sure', 'here it is'] };
    await database.transaction(async (tx) => recordReply(tx, A, reply, NOW + 1));
    await database.transaction(async (tx) =>
      recordReply(tx, A, { ...reply, guid: 'G-2', texts: [] }, NOW + 1),
    );
    await database.transaction(async (tx) => addMessage(tx, message('msg_1'), NOW + 2));
    const shown = await messagesOfConversation(
      database,
      A,
      conversationName('any;-;+13105551234'),
      undefined,
      2,
    );
    expect(shown.map((entry) => [entry.message.id, entry.message.direction, entry.message.status])).toEqual([
      ['msg_1', 'outgoing', 'queued'],
      ['reply_G-in', 'outgoing', null],
    ]);
    const older = await messagesOfConversation(database, A, '+13105551234', shown.at(-1)?.place, 9);
    expect(older.map((entry) => entry.message)).toMatchObject([
      { id: 'G-in', text: 'hi there', sender: '+13105551234', attachments: [{ filename: 'a.jpeg' }] },
    ]);
    expect(await messagesOfConversation(database, B, '+13105551234', undefined, 9)).toEqual([]);
    const types = (await eventsOf(database, 1)).map(({ type }) => type);
    expect(types).toEqual(['message.received']);
    await database.transaction((tx) => forgetConversations(tx, NOW + 60));
    expect(await database.query('SELECT * FROM conversation_messages')).toEqual([]);
  });

  test('other reports of an agent have a type of their own, and unknown ones are not lost', async () => {
    const database = await open();
    const types = [
      'reaction_added',
      'group_renamed',
      'message_edited',
      'message_unsent',
      'upload_failed',
      'message_sent',
    ];
    for (const [n, event_type] of types.entries()) {
      const event = { event_id: `e${n}`, event_type, thread_id: '+13105551234', details: { n } };
      await database.transaction((tx) => publishEvent(tx, A, event, NOW));
    }
    await database.transaction((tx) =>
      publishEvent(tx, A, { event_id: 'x', event_type: 'state_restored', details: 7 }, NOW),
    );
    await database.transaction((tx) => tellAck(tx, A, ackOf('cmd_1', 2, {}), 'list_scheduled', NOW));
    expect((await eventsOf(database, 8)).map(({ type }) => type)).toEqual([
      'reaction',
      'group.changed',
      'message.edited',
      'message.unsent',
      'agent.event',
      'message.status',
      'agent.event',
      'command.status',
    ]);
  });
});

test.each([
  ['any;-;+13105551234', '+13105551234'],
  ['iMessage;-;Someone@Example.com', 'someone@example.com'],
  ['iMessage;+;chat123456', 'chat123456'],
  ['chat123456', 'chat123456'],
])('the conversation %s is %s', (given, name) => {
  expect(conversationName(given)).toBe(name);
});

test.each([
  '',
  'x',
  Buffer.from('1.2.3').toString('base64url'),
  Buffer.from(`1.${'9'.repeat(16)}`).toString('base64url'),
])('an invalid cursor is recognised: %s', (text) => {
  expect(decodeCursor(text)).toBeUndefined();
});

test('a sealed secret opens with its key for its owner alone', () => {
  const box = new SecretBox(randomBytes(32));
  const sealed = box.seal('whsec_x', 'wh_1');
  expect(box.open(sealed, 'wh_1')).toBe('whsec_x');
  expect(box.seal('whsec_x', 'wh_1')).not.toBe(sealed);
  expect(sealed).not.toContain('whsec');
  expect(() => box.open(sealed, 'wh_2')).toThrow('cannot be decrypted');
  expect(() => new SecretBox(randomBytes(32)).open(sealed, 'wh_1')).toThrow('cannot be decrypted');
  expect(() => box.open(`${sealed.slice(0, -4)}AAAA`, 'wh_1')).toThrow('cannot be decrypted');
  expect(() => box.open('', 'wh_1')).toThrow('cannot be decrypted');
  expect(() => new SecretBox(randomBytes(16))).toThrow('16 bytes');
});

test('under a new key what the one before sealed can still be opened, and is sealed again once', () => {
  const [old, fresh] = [randomBytes(32), randomBytes(32)];
  const sealed = new SecretBox(old).seal('whsec_x', 'wh_1');
  const box = new SecretBox(fresh, [old]);
  expect(box.open(sealed, 'wh_1')).toBe('whsec_x');
  const again = box.resealed(sealed, 'wh_1') ?? '';
  expect(new SecretBox(fresh).open(again, 'wh_1')).toBe('whsec_x');
  expect(box.resealed(again, 'wh_1')).toBeUndefined();
  expect(() => box.resealed(sealed, 'wh_2')).toThrow('cannot be decrypted');
  expect(() => new SecretBox(fresh, [randomBytes(16)])).toThrow('16 bytes');
});
