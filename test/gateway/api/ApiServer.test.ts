import { request } from 'node:http';
import { describe, expect, test } from 'vitest';
import { EdgeError } from '../../../src/errors.js';
import { BodyRoom } from '../../../src/gateway/agents/BodyRoom.js';
import { OPERATIONS, type Operation } from '../../../src/gateway/api/apiContract.js';
import { publishMessage } from '../../../src/gateway/ledger/agentReports.js';
import { addAgent } from '../../../src/gateway/ledger/agents.js';
import { findApiKey, revokeApiKey } from '../../../src/gateway/ledger/apiKeys.js';
import { auditEntries } from '../../../src/gateway/ledger/auditLog.js';
import type { GatewayDatabase } from '../../../src/gateway/storage/GatewayDatabase.js';
import type { ErrorCode } from '../../../src/model/errorCodes.js';
import { SCOPES } from '../../../src/model/gatewayApi.js';
import { until } from '../../support/until.js';
import { gatewayEngines } from '../gatewayEngines.js';
import { tellAck } from '../ledger/tellAck.js';
import { AGENT, ApiRoom, OTHER_AGENT, PERSON } from './ApiRoom.js';

const ENGINES = gatewayEngines('SQLite');

const NOW = Date.UTC(2026, 10, 20, 8);
const LATER = '2099-12-24T09:00:00-08:00';
const operations: [string, Operation][] = Object.entries(OPERATIONS);

/** A request for an operation that would be one of another agent. */
function requestOf({ path, method }: Operation): { path: string; body?: unknown } {
  const named = path
    .replace('/v1/agents/{id}', `/v1/agents/${OTHER_AGENT}`)
    .replace('{id}', 'unknown')
    .replace('{delivery}', 'unknown');
  if (method === 'GET') return { path: `${named}?agent=${OTHER_AGENT}` };
  if (path === '/v1/messages') return { path, body: { agent: OTHER_AGENT, to: PERSON, text: 'hi' } };
  if (path.endsWith('/commands')) return { path: named, body: { command_type: 'list_scheduled' } };
  if (path === '/v1/webhooks') return { path, body: { url: 'https://example.com', agents: [OTHER_AGENT] } };
  return { path: named, body: {} };
}

describe.each(ENGINES)('the API over $name', ({ open }) => {
  test('no operation answers without a key, with a wrong or revoked one, or with one that lacks its scope', async () => {
    const room = await ApiRoom.open(await open());
    const revoked = await room.key(['admin'], null);
    const { id = '' } = (await findApiKey(room.database, revoked)) ?? {};
    await room.database.transaction((tx) => revokeApiKey(tx, id, NOW));
    for (const [name, operation] of operations) {
      const { path, body } = requestOf(operation);
      const refused = (key: string) => room.refusal(operation.method, path, { key, body });
      expect(await refused(''), name).toMatchObject({ status: 401, code: 'key_missing' });
      expect(await refused('eg_live_wrong'), name).toMatchObject({ status: 401, code: 'key_invalid' });
      expect(await refused(revoked), name).toMatchObject({ status: 401, code: 'key_invalid' });
      const others = SCOPES.filter((scope) => scope !== operation.scope && scope !== 'admin');
      expect(await refused(await room.key(others)), name).toMatchObject({
        status: 403,
        code: 'scope_missing',
      });
    }
    expect(await room.commands(OTHER_AGENT)).toEqual([]);
  });

  test('no operation shows or does anything of an agent that the key may not use', async () => {
    const room = await ApiRoom.open(await open());
    const { body: message } = await room.send({ agent: OTHER_AGENT, send_at: LATER });
    const { body: webhook } = await room.ask('POST', '/v1/webhooks', {
      body: { url: 'https://example.com' },
    });
    const before = await room.commands(OTHER_AGENT);
    for (const [name, operation] of operations) {
      const key = await room.key([operation.scope]);
      const { path, body } = requestOf(operation);
      const id = path.includes('webhooks') ? String(webhook.id) : String(message.id);
      const asked = { key, body };
      if (name === 'listWebhooks' || name === 'listAgents') {
        const { body: listed } = await room.ask(operation.method, path, asked);
        const agents = JSON.stringify(listed);
        expect(agents.includes(OTHER_AGENT) || agents.includes(String(webhook.id)), name).toBe(false);
      } else {
        const { status } = await room.refusal(operation.method, path.replace('unknown', id), asked);
        expect([403, 404], name).toContain(status);
      }
    }
    expect(await room.commands(OTHER_AGENT)).toEqual(before);
  });

  test('a message is stored with its command, and its whole history is shown', async () => {
    const room = await ApiRoom.open(await open());
    const { status, body } = await room.send({ in_reply_to: 'G1', bubble_type: 'reflex', priority: 'high' });
    expect(status).toBe(202);
    const message = OPERATIONS.sendMessage.reply.parse(body);
    expect(message).toMatchObject({ agent: AGENT, conversation: PERSON, status: 'queued', text: 'hello' });
    expect(await room.commands()).toMatchObject([
      {
        command_id: message.id,
        command_type: 'send_message_now',
        payload: { thread_id: PERSON, text: 'hello', bubble_type: 'reflex', in_reply_to: 'G1' },
        priority: 'high',
      },
    ]);
    const ack = {
      command_id: message.id,
      status: 'completed',
      revision: 1,
      result: { outcome: 'sent', message_guid: 'G2' },
    } as const;
    await room.database.transaction((tx) => tellAck(tx, AGENT, ack, 'send_message_now', NOW));
    const { body: found } = await room.ask('GET', `/v1/messages/${message.id}`);
    expect(OPERATIONS.getMessage.reply.parse(found)).toMatchObject({ status: 'sent', message_guid: 'G2' });
    const { body: listed } = await room.ask(
      'GET',
      `/v1/messages?agent=${AGENT}&status=sent&conversation=${encodeURIComponent(PERSON)}`,
    );
    expect(OPERATIONS.listMessages.reply.parse(listed).data).toEqual([found]);
  });

  test('files are sent to the agent, and only their names are kept with the message', async () => {
    const room = await ApiRoom.open(await open());
    const attachments = [
      { url: 'https://example.com/a.pdf' },
      { data_base64: 'aGVsbG8K', filename: 'n.txt' },
    ];
    const { body } = await room.send({ text: undefined, attachments });
    expect(body.attachments).toEqual([
      { filename: null, url: 'https://example.com/a.pdf' },
      { filename: 'n.txt', url: null },
    ]);
    expect((await room.commands())[0]?.payload).toEqual({ thread_id: PERSON, attachments });
    expect(JSON.stringify(await room.database.query('SELECT * FROM messages'))).not.toContain('aGVsbG8K');
  });

  test('a scheduled message is cancelled by a command, once, and one that has ended is not', async () => {
    const room = await ApiRoom.open(await open());
    const { body } = await room.send({ send_at: LATER });
    const path = `/v1/messages/${body.id}`;
    const { status, body: cancelled } = await room.ask('DELETE', path);
    expect([status, cancelled.status, typeof cancelled.cancel_requested_at]).toEqual([
      202,
      'queued',
      'string',
    ]);
    expect((await room.ask('DELETE', path)).status).toBe(202);
    expect(
      (await room.commands()).map(({ command_type, payload }) => [command_type, payload.schedule_id]),
    ).toEqual([
      ['schedule_message', undefined],
      ['cancel_scheduled', body.id],
    ]);
    const ack = {
      command_id: String(body.id),
      status: 'failed',
      error: 'cancelled by cmd_1',
      revision: 1,
    } as const;
    await room.database.transaction((tx) => tellAck(tx, AGENT, ack, 'schedule_message', NOW));
    expect((await room.ask('GET', path)).body.status).toBe('cancelled');
    expect(await room.refusal('DELETE', path)).toMatchObject({ status: 409, code: 'not_cancellable' });
    const { body: now } = await room.send();
    expect(await room.refusal('DELETE', `/v1/messages/${now.id}`)).toMatchObject({ code: 'not_scheduled' });
    expect((await auditEntries(room.database, 9)).map(({ action }) => action)).toEqual(['message.cancel']);
  });

  test('the same Idempotency-Key sends once: in a row, in parallel, on two replicas, and with another body not at all', async () => {
    const room = await ApiRoom.open(await open());
    await room.serve();
    const headers = { 'Idempotency-Key': 'order 1' };
    const answers = await Promise.all([0, 1, 0, 1, 1].map((at) => room.send({}, { headers, at })));
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202, 202]);
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    expect(answers.filter(({ headers: got }) => got.get('idempotency-replayed') === 'true')).toHaveLength(4);
    const other = { headers, body: { agent: AGENT, to: PERSON, text: 'another' } };
    expect(await room.refusal('POST', '/v1/messages', other)).toMatchObject({
      status: 409,
      code: 'idempotency_key_reused',
    });
    expect(await room.commands()).toHaveLength(1);
    const ofOther = await room.key(['messages:write']);
    await room.send({}, { headers, key: ofOther });
    expect(await room.commands(), 'keys are those of one API key').toHaveLength(2);
    const tooLong = { headers: { 'Idempotency-Key': 'x'.repeat(256) } };
    expect((await room.send({}, tooLong)).body).toMatchObject({ error: { code: 'idempotency_key_invalid' } });
  });

  test('a gateway that crashes between the effect and the answer has done it once when it is asked again', async () => {
    const room = await ApiRoom.open(await open());
    // The first transaction notes that the key was used.
    let deaths = 2;
    const dying = await room.serve({
      database: dieAfterCommit(room.database, () => {
        deaths -= 1;
        return deaths === 0;
      }),
    });
    const at = room.urls.indexOf(dying);
    const headers = { 'Idempotency-Key': 'order 1' };
    const { status, body } = await room.send({}, { headers, at });
    expect([status, body.error]).toMatchObject([503, { code: 'commit_unknown' }]);
    const again = await room.send({}, { headers });
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect((await room.commands()).map(({ command_id }) => command_id)).toEqual([again.body.id]);
  });

  test.each<Record<string, string>>([{}, { 'Idempotency-Key': 'k' }])(
    'a message for an agent that does not exist stores nothing (%j)',
    async (headers) => {
      const room = await ApiRoom.open(await open());
      const wanted = { agent: 'edge_1', to: PERSON, text: 'hello' };
      const refused = { status: 404, code: 'agent_unknown', field: 'agent' };
      expect(await room.refusal('POST', '/v1/messages', { body: wanted, headers })).toMatchObject(refused);
      for (const table of [
        'commands',
        'messages',
        'message_history',
        'conversation_messages',
        'idempotency_keys',
      ])
        expect(await room.database.query(`SELECT agent_id FROM ${table}`), table).toEqual([]);
      const agent = { id: 'edge_1', name: null, isInvited: false };
      await room.database.transaction((tx) => addAgent(tx, room.box, agent, Date.now()));
      const { status, headers: answered } = await room.send({ agent: 'edge_1' }, { headers });
      expect([status, answered.get('idempotency-replayed')]).toEqual([202, null]);
      expect(await room.commands('edge_1')).toHaveLength(1);
    },
  );

  test('commands of any type are stored, and their results are events', async () => {
    const room = await ApiRoom.open(await open());
    const path = `/v1/agents/${AGENT}/commands`;
    const headers = { 'Idempotency-Key': 'c1' };
    const ask = { body: { command_type: 'list_scheduled', payload: { status: 'pending' } }, headers };
    const { status, body } = await room.ask('POST', path, ask);
    expect([status, (await room.ask('POST', path, ask)).body]).toEqual([
      202,
      OPERATIONS.addCommand.reply.parse(body),
    ]);
    expect(await room.commands()).toMatchObject([{ command_id: body.id, command_type: 'list_scheduled' }]);
    expect(await room.refusal('POST', '/v1/agents/edge_1/commands', ask)).toMatchObject({
      status: 404,
      code: 'agent_unknown',
    });
  });

  test('agents are shown as they are, page by page', async () => {
    const room = await ApiRoom.open(await open());
    await room.send();
    const { body } = await room.ask('GET', `/v1/agents/${AGENT}`);
    expect(OPERATIONS.getAgent.reply.parse(body)).toMatchObject({
      id: AGENT,
      online: false,
      commands_pending: 1,
      state: null,
    });
    const first = OPERATIONS.listAgents.reply.parse((await room.ask('GET', '/v1/agents?limit=1')).body);
    const second = OPERATIONS.listAgents.reply.parse(
      (await room.ask('GET', `/v1/agents?limit=1&cursor=${first.next_cursor}`)).body,
    );
    expect([...first.data, ...second.data].map(({ id }) => id).sort()).toEqual([AGENT, OTHER_AGENT]);
    expect(second.next_cursor).toBeNull();
    const last = new Map([...first.data, ...second.data].map((one) => [one.id, one.last_message_at]));
    expect(last).toEqual(
      new Map([
        [AGENT, expect.stringMatching(/Z$/)],
        [OTHER_AGENT, null],
      ]),
    );
    const limited = await room.ask('GET', '/v1/agents', { key: await room.key(['agents:read']) });
    expect(OPERATIONS.listAgents.reply.parse(limited.body).data.map(({ id }) => id)).toEqual([AGENT]);
  });

  test('a conversation is read page by page, from both sides', async () => {
    const room = await ApiRoom.open(await open());
    const body = { message_guid: 'G1', thread_id: PERSON, sender: PERSON, filtered_text: 'hi' };
    await room.database.transaction((tx) => publishMessage(tx, AGENT, 'G1', body, NOW));
    await room.send();
    const path = `/v1/conversations/${encodeURIComponent(`any;-;${PERSON}`)}/messages?agent=${AGENT}&limit=1`;
    const first = OPERATIONS.listConversation.reply.parse((await room.ask('GET', path)).body);
    expect(first.data).toMatchObject([{ direction: 'outgoing', status: 'queued' }]);
    const next = await room.ask('GET', `${path}&cursor=${first.next_cursor}`);
    expect(OPERATIONS.listConversation.reply.parse(next.body)).toMatchObject({
      data: [{ id: 'G1', direction: 'incoming', text: 'hi', sender: PERSON }],
      next_cursor: null,
    });
  });

  test('webhooks are made, shown without their secret, changed, rotated, tested and removed', async () => {
    const room = await ApiRoom.open(await open());
    const key = await room.key(['webhooks']);
    const made = await room.ask('POST', '/v1/webhooks', { key, body: { url: 'https://example.com/hook' } });
    expect(made.status).toBe(201);
    const webhook = OPERATIONS.createWebhook.reply.parse(made.body);
    expect(webhook).toMatchObject({ events: ['*'], agents: [AGENT], enabled: true });
    expect(webhook.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const path = `/v1/webhooks/${webhook.id}`;
    const { body: shown } = await room.ask('GET', path, { key });
    expect(OPERATIONS.getWebhook.reply.parse(shown)).not.toHaveProperty('secret');
    expect((await room.ask('GET', '/v1/webhooks', { key })).body.data).toEqual([shown]);
    // An admin's key for some agents would learn of all others by the webhooks of other keys.
    for (const stranger of [await room.key(['webhooks']), await room.key(['admin'], [OTHER_AGENT])]) {
      const redirected = { key: stranger, body: { url: 'https://elsewhere.example.com' } };
      expect(await room.refusal('GET', path, { key: stranger })).toMatchObject({ code: 'webhook_unknown' });
      expect(await room.refusal('PATCH', path, redirected)).toMatchObject({ code: 'webhook_unknown' });
      expect((await room.ask('GET', '/v1/webhooks', { key: stranger })).body.data).toEqual([]);
    }
    const changed = { events: ['reaction'], enabled: false, description: 'x', url: 'https://example.org' };
    const { body: after } = await room.ask('PATCH', path, { key, body: changed });
    expect(OPERATIONS.changeWebhook.reply.parse(after)).toMatchObject({
      ...changed,
      disabled_reason: 'request',
    });
    expect((await room.ask('PATCH', path, { key, body: { enabled: true } })).body.enabled).toBe(true);
    const rotated = await room.ask('POST', `${path}/rotate-secret`, { key, body: { overlap_seconds: 60 } });
    expect(OPERATIONS.rotateWebhookSecret.reply.parse(rotated.body).secret).not.toBe(webhook.secret);
    expect(rotated.body.previous_secret_valid_until).not.toBeNull();
    const tested = await room.ask('POST', `${path}/test`, { key });
    expect([tested.status, OPERATIONS.testWebhook.reply.parse(tested.body).event_type]).toEqual([
      202,
      'webhook.test',
    ]);
    const { body: deliveries } = await room.ask('GET', `${path}/deliveries?state=waiting`, { key });
    expect(OPERATIONS.listDeliveries.reply.parse(deliveries).data).toEqual([tested.body]);
    const replayed = await room.ask('POST', `${path}/deliveries/${tested.body.id}/replay`, { key });
    expect([replayed.status, OPERATIONS.replayDelivery.reply.parse(replayed.body).state]).toEqual([
      202,
      'waiting',
    ]);
    const removed = await room.ask('DELETE', path, { key });
    expect(OPERATIONS.deleteWebhook.reply.parse(removed.body)).toEqual({ id: webhook.id, deleted: true });
    expect(await room.refusal('GET', path, { key })).toMatchObject({ status: 404 });
    const actions = (await auditEntries(room.database, 20)).map(({ action }) => action).sort();
    expect(actions).toEqual([
      'webhook.changed',
      'webhook.changed',
      'webhook.created',
      'webhook.deleted',
      'webhook.replayed',
      'webhook.secret_rotated',
    ]);
  });

  test('has no memory for more than a number of large bodies at once, and says when to retry', async () => {
    const room = await ApiRoom.open(await open(), { bodies: new BodyRoom(1_500_000) });
    const text = 'x'.repeat(90_000);
    const large = {
      ...{ agent: AGENT, to: PERSON, text },
      attachments: [{ data_base64: 'A'.repeat(900_000) }],
    };
    const headers = { Authorization: `Bearer ${room.admin}`, 'Content-Length': 1_000_000 };
    const slow = request(`${room.urls[0]}/v1/messages`, { method: 'POST', headers });
    slow.on('error', () => slow.destroy());
    slow.write('{');
    await until(
      async () => (await room.ask('POST', '/v1/messages', { body: large })).status === 503,
      () => 'the refusal',
    );
    expect(await room.refusal('POST', '/v1/messages', { body: large })).toMatchObject({ code: 'busy' });
    expect((await room.send()).status).toBe(202);
    slow.destroy();
    await until(
      async () => (await room.ask('POST', '/v1/messages', { body: large })).status === 202,
      () => 'room for a large body',
    );
  });

  test('the webhooks of a key that is revoked get nothing more', async () => {
    const room = await ApiRoom.open(await open());
    const key = await room.key(['webhooks']);
    const { body } = await room.ask('POST', '/v1/webhooks', {
      key,
      body: { url: 'https://example.com/hook' },
    });
    const { id = '' } = (await findApiKey(room.database, key)) ?? {};
    await room.database.transaction((tx) => revokeApiKey(tx, id, NOW));
    expect((await room.ask('GET', `/v1/webhooks/${body.id}`)).body).toMatchObject({
      enabled: false,
      disabled_reason: 'key_revoked',
    });
  });

  test('a key that is revoked during its request creates and enables no webhook', async () => {
    let revoked = '';
    const database = beforeEachWrite(await open(), async (real) => {
      if (revoked !== '') await real.transaction((tx) => revokeApiKey(tx, revoked, NOW));
    });
    const room = await ApiRoom.open(database);
    const wanted = { body: { url: 'https://example.com/hook' } };
    const requests = [
      () => ['POST', '/v1/webhooks', wanted.body] as const,
      (id: unknown) => ['PATCH', `/v1/webhooks/${id}`, { enabled: true }] as const,
    ];
    for (const request of requests) {
      const key = await room.key(['webhooks']);
      const { id } = (await room.ask('POST', '/v1/webhooks', { key, ...wanted })).body;
      const [method, path, body] = request(id);
      revoked = (await findApiKey(database, key))?.id ?? '';
      expect(await room.refusal(method, path, { key, body })).toMatchObject({ code: 'key_invalid' });
      revoked = '';
    }
    const webhooks = await room.ask('GET', '/v1/webhooks');
    expect(webhooks.body.data).toMatchObject([
      { disabled_reason: 'key_revoked' },
      { disabled_reason: 'key_revoked' },
    ]);
  });
});

/** The same database, on which something is done before each transaction of others. */
function beforeEachWrite(
  real: GatewayDatabase,
  first: (real: GatewayDatabase) => Promise<void>,
): GatewayDatabase {
  return {
    ...dieAfterCommit(real, () => false),
    transaction: async (work, urgency) => {
      await first(real);
      return real.transaction(work, urgency);
    },
  };
}

/** A database whose connection is lost in the middle of a commit: the write is there, and its outcome unknown. */
function dieAfterCommit(database: GatewayDatabase, isTime: () => boolean): GatewayDatabase {
  return {
    dialect: database.dialect,
    nowMs: database.nowMs,
    soon: database.soon,
    waitingMs: 0,
    query: (sql, values) => database.query(sql, values),
    notify: (channel, payload) => database.notify(channel, payload),
    listen: (channel, heard, missed) => database.listen(channel, heard, missed),
    close: () => database.close(),
    transaction: async (work) => {
      const done = await database.transaction(work);
      if (isTime()) throw new EdgeError('commit_unknown', 'lost');
      return done;
    },
  };
}

const openAny = ENGINES[0]?.open ?? (() => Promise.reject(new Error('no engine')));

describe('the API', () => {
  const refusals: [string, Record<string, unknown> | string, string, string | undefined][] = [
    ['neither person nor conversation', { to: undefined }, 'invalid_request', 'to'],
    ['both', { chat: 'chat1' }, 'invalid_request', 'to'],
    ['a number that is not E.164', { to: '(310) 555-1234' }, 'invalid_request', 'to'],
    ['no text', { text: undefined }, 'invalid_request', 'text'],
    ['an empty text', { text: '' }, 'invalid_request', 'text'],
    ['too long a text', { text: 'x'.repeat(100_001) }, 'invalid_request', 'text'],
    ['a time without a zone', { send_at: '2099-12-24T09:00:00' }, 'invalid_request', 'send_at'],
    ['a scheduled reflex', { send_at: LATER, bubble_type: 'reflex' }, 'invalid_request', 'bubble_type'],
    ['an unknown field', { txt: 'x' }, 'invalid_request', 'txt'],
    [
      'a file by http',
      { attachments: [{ url: 'http://example.com/a' }] },
      'invalid_request',
      'attachments.0.url',
    ],
    ['an unknown agent', { agent: 'edge_1' }, 'agent_unknown', 'agent'],
    ['no agent where there are several', { agent: undefined }, 'agent_required', 'agent'],
  ];
  test.each(refusals)(
    'refuses a message with %s, and names the field',
    async (_what, changed, code, field) => {
      const room = await ApiRoom.open(await openAny());
      const body = {
        agent: AGENT,
        to: PERSON,
        text: 'hello',
        ...(typeof changed === 'string' ? {} : changed),
      };
      expect(await room.refusal('POST', '/v1/messages', { body })).toMatchObject({ code, field });
      expect(await room.commands()).toEqual([]);
    },
  );

  test('takes the only agent of a key without its name', async () => {
    const room = await ApiRoom.open(await openAny());
    const key = await room.key(['messages:write']);
    expect((await room.send({ agent: undefined }, { key })).body.agent).toBe(AGENT);
  });

  test('reports a wrong path, a wrong method, no JSON, a form, too much, and invalid cursors', async () => {
    const room = await ApiRoom.open(await openAny());
    expect(await room.refusal('GET', '/v1/nothing')).toMatchObject({ status: 404, code: 'path_unknown' });
    expect(await room.refusal('PATCH', '/v1/messages')).toMatchObject({
      status: 405,
      code: 'method_not_allowed',
    });
    expect((await room.ask('PATCH', '/v1/messages')).headers.get('allow')).toBe('POST, GET');
    expect(await room.refusal('POST', '/v1/messages', { body: '{' })).toMatchObject({
      status: 400,
      code: 'not_json',
    });
    const headers = { 'Content-Type': 'multipart/form-data; boundary=x' };
    const form = '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n';
    expect(await room.refusal('POST', '/v1/messages', { body: form, headers })).toMatchObject({
      status: 415,
    });
    const huge = { body: `"${'x'.repeat(13 * 1024 * 1024)}"` };
    expect(await room.refusal('POST', '/v1/messages', huge)).toMatchObject({
      status: 413,
      code: 'body_too_large',
    });
    const notWhole = Buffer.from('{"at":1.5,"id":"x"}').toString('base64url');
    const cursors = ['x', 'bnVsbA', notWhole];
    for (const path of cursors.flatMap((cursor) => [
      `/v1/agents?cursor=${cursor}`,
      `/v1/messages?agent=${AGENT}&cursor=${cursor}`,
    ])) {
      expect(await room.refusal('GET', path)).toMatchObject({ code: 'cursor_invalid' });
    }
    expect(await room.refusal('GET', '/v1/agents?limit=1000')).toMatchObject({
      code: 'invalid_request',
      field: 'limit',
    });
    expect(await room.refusal('GET', '/v1/messages/%E0%A4%A')).toMatchObject({ status: 404 });
  });

  test('refuses webhooks in private networks and without TLS, unless they are allowed', async () => {
    const room = await ApiRoom.open(await openAny(), { allowPrivateAddresses: false });
    for (const url of [
      'http://example.com/',
      'https://10.0.0.1/',
      'https://[::1]/',
      'https://a:b@example.com/',
    ]) {
      expect(await room.refusal('POST', '/v1/webhooks', { body: { url } })).toMatchObject({
        code: 'url_not_allowed',
      });
    }
    for (const url of ['ftp://example.com/', 'x']) {
      expect(await room.refusal('POST', '/v1/webhooks', { body: { url } })).toMatchObject({ field: 'url' });
    }
  });

  test('limits each key on its own, and strangers by their address', async () => {
    const room = await ApiRoom.open(await openAny(), { rate: { perSecond: 0.001, burst: 3 } });
    const key = await room.key(['agents:read']);
    for (let n = 0; n < 3; n += 1) expect((await room.ask('GET', '/v1/agents', { key })).status).toBe(200);
    const limited = await room.ask('GET', '/v1/agents', { key });
    expect([limited.status, Number(limited.headers.get('retry-after')) > 0]).toEqual([429, true]);
    expect((await room.ask('GET', '/v1/agents')).status).toBe(200);
    expect((await room.refusal('GET', '/v1/agents', { key: 'x' })).status).toBe(401);
    expect((await room.refusal('GET', '/v1/agents', { key: 'x' })).status).toBe(429);
  });

  test.each<[ErrorCode, number]>([
    ['storage_unavailable', 503],
    ['storage_read_only', 503],
    ['commit_unknown', 503],
    ['internal', 500],
  ])('explains %s of the database, and nothing internal', async (code, status) => {
    const database = await openAny();
    const room = await ApiRoom.open(database);
    const at = room.urls.length;
    await room.serve({
      database: {
        ...dieAfterCommit(database, () => false),
        transaction: () => Promise.reject(new EdgeError(code, 'at 10.0.0.7')),
      },
    });
    const { status: given, body, headers } = await room.send({}, { at });
    expect([given, body.error]).toMatchObject([status, { code }]);
    expect(headers.get('retry-after') !== null).toBe(status === 503);
    expect(JSON.stringify(body)).not.toContain('10.0.0.7');
  });
});
