import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { inSlices } from '../../../src/gateway/inSlices.js';
import { takeEvent } from '../../../src/gateway/ledger/agentEvents.js';
import { publishEvent, takeAck } from '../../../src/gateway/ledger/agentReports.js';
import { addAgent, removeAgent } from '../../../src/gateway/ledger/agents.js';
import { addCommand, waitingCommands } from '../../../src/gateway/ledger/commands.js';
import { addMessage } from '../../../src/gateway/ledger/messages.js';
import { endOrdersOf } from '../../../src/gateway/ledger/removedAgents.js';
import { SecretBox } from '../../../src/gateway/ledger/SecretBox.js';
import { setAsideUnreadable } from '../../../src/gateway/ledger/unreadableCommands.js';
import { createWebhook } from '../../../src/gateway/ledger/webhookEndpoints.js';
import type { GatewayDatabase } from '../../../src/gateway/storage/GatewayDatabase.js';
import { systemClock } from '../../../src/system/clock.js';
import { sized } from '../../support/size.js';
import { gatewayEngines } from '../gatewayEngines.js';

/*
 * What applications order and what agents report of it, in any order and damaged or not: both engines keep the same,
 * and what is promised of an ack holds.
 */

const ENGINES = gatewayEngines();
const START = Date.UTC(2026, 10, 20, 8);
const box = new SecretBox(randomBytes(32));

type Did = (database: GatewayDatabase, agentId: string, now: number) => Promise<unknown>;

const orderId = fc.constantFrom('m1', 'm2', 'm3', 'c1');
const at = fc.integer({ min: 0, max: 5 }).map((minute) => new Date(START + minute * 60_000).toISOString());

const order = (id: string): Did => {
  const isText = id.startsWith('m');
  return (database, agentId, now) =>
    database.transaction(async (tx) => {
      const command = { commandId: id, type: isText ? 'send_message' : 'list_scheduled', payload: { id } };
      const added = await addCommand(tx, agentId, command, now);
      if (added.kind !== 'added' || !isText) return;
      const request = { text: id, attachments: [], sendAt: null, inReplyTo: null };
      addMessage(tx, { agentId, id, keyId: null, conversation: id === 'm1' ? 'x' : 'y', request }, now);
    });
};

const ack = fc.record({
  command_id: fc.oneof(orderId, fc.constant('of nobody')),
  status: fc.constantFrom('completed' as const, 'completed' as const, 'failed' as const),
  revision: fc.integer({ min: 1, max: 3 }),
  error: fc.constantFrom(null, 'too_late: it was late', 'cancelled by backend'),
  completed_at: at,
  result: fc.constantFrom(
    {},
    { outcome: 'sent', message_guid: 'G1' },
    { outcome: 'unknown' },
    { outcome: 'sent', parts: [{ message_guid: 'G1' }, { message_guid: 'G2' }] },
  ),
});

const event = fc.record({
  event_id: fc.constantFrom('e1', 'e2', 'e3', 'e4'),
  event_type: fc.constantFrom(
    'message_sent',
    'message_failed',
    'message_delivered',
    'message_read',
    'reaction_added',
  ),
  thread_id: fc.constantFrom('x', null),
  timestamp: at,
  details: fc.record({
    command_id: fc.oneof(orderId, fc.constant(null)),
    message_guid: fc.constantFrom('G1', 'G2'),
  }),
});

const DAMAGE = [
  "UPDATE messages SET knowledge = 'not JSON' WHERE agent_id = $1 AND message_id = $2",
  "UPDATE messages SET request = '[]' WHERE agent_id = $1 AND message_id = $2",
  "UPDATE commands SET command = '{' WHERE agent_id = $1 AND command_id = $2",
];

const step: fc.Arbitrary<readonly [string, Did]> = fc.oneof(
  { weight: 4, arbitrary: orderId.map((id) => [`order ${id}`, order(id)] as const) },
  {
    weight: 6,
    arbitrary: fc.array(ack, { minLength: 1, maxLength: 3 }).map((acks) => {
      const did: Did = (database, agentId, now) =>
        inSlices({ database, clock: systemClock }, agentId, acks, (tx, one) =>
          takeAck(tx, agentId, one, now),
        );
      return [`acks ${JSON.stringify(acks)}`, did] as const;
    }),
  },
  {
    weight: 5,
    arbitrary: event.map((one) => {
      const did: Did = (database, agentId, now) =>
        inSlices({ database, clock: systemClock }, agentId, [one], async (tx) => {
          if (await takeEvent(tx, agentId, one.event_id, now)) await publishEvent(tx, agentId, one, now);
        });
      return [`event ${JSON.stringify(one)}`, did] as const;
    }),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constantFrom(...DAMAGE), orderId).map(([sql, id]) => {
      const did: Did = (database, agentId) => database.transaction((tx) => tx.query(sql, [agentId, id]));
      return [`${sql} of ${id}`, did] as const;
    }),
  },
  {
    weight: 1,
    arbitrary: fc.constant([
      'remove',
      (database: GatewayDatabase, agentId: string, now: number) =>
        database.transaction((tx) => removeAgent(tx, agentId, now)),
    ] as const),
  },
  {
    weight: 1,
    arbitrary: fc.constant([
      'end orders',
      (database: GatewayDatabase, agentId: string, now: number) => endOrdersOf(database, agentId, now),
    ] as const),
  },
  { weight: 1, arbitrary: fc.constant(['add', add] as const) },
  { weight: 1, arbitrary: fc.constant(['set aside', setAside] as const) },
);

function add(database: GatewayDatabase, agentId: string, now: number): Promise<unknown> {
  const agent = { id: agentId, name: null, isInvited: false, secret: 'secret' };
  return database.transaction((tx) => addAgent(tx, box, agent, now));
}

async function setAside(database: GatewayDatabase, agentId: string, now: number): Promise<void> {
  for (const { position, command } of await waitingCommands(database, agentId, 0, 100))
    if (command === undefined)
      await database.transaction((tx) => setAsideUnreadable(tx, agentId, position, now));
}

/** Everything that is kept of an agent, without what the engine counts itself. */
async function kept(database: GatewayDatabase, agentId: string) {
  const of = (sql: string) => database.query(sql, [agentId]);
  return {
    commands: await of(
      'SELECT position, command_id, command, ack, ack_revision, acked_at FROM commands WHERE agent_id = $1 ORDER BY position',
    ),
    positions: await of('SELECT last_position FROM command_positions WHERE agent_id = $1'),
    messages: await of(
      'SELECT message_id, knowledge, status FROM messages WHERE agent_id = $1 ORDER BY created_at, message_id',
    ),
    history: await of(
      'SELECT message_id, step, status, at, evidence, corrects FROM message_history WHERE agent_id = $1 ORDER BY message_id, step',
    ),
    events: await of('SELECT event_id, type, body FROM event_log WHERE agent_id = $1 ORDER BY seq'),
    deliveries: await of(
      `SELECT d.webhook_id = w.webhook_id AS is_ours, d.event_id, d.event_type, d.lane, d.state, d.created_at, d.next_at, e.seq = d.seq AS in_order
       FROM webhook_deliveries d JOIN event_log e ON e.agent_id = d.agent_id AND e.event_id = d.event_id
       JOIN webhooks w ON w.webhook_id = d.webhook_id WHERE d.agent_id = $1 ORDER BY d.seq, w.url`,
    ),
    lanes: await of(
      'SELECT lane, due_at FROM webhook_lanes WHERE agent_id = $1 ORDER BY lane, due_at, webhook_id = $1',
    ),
    removed: await of('SELECT * FROM removed_agents WHERE agent_id = $1'),
  };
}

test('two replicas that store the reports of one agent at once keep what one would have kept', async () => {
  const [, postgres] = ENGINES;
  if (postgres === undefined) throw new Error('an engine');
  const place = await postgres.place();
  const replicas = await Promise.all([postgres.open(place), postgres.open(place)]);
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(ack, { minLength: 4, maxLength: 16 }), async (acks) => {
      runs += 1;
      const agentId = `edge_${runs}`;
      const [first] = replicas;
      await add(first, agentId, START);
      for (const id of ['m1', 'm2', 'c1']) await order(id)(first, agentId, START);
      // Each comes to both, as after an answer that was lost.
      await Promise.all(
        acks.flatMap((one) =>
          replicas.map((database) =>
            inSlices({ database, clock: systemClock }, agentId, [one], (tx) =>
              takeAck(tx, agentId, one, START),
            ),
          ),
        ),
      );
      const { commands, history, events } = await kept(first, agentId);
      for (const { command_id: id, ack_revision: revision } of commands) {
        const revisions = acks.filter((one) => one.command_id === id).map((one) => one.revision);
        expect(revision).toBe(revisions.length === 0 ? null : Math.max(...revisions));
      }
      const steps = history.filter(({ step: number }) => number !== 0);
      const told = events
        .filter(({ type }) => type === 'message.status')
        .map(({ body }) => JSON.parse(String(body)).data);
      for (const id of ['m1', 'm2'])
        expect(told.filter(({ message_id }) => message_id === id).map(({ status }) => status)).toEqual(
          steps.filter(({ message_id }) => message_id === id).map(({ status }) => status),
        );
      expect(told).toHaveLength(steps.length);
      expect(await kept(replicas[1], agentId)).toEqual(await kept(first, agentId));
    }),
    { numRuns: sized(5, 200) },
  );
});

test('any history of orders, acks, events, removals and damage leaves the same on both engines', async () => {
  const databases = await Promise.all(ENGINES.map(({ open }) => open()));
  for (const database of databases) {
    for (const [url, events] of [
      ['https://a.example/', ['*']],
      ['https://b.example/', ['message.status']],
    ] as const) {
      const wanted = { keyId: 'key_1', url, events: [...events], agents: null, description: null };
      await database.transaction((tx) => createWebhook(tx, box, wanted, START));
    }
  }
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 25 }), async (steps) => {
      runs += 1;
      const agentId = `edge_${runs}`;
      const found = await Promise.all(
        databases.map(async (database) => {
          await add(database, agentId, START);
          let now = START;
          for (const [, did] of steps) {
            now += 1_000;
            await did(database, agentId, now);
          }
          return kept(database, agentId);
        }),
      );
      const [one, ...others] = found;
      for (const other of others) expect(other).toEqual(one);
      const { history = [], events = [], commands = [], deliveries = [] } = one ?? {};
      // Each step of a text but its first was reported once, and nothing else of it.
      const told = events.filter(
        ({ type, body }) => type === 'message.status' && JSON.parse(String(body)).data.message_id !== null,
      );
      expect(told).toHaveLength(history.filter(({ step: number }) => number !== 0).length);
      for (const { body } of events) expect(() => JSON.parse(String(body))).not.toThrow();
      // The highest revision counts.
      for (const { ack: stored, ack_revision } of commands)
        if (stored !== null) expect(JSON.parse(String(stored)).revision).toBe(ack_revision);
      expect(deliveries).toHaveLength(
        events.length + events.filter(({ type }) => type === 'message.status').length,
      );
      expect(deliveries.every(({ in_order }) => in_order === 1)).toBe(true);
    }),
    { numRuns: sized(40, 400) },
  );
});
