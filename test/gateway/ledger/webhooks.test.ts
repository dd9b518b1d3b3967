import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createApiKey, keyCounts, revokeApiKey } from '../../../src/gateway/ledger/apiKeys.js';
import { endReplica, renewReplica } from '../../../src/gateway/ledger/connections.js';
import { eventId, publish } from '../../../src/gateway/ledger/eventLog.js';
import { SecretBox } from '../../../src/gateway/ledger/SecretBox.js';
import {
  type AttemptRecord,
  enqueueDelivery,
  findDelivery,
  forgetDeliveries,
  headOfLane,
  isAwaitedElsewhere,
  listDeliveries,
  recordAttempt,
  replayDelivery,
  setAsideAll,
  setAsideOfDisabled,
} from '../../../src/gateway/ledger/webhookDeliveries.js';
import {
  changeWebhook,
  createWebhook,
  deleteWebhook,
  findWebhook,
  findWebhookToChange,
  listWebhooks,
  rotateWebhookSecret,
  webhookWithSecrets,
} from '../../../src/gateway/ledger/webhookEndpoints.js';
import {
  dueWebhooks,
  type LaneLease,
  leaseLanes,
  releaseLane,
} from '../../../src/gateway/ledger/webhookLanes.js';
import type { GatewayDatabase } from '../../../src/gateway/storage/GatewayDatabase.js';
import { settleAttempt, settleGone } from '../../../src/gateway/webhooks/settleAttempt.js';
import { until } from '../../support/until.js';
import { gatewayEngines } from '../gatewayEngines.js';
import { gate } from '../storage/contract.js';

const ENGINES = gatewayEngines();

const A = 'edge_13105550100';
const NOW = Date.UTC(2026, 10, 20, 8);
const DAY = 86_400_000;
const box = new SecretBox(randomBytes(32));
const wanted = {
  keyId: 'key_1',
  url: 'https://example.com/hook',
  events: ['*'],
  agents: null,
  description: null,
};
const taken: AttemptRecord = { state: 'delivered', nextAt: null, status: 200, error: null, answer: 'none' };

const make = (database: GatewayDatabase, changed: { events?: string[]; agents?: string[] } = {}) =>
  database.transaction((tx) => createWebhook(tx, box, { ...wanted, ...changed }, NOW));

test.each(ENGINES.filter(({ name }) => name === 'PostgreSQL'))(
  'a key that is revoked as it creates a webhook, on $name, waits for that and disables it',
  async ({ open }) => {
    const database = await open();
    const asked = { name: 'a test', scopes: ['webhooks'], agents: null } as const;
    const { key } = await database.transaction((tx) => createApiKey(tx, asked, NOW));
    const [made, end] = [gate(), gate()];
    const making = database.transaction(async (tx) => {
      expect(await keyCounts(tx, key.id)).toBe(true);
      const { endpoint } = await createWebhook(tx, box, { ...wanted, keyId: key.id }, NOW);
      made.resolve();
      await end.promise;
      return endpoint.id;
    });
    await made.promise;
    let isOver = false;
    const revoking = database
      .transaction((tx) => revokeApiKey(tx, key.id, NOW))
      .finally(() => {
        isOver = true;
      });
    const waits = 'SELECT pid FROM pg_locks WHERE NOT granted AND pid IN (SELECT pid FROM pg_stat_activity';
    await until(
      async () => isOver || (await database.query(`${waits} WHERE datname = current_database())`)).length > 0,
      () => 'the revocation to wait',
    );
    end.resolve();
    expect(await revoking).toBe(true);
    expect(await findWebhook(database, await making)).toMatchObject({ disabledReason: 'key_revoked' });
    expect(await database.transaction((tx) => keyCounts(tx, key.id))).toBe(false);
  },
);

const happen = (database: GatewayDatabase, n: number, conversation: string | null = null, agentId = A) =>
  database.transaction((tx) =>
    publish(
      tx,
      { id: eventId('test', n), type: 'agent.recovered', agentId, conversation, data: {}, at: NOW },
      NOW + n,
    ),
  );

const lease = (
  database: GatewayDatabase,
  id: string,
  owner: string,
  now = NOW + 99,
  { leaseMs = 60_000, replicaMs = 60_000 } = {},
) =>
  database.transaction(async (tx) => {
    await renewReplica(tx, owner, replicaMs, now);
    return leaseLanes(tx, id, { owner, leaseMs, limit: 10 }, now);
  });

const die = (database: GatewayDatabase, owner: string) =>
  database.transaction((tx) => endReplica(tx, owner, 'it died'));

async function attempt(database: GatewayDatabase, lane: LaneLease, record: AttemptRecord, now = NOW + 100) {
  const head = await headOfLane(database, lane);
  if (head === undefined) throw new Error('nothing waits');
  await database.transaction(async (tx) => {
    await tx.lock(lane.agentId);
    recordAttempt(tx, head.delivery, record, now);
    await releaseLane(tx, lane);
  });
  return { id: head.delivery.eventId };
}

describe.each(ENGINES)('webhooks in $name', ({ open }) => {
  test('a webhook gets what it subscribed to, and nothing else', async () => {
    const database = await open();
    const { endpoint: all } = await make(database);
    const { endpoint: other } = await make(database, { agents: ['edge_2'] });
    const { endpoint: reactions } = await make(database, { events: ['reaction', 'agent.online'] });
    await happen(database, 1);
    expect(
      await listDeliveries(database, all.id, { state: 'waiting', before: undefined, limit: 9 }),
    ).toHaveLength(1);
    for (const { id } of [other, reactions]) {
      expect(await listDeliveries(database, id, { state: undefined, before: undefined, limit: 9 })).toEqual(
        [],
      );
    }
    await database.transaction((tx) => changeWebhook(tx, { ...reactions, events: ['agent.recovered', '*'] }));
    // Reported again, it is no new event for those that have subscribed since.
    await happen(database, 1);
    await happen(database, 2);
    expect(
      await listDeliveries(database, reactions.id, { state: undefined, before: undefined, limit: 9 }),
    ).toHaveLength(1);
    expect(await listWebhooks(database, 'key_2')).toEqual([]);
    expect(await listWebhooks(database, null)).toHaveLength(3);
    await database.transaction((tx) => deleteWebhook(tx, reactions.id));
    expect(await findWebhook(database, reactions.id)).toBeUndefined();
    expect(await dueWebhooks(database, NOW + 99)).toEqual([all.id]);
  });

  test('changes of one webhook at the same time are all kept', async () => {
    const database = await open();
    const { endpoint } = await make(database);
    const changes = [
      { url: 'https://example.org' },
      { events: ['reaction', 'agent.online'] },
      { agents: [A] },
      { description: 'x' },
      { disabledReason: 'request' },
    ] as const;
    const change = (changed: (typeof changes)[number]) =>
      database.transaction(async (tx) => {
        const before = await findWebhookToChange(tx, endpoint.id);
        if (before !== undefined) await changeWebhook(tx, { ...before, ...changed });
      });
    await Promise.all(changes.map(change));
    expect(await findWebhook(database, endpoint.id)).toMatchObject(Object.assign({}, ...changes));
  });

  test('the events of one conversation are sent one after the other, those of others meanwhile', async () => {
    const database = await open();
    const { endpoint } = await make(database);
    for (const [n, conversation] of ['+1', '+1', '+2'].entries()) await happen(database, n, conversation);
    const [one, two, ...more] = await lease(database, endpoint.id, 'r1');
    if (one === undefined || two === undefined) throw new Error('two lanes');
    expect(more).toEqual([]);
    expect(await lease(database, endpoint.id, 'r2')).toEqual([]);
    expect(await dueWebhooks(database, NOW + 99)).toEqual([]);
    const first = one.lane === '+1' ? one : two;
    expect((await attempt(database, first, taken)).id).toBe(eventId('test', 0));
    const [again] = await lease(database, endpoint.id, 'r2');
    if (again === undefined) throw new Error('a lane');
    expect((await attempt(database, again, taken)).id).toBe(eventId('test', 1));
    expect(await lease(database, endpoint.id, 'r2')).toEqual([]);
  });

  test('one that failed keeps its lane until its next attempt', async () => {
    const database = await open();
    const { endpoint } = await make(database);
    await happen(database, 1, '+1');
    const [lane] = await lease(database, endpoint.id, 'r1');
    if (lane === undefined) throw new Error('a lane');
    const failed = {
      state: 'waiting',
      nextAt: NOW + 5_000,
      status: 500,
      error: 'HTTP 500',
      answer: null,
    } as const;
    await attempt(database, lane, failed);
    await happen(database, 2, '+1');
    expect(await lease(database, endpoint.id, 'r1', NOW + 4_999)).toEqual([]);
    const [later] = await lease(database, endpoint.id, 'r1', NOW + 5_000);
    if (later === undefined) throw new Error('a lane');
    expect((await headOfLane(database, later))?.delivery).toMatchObject({
      eventId: eventId('test', 1),
      attempts: 1,
    });
    await attempt(database, later, { ...failed, state: 'set_aside', nextAt: null });
    const [next] = await lease(database, endpoint.id, 'r1', NOW + 5_000);
    expect(next && (await headOfLane(database, next))?.delivery.eventId).toBe(eventId('test', 2));
  });

  test('an attempt that another replica made meanwhile is recorded once', async () => {
    const database = await open();
    const { endpoint } = await make(database);
    await happen(database, 1, '+1');
    const [lane] = await lease(database, endpoint.id, 'r1');
    if (lane === undefined) throw new Error('a lane');
    const head = await headOfLane(database, lane);
    if (head === undefined) throw new Error('a head');
    await attempt(database, lane, taken);
    await database.transaction(async (tx) => recordAttempt(tx, head.delivery, taken, NOW));
    expect(await findDelivery(database, endpoint.id, head.delivery.eventId)).toMatchObject({ attempts: 1 });
    expect(await headOfLane(database, lane)).toBeUndefined();
  });

  test('the leftovers of an attempt whose lane was taken over change nothing for the lane of a later one', async () => {
    const database = await open();
    const { endpoint } = await make(database);
    for (const n of [1, 2]) await happen(database, n, '+1');
    const [lost] = await lease(database, endpoint.id, 'r1');
    await die(database, 'r1');
    const [taker] = await lease(database, endpoint.id, 'r2');
    if (lost === undefined || taker === undefined) throw new Error('a lane');
    expect(await headOfLane(database, lost)).toBeUndefined();
    await attempt(database, taker, taken);
    const [later] = await lease(database, endpoint.id, 'r1', NOW + 99, { leaseMs: 70_000 });
    if (later === undefined) throw new Error('a lane');
    await database.transaction((tx) => releaseLane(tx, lost));
    expect(await lease(database, endpoint.id, 'r2')).toEqual([]);
    expect((await attempt(database, later, taken)).id).toBe(eventId('test', 2));
  });

  test('a failure that is reported after the lane was taken over is not recorded, a success is', async () => {
    const database = await open();
    const { endpoint } = await make(database);
    await happen(database, 1, '+1');
    const [lost] = await lease(database, endpoint.id, 'r1');
    const head = lost && (await headOfLane(database, lost));
    if (lost === undefined || head === undefined) throw new Error('a head');
    await die(database, 'r1');
    await lease(database, endpoint.id, 'r2');
    const { delivery, body } = head;
    const now = NOW + 100;
    const ports = {
      commands: { add: async () => true, addFresh: async () => true },
      replies: { answer: async () => 'late' as const },
    };
    const state = async () => (await findDelivery(database, endpoint.id, delivery.eventId))?.state;
    const record = { state: 'set_aside', nextAt: null, status: 500, error: 'HTTP 500' } as const;
    const ended = { lease: lost, delivery, body, record, answer: null };
    await database.transaction((tx) => settleAttempt(tx, ended, ports, now));
    await database.transaction((tx) => settleGone(tx, ended, endpoint, now));
    expect(await state()).toBe('waiting');
    expect((await findWebhook(database, endpoint.id))?.disabledReason).toBeNull();
    const success = { state: 'delivered', nextAt: null, status: 200, error: null } as const;
    await database.transaction((tx) => settleAttempt(tx, { ...ended, record: success }, ports, now));
    expect(await state()).toBe('delivered');
    expect(await lease(database, endpoint.id, 'r1')).toEqual([]);
  });

  test('the next one is sent at once where an event was accepted after all that another attempt had failed with', async () => {
    const database = await open();
    const { endpoint } = await make(database);
    for (const n of [1, 2]) await happen(database, n, '+1');
    const [lost] = await lease(database, endpoint.id, 'r1');
    const head = lost && (await headOfLane(database, lost));
    if (lost === undefined || head === undefined) throw new Error('a head');
    await die(database, 'r1');
    const [taker] = await lease(database, endpoint.id, 'r2');
    if (taker === undefined) throw new Error('a lane');
    await attempt(database, taker, { ...taken, state: 'waiting', nextAt: NOW + 300_000 });
    expect(await lease(database, endpoint.id, 'r1')).toEqual([]);
    const ports = {
      commands: { add: async () => true, addFresh: async () => true },
      replies: { answer: async () => 'late' as const },
    };
    const record = { state: 'delivered', nextAt: null, status: 200, error: null } as const;
    const ended = { lease: lost, delivery: head.delivery, body: head.body, record, answer: null };
    await database.transaction((tx) => settleAttempt(tx, ended, ports, NOW + 100));
    const [next] = await lease(database, endpoint.id, 'r1');
    if (next === undefined) throw new Error('the lane waits for the retry of what was taken');
    expect((await attempt(database, next, taken)).id).toBe(eventId('test', 2));
    expect(await dueWebhooks(database, NOW + 999_999)).toEqual([]);
  });

  test('a replica whose own lease is nearly over takes nothing', async () => {
    const database = await open();
    const { endpoint } = await make(database);
    await happen(database, 1, '+1');
    expect(await lease(database, endpoint.id, 'r1', NOW + 99, { replicaMs: 4_000 })).toEqual([]);
    expect(await lease(database, endpoint.id, 'r1')).toHaveLength(1);
  });

  test('what was set aside is replayed with the same id, and before what is newer', async () => {
    const database = await open();
    const { endpoint } = await make(database);
    await happen(database, 1, '+1');
    await database.transaction((tx) => setAsideAll(tx, endpoint.id));
    const [lane] = await lease(database, endpoint.id, 'r1');
    if (lane !== undefined) await database.transaction((tx) => releaseLane(tx, lane));
    await happen(database, 2, '+1');
    const delivery = await findDelivery(database, endpoint.id, eventId('test', 1));
    if (delivery === undefined) throw new Error('a delivery');
    expect(delivery.state).toBe('set_aside');
    await database.transaction((tx) => replayDelivery(tx, delivery, NOW + 50));
    const [leased] = await lease(database, endpoint.id, 'r1');
    expect(leased && (await headOfLane(database, leased))?.delivery).toMatchObject({
      eventId: eventId('test', 1),
      attempts: 0,
    });
  });

  test('a disabled webhook gets nothing, and what waited for it for too long is set aside', async () => {
    const database = await open();
    const { endpoint } = await make(database);
    await happen(database, 1);
    expect(await isAwaitedElsewhere(database, A, eventId('test', 1))).toBe(true);
    await database.transaction((tx) => changeWebhook(tx, { ...endpoint, disabledReason: 'request' }));
    expect(await dueWebhooks(database, NOW + 99)).toEqual([]);
    expect(await isAwaitedElsewhere(database, A, eventId('test', 1))).toBe(false);
    await database.transaction((tx) => setAsideOfDisabled(tx, NOW));
    expect(await findDelivery(database, endpoint.id, eventId('test', 1))).toMatchObject({ state: 'waiting' });
    await database.transaction((tx) => setAsideOfDisabled(tx, NOW + DAY));
    expect(await findDelivery(database, endpoint.id, eventId('test', 1))).toMatchObject({
      state: 'set_aside',
    });
  });

  test('a test event is sent to one webhook, and what was delivered is deleted in time', async () => {
    const database = await open();
    const { endpoint } = await make(database, { events: ['reaction'] });
    await happen(database, 1, null, '');
    const event = { agentId: '', eventId: eventId('test', 1), type: 'agent.recovered', seq: 1, lane: '' };
    await database.transaction(async (tx) => enqueueDelivery(tx, endpoint.id, event, NOW));
    const [lane] = await lease(database, endpoint.id, 'r1');
    if (lane === undefined) throw new Error('a lane');
    await attempt(database, lane, taken);
    await database.transaction((tx) => forgetDeliveries(tx, NOW + DAY));
    expect(await findDelivery(database, endpoint.id, eventId('test', 1))).toBeUndefined();
  });

  test('secrets rotate: two are valid for a while, and neither is in the database', async () => {
    const database = await open();
    const { endpoint, secret } = await make(database);
    const secrets = async (now: number) =>
      (await webhookWithSecrets(database, box, endpoint.id, now))?.secrets;
    expect(await secrets(NOW)).toEqual([secret]);
    const fresh = await database.transaction((tx) => rotateWebhookSecret(tx, box, endpoint.id, DAY, NOW));
    expect(await secrets(NOW + 1)).toEqual([fresh, secret]);
    expect(await secrets(NOW + DAY)).toEqual([fresh]);
    const stored = JSON.stringify(await database.query('SELECT * FROM webhooks'));
    expect(stored.includes(secret.slice(6)) || stored.includes(fresh.slice(6))).toBe(false);
    expect(await webhookWithSecrets(database, box, 'wh_none', NOW)).toBeUndefined();
  });
});
