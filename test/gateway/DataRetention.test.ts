import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { DataRetention } from '../../src/gateway/DataRetention.js';
import { takeEvent } from '../../src/gateway/ledger/agentEvents.js';
import { publishMessage, takeAck } from '../../src/gateway/ledger/agentReports.js';
import { addAgent, removeAgent } from '../../src/gateway/ledger/agents.js';
import { audit } from '../../src/gateway/ledger/auditLog.js';
import { addCommand } from '../../src/gateway/ledger/commands.js';
import { renewReplica } from '../../src/gateway/ledger/connections.js';
import { eventId } from '../../src/gateway/ledger/eventLog.js';
import { FORGOTTEN_AT_ONCE } from '../../src/gateway/ledger/forgetRows.js';
import { once } from '../../src/gateway/ledger/idempotency.js';
import { giveAnswer, takeMessage } from '../../src/gateway/ledger/inbox.js';
import { addMessage } from '../../src/gateway/ledger/messages.js';
import { SecretBox } from '../../src/gateway/ledger/SecretBox.js';
import { addUpload } from '../../src/gateway/ledger/uploads.js';
import {
  findDelivery,
  headOfLane,
  recordAttempt,
  replayDelivery,
} from '../../src/gateway/ledger/webhookDeliveries.js';
import { createWebhook } from '../../src/gateway/ledger/webhookEndpoints.js';
import { leaseLanes, releaseLane } from '../../src/gateway/ledger/webhookLanes.js';
import type { GatewayDatabase, Transaction } from '../../src/gateway/storage/GatewayDatabase.js';
import { UploadFiles } from '../../src/gateway/uploads/UploadFiles.js';
import { FakeClock } from '../support/FakeClock.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { temporaryDirectory } from '../support/temporaryDirectory.js';
import { until } from '../support/until.js';
import { gatewayEngines } from './gatewayEngines.js';

const AGENT = 'edge_13105550100';
const PERSON = '+13105551234';
const DAY = 86_400_000;
const NOW = Date.UTC(2026, 10, 20);
const box = new SecretBox(Buffer.alloc(32, 1));
const TABLES = [
  'agent_events',
  'audit_log',
  'commands',
  'conversation_messages',
  'event_log',
  'idempotency_keys',
  'inbox',
  'message_history',
  'messages',
  'uploads',
  'webhook_deliveries',
];

/** What the gateway forgets by, with its clock at NOW. */
async function open(database: GatewayDatabase) {
  const clock = new FakeClock(NOW);
  const directory = temporaryDirectory({ onTestFinished });
  const uploads = new UploadFiles(directory, clock);
  const log = new RecordingLog();
  const retention = new DataRetention({ database, clock, log, uploads, keepDays: 90 });
  onTestFinished(() => retention.stop());
  await database.transaction((tx) => addAgent(tx, box, { id: AGENT, name: null, isInvited: false }, NOW));
  return { retention, clock, directory, log };
}

const request = { text: 'hello', attachments: [], sendAt: null, inReplyTo: null };
const sent = {
  revision: 1,
  status: 'completed',
  error: null,
  result: { outcome: 'sent' },
} as const;

/** A text that an application sends; `isOver`: its agent has sent it. */
async function text(tx: Transaction, id: string, at: number, isOver: boolean): Promise<void> {
  addMessage(tx, { agentId: AGENT, id, keyId: null, conversation: PERSON, request }, at);
  await addCommand(tx, AGENT, { commandId: id, type: 'send_message_now', payload: {} }, at);
  await takeAck(tx, AGENT, { ...sent, command_id: id, ...(isOver ? {} : { result: {} }) }, at);
}

/** One of everything that is over, at this time. */
async function everything(database: GatewayDatabase, name: string, at: number): Promise<void> {
  const body = { message_guid: name, thread_id: PERSON, sender: PERSON, filtered_text: 'hi' };
  const repeatable = { agentId: AGENT, keyId: 'key_1', idempotencyKey: name, requestHash: 'x', now: at };
  const upload = {
    agentId: AGENT,
    guid: name,
    messageGuid: null,
    name: 'a',
    type: 'b',
    bytes: 1,
    file: name,
    at,
  };
  await database.transaction(async (tx) => {
    await tx.lock(AGENT);
    await text(tx, `msg_${name}`, at, true);
    await takeEvent(tx, AGENT, name, at);
    await takeMessage(tx, AGENT, name, { conversation: PERSON, body, patienceMs: 0 }, at);
    await giveAnswer(tx, AGENT, name, { should_respond: false }, at);
    await publishMessage(tx, AGENT, name, body, at);
    await once(tx, repeatable, z.null(), async () => null);
    await addUpload(tx, upload);
    await audit(tx, { actor: 'a', action: 'b', subject: name, details: {}, at });
  });
}

async function counts(database: GatewayDatabase): Promise<Record<string, unknown>> {
  const all: Record<string, unknown> = {};
  for (const table of TABLES)
    all[table] = (await database.query(`SELECT count(*) AS count FROM ${table}`))[0]?.count;
  return all;
}

/** Takes the oldest event of the only lane, as a dispatcher does. */
async function attempt(
  database: GatewayDatabase,
  webhookId: string,
  state: 'delivered' | 'set_aside',
  now: number,
) {
  const lease = { owner: 'r1', leaseMs: 60_000, limit: 1 };
  const [lane] = await database.transaction(async (tx) => {
    await renewReplica(tx, lease.owner, lease.leaseMs, now);
    return leaseLanes(tx, webhookId, lease, now);
  });
  if (lane === undefined) throw new Error('nothing is due');
  const head = await headOfLane(database, lane);
  await database.transaction(async (tx) => {
    await tx.lock(AGENT);
    const record = { state, nextAt: null, status: 204, error: null, answer: null };
    if (head !== undefined) recordAttempt(tx, head.delivery, record, now);
    await releaseLane(tx, lane);
  });
  return head;
}

describe.each(gatewayEngines())('what has ended on $name', (engine) => {
  test('is deleted after its time, and what is younger is kept', async () => {
    const database = await engine.open();
    const { retention, directory } = await open(database);
    for (const name of ['old', 'young']) writeFileSync(join(directory, name), name);
    await everything(database, 'old', NOW - 401 * DAY);
    await everything(database, 'young', NOW - 1_000);
    const one = Object.fromEntries(TABLES.map((table) => [table, 1]));
    const both = await counts(database);
    expect(both).toMatchObject({ commands: 2, message_history: 4, event_log: 4, audit_log: 2 });
    await retention.forget();
    expect(await counts(database)).toEqual({
      ...one,
      ...{ conversation_messages: 2, event_log: 2, message_history: 2, webhook_deliveries: 0 },
    });
    expect(['old', 'young'].map((name) => existsSync(join(directory, name)))).toEqual([false, true]);
    await retention.forget();
    expect(await counts(database)).toMatchObject({
      ...one,
      event_log: 2,
      conversation_messages: 2,
      message_history: 2,
      webhook_deliveries: 0,
    });
  });

  test('is deleted to the last row, however much it is, a few hundred in a transaction', async () => {
    const database = await engine.open();
    const { retention } = await open(database);
    const many = 2 * FORGOTTEN_AT_ONCE + 1;
    await database.transaction((tx) =>
      tx.query(
        `WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${many})
         INSERT INTO agent_events (agent_id, event_id, stored_at) SELECT $1, 'e' || n, $2 FROM numbers`,
        [AGENT, NOW - 91 * DAY],
      ),
    );
    await retention.forget();
    expect(await counts(database)).toMatchObject({ agent_events: 0 });
  });

  test('does not include what still waits: a text that is scheduled far ahead, its command, and its end', async () => {
    const database = await engine.open();
    const { retention } = await open(database);
    const old = NOW - 100 * DAY;
    await database.transaction((tx) => text(tx, 'msg_later', old, false));
    await retention.forget();
    expect(await counts(database)).toMatchObject({ messages: 1, commands: 1, message_history: 2 });
    const end = { ...sent, command_id: 'msg_later', revision: 2 };
    await database.transaction((tx) => takeAck(tx, AGENT, end, NOW));
    expect(await database.query('SELECT status FROM messages')).toEqual([{ status: 'sent' }]);
  });

  test('is kept as long as a delivery of it: a replay is posted, and delays nothing', async () => {
    const database = await engine.open();
    const { retention } = await open(database);
    const wanted = {
      keyId: 'key_1',
      url: 'https://x.example',
      events: ['*'],
      agents: null,
      description: null,
    };
    const { endpoint } = await database.transaction((tx) => createWebhook(tx, box, wanted, NOW));
    const old = NOW - 100 * DAY;
    const body = { message_guid: 'g1', thread_id: PERSON, sender: PERSON, filtered_text: 'hi' };
    await database.transaction((tx) => publishMessage(tx, AGENT, 'g1', body, old));
    await attempt(database, endpoint.id, 'delivered', NOW - DAY);
    await retention.forget();
    const id = eventId('message.received', AGENT, 'g1');
    const delivery = await findDelivery(database, endpoint.id, id);
    if (delivery === undefined) throw new Error('the delivery is gone');
    await database.transaction((tx) => replayDelivery(tx, delivery, NOW));
    expect((await attempt(database, endpoint.id, 'set_aside', NOW))?.body).toContain('"g1"');
    // What was set aside is over too.
    await database.transaction((tx) => tx.query('UPDATE webhook_deliveries SET last_at = $1', [old]));
    await retention.forget();
    expect(await counts(database)).toMatchObject({ webhook_deliveries: 0, event_log: 0 });
  });

  test('is looked for after a minute and then each hour, also after a failure', async () => {
    const database = await engine.open();
    const { retention, clock, log, directory } = await open(database);
    await everything(database, 'old', NOW - 401 * DAY);
    // No file that could be removed.
    mkdirSync(join(directory, 'old'));
    retention.start();
    expect(await counts(database)).toMatchObject({ inbox: 1 });
    clock.advance(60_000);
    await until(
      () => log.lines.some((line) => line.includes('could not be removed')),
      () => 'the failure',
    );
    expect(await counts(database)).toMatchObject({ inbox: 0, uploads: 1 });
    rmdirSync(join(directory, 'old'));
    const isOver = async () => {
      clock.advance(3_600_000);
      return (await counts(database)).uploads === 0;
    };
    await until(isOver, () => 'the next look');
    await retention.stop();
  });

  test('is deleted although one file cannot be, which is tried again', async () => {
    const database = await engine.open();
    const { retention, directory, log } = await open(database);
    // More than are read at once, and so many in a row that it is given up for now.
    const names = Array.from({ length: 130 }, (_, n) => `file_${String(n).padStart(3, '0')}`);
    for (const [n, name] of names.entries()) {
      const upload = {
        agentId: AGENT,
        guid: name,
        messageGuid: null,
        name,
        type: 'a/b',
        bytes: 1,
        file: name,
      };
      await database.transaction((tx) => addUpload(tx, { ...upload, at: NOW - 100 * DAY + n }));
    }
    const stuck = names.slice(0, 30);
    for (const name of stuck) mkdirSync(join(directory, name));
    await retention.forget();
    expect(await counts(database)).toMatchObject({ uploads: 130 });
    await retention.forget();
    expect(await counts(database)).toMatchObject({ uploads: 30 });
    expect(log.lines.filter((line) => line.includes('could not be removed'))).toHaveLength(2);
    for (const name of stuck) rmdirSync(join(directory, name));
    await retention.forget();
    expect(await counts(database)).toMatchObject({ uploads: 0 });
  });

  test('of one kind that cannot be deleted keeps none of the others', async () => {
    const database = await engine.open();
    const { retention } = await open(database);
    await everything(database, 'old', NOW - 401 * DAY);
    await database.transaction((tx) => tx.query('ALTER TABLE agent_events RENAME TO agent_events_away'));
    await expect(retention.forget()).rejects.toMatchObject({ code: 'internal' });
    await database.transaction((tx) => tx.query('ALTER TABLE agent_events_away RENAME TO agent_events'));
    expect(await counts(database)).toMatchObject({ agent_events: 1, inbox: 0, uploads: 0, audit_log: 0 });
  });

  test('ends the orders of an agent whose removal was cut short', async () => {
    const database = await engine.open();
    const { retention } = await open(database);
    await database.transaction((tx) => text(tx, 'msg_1', NOW, false));
    await database.transaction((tx) => removeAgent(tx, AGENT, NOW));
    await retention.forget();
    expect(await database.query('SELECT status FROM messages')).toEqual([{ status: 'unknown' }]);
    expect(await database.query('SELECT agent_id FROM removed_agents')).toEqual([]);
  });
});
