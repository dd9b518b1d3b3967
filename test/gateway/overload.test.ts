import { describe, expect, onTestFinished, test } from 'vitest';
import { ConnectionRegistry } from '../../src/gateway/agents/ConnectionRegistry.js';
import type { EdgeBackend } from '../../src/gateway/agents/EdgeBackend.js';
import { EdgeServer } from '../../src/gateway/agents/EdgeServer.js';
import { LoadGate } from '../../src/gateway/agents/LoadGate.js';
import { Listener } from '../../src/gateway/Listener.js';
import { GATEWAY_MIGRATIONS } from '../../src/gateway/ledger/gatewayMigrations.js';
import { inboxEntry } from '../../src/gateway/ledger/inbox.js';
import { MessageAnswering } from '../../src/gateway/MessageAnswering.js';
import { PostgresDatabase } from '../../src/gateway/storage/PostgresDatabase.js';
import { systemClock } from '../../src/system/clock.js';
import { systemRandom } from '../../src/system/random.js';
import { incoming } from '../kit/backend/PlainAgent.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { testPostgres } from '../support/testPostgres.js';
import { until } from '../support/until.js';
import { AGENT, type Answer, ApiRoom } from './api/ApiRoom.js';
import { GatewayWorld } from './GatewayWorld.js';
import { type GatewayEngine, gatewayEngines, PATIENT } from './gatewayEngines.js';
import { gate } from './storage/contract.js';

const engines = gatewayEngines('PostgreSQL');
const SECRET = 'the-secret-of-an-agent';

/** The agents' side alone, with room for one message at a time, which something else answers. */
async function edgeOf(engine: GatewayEngine) {
  const database = await engine.open();
  const limits = { most: { work: 1, messages: 1, life: 1 }, lateMs: 60_000 };
  const load = new LoadGate({ waitingMs: () => 0, random: systemRandom }, limits);
  const answering = new MessageAnswering({
    database,
    clock: systemClock,
    patienceMs: 600_000,
    onMessage: async () => true,
    onRequest: () => undefined,
  });
  const unasked = async () => {
    throw new Error('nobody asks for that here');
  };
  const backend: EdgeBackend = {
    ...{ operatorOf: unasked, register: unasked, report: unasked, handOut: unasked, upload: unasked },
    ...{ connected: unasked, disconnected: () => undefined, send: unasked, counts: unasked },
    secretsOf: async () => [SECRET],
    answer: (...asked) => answering.answer(...asked),
    saw: () => undefined,
  };
  const parts = { registry: new ConnectionRegistry(), log: () => undefined, plainSecrets: true };
  const listener = new Listener('127.0.0.1', new EdgeServer(backend, { ...parts, clock: systemClock, load }));
  await listener.open(0);
  onTestFinished(() => listener.close());
  const headers = { Authorization: `Bearer ${SECRET}`, 'X-Edge-Agent-Id': AGENT };
  const post = (guid: string, signal?: AbortSignal) =>
    fetch(`http://127.0.0.1:${listener.port}/edge/message`, {
      method: 'POST',
      headers,
      body: JSON.stringify(incoming(guid)),
      ...(signal === undefined ? {} : { signal }),
    });
  return { database, answering, load, post };
}
const postgres = testPostgres();

describe.each(engines)('overload of a gateway on $name', (engine) => {
  test('is refused at once, to be retried at different times, and what was accepted is there once', async () => {
    const database = await engine.open();
    const limits = { most: { work: 10, messages: 1, life: 1 }, lateMs: 60_000 };
    const load = new LoadGate({ waitingMs: () => database.waitingMs, random: systemRandom }, limits);
    const room = await ApiRoom.open(database, { load });
    const held = gate();
    const end = gate();
    const slow = database.transaction(async (tx) => {
      await tx.lock(AGENT);
      held.resolve();
      await end.promise;
    });
    await held.promise;
    const refused: Answer[] = [];
    const accepted: Answer[] = [];
    const flood = Array.from({ length: 100 }, async () => {
      const answer = await room.send();
      (answer.status === 202 ? accepted : refused).push(answer);
    });
    await until(
      () => refused.length === 90,
      () => `the refusals (${refused.length} came)`,
    );
    expect([accepted.length, new Set(refused.map(({ status }) => status))]).toEqual([0, new Set([503])]);
    end.resolve();
    await Promise.all([slow, ...flood]);
    expect(accepted).toHaveLength(10);
    expect(refused.map(({ body }) => body)).toContainEqual({
      error: { type: 'unavailable', code: 'busy', message: 'The gateway is too busy now.' },
    });
    const pauses = new Set(refused.map(({ headers }) => Number(headers.get('retry-after'))));
    expect([...pauses].toSorted()).toEqual([1, 2, 3, 4, 5]);
    const rows = await database.query('SELECT message_id FROM messages ORDER BY message_id');
    expect(rows.map(({ message_id }) => message_id)).toEqual(accepted.map(({ body }) => body.id).toSorted());
    // All have left: nothing is refused any more.
    expect((await room.send()).status).toBe(202);
  });

  test('does not include callers that hung up: their place is freed, and the next request gets the answer', async () => {
    const { database, answering, load, post } = await edgeOf(engine);
    const hangUp = new AbortController();
    const first = post('g1', hangUp.signal);
    await until(
      async () => (await inboxEntry(database, AGENT, 'g1')) !== undefined,
      () => 'the message',
    );
    expect(load.enter('messages')).toBeUndefined();
    hangUp.abort();
    await expect(first).rejects.toMatchObject({ name: 'AbortError' });
    let leave: (() => void) | undefined;
    await until(
      () => {
        leave = load.enter('messages');
        return leave !== undefined;
      },
      () => 'its place',
    );
    leave?.();
    const reply = { should_respond: true as const, reply_bubbles: ['hi'] };
    const given = await database.transaction((tx) => answering.answerWith(tx, AGENT, 'g1', reply));
    expect(given).toBe('given');
    expect(await (await post('g1')).json()).toMatchObject(reply);
  });

  test('keeps agents alive: what their sockets send is stored before the new work that waits', async () => {
    const world = await GatewayWorld.start(engine);
    const socket = await world.connect();
    const { database } = world.gateway;
    const key = await world.addKey(['messages:write']);
    const send = () =>
      fetch(`${world.url}/v1/messages`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${key}` },
        body: JSON.stringify({ to: '+13105551234', text: 'hello' }),
      });
    await world.command('c1');
    const order: string[] = [];
    const flood = Array.from({ length: 300 }, async () => {
      const { status } = await send();
      order.push(String(status));
    });
    await until(
      () => order.length > 0,
      () => 'the first answer',
    );
    const ack = () => socket.send({ type: 'command_ack', data: { command_id: 'c1', status: 'completed' } });
    let looks = 0;
    const acked = until(
      async () => {
        // As an agent does that gets no answer to its ack: a slow machine may have had no room for the first one.
        if (looks % 500 === 0) ack();
        looks += 1;
        const rows = await database.soon.query("SELECT acked_at FROM commands WHERE command_id = 'c1'");
        return rows[0]?.acked_at !== null;
      },
      () => 'the ack',
    ).then(() => order.push('acked'));
    await Promise.all([...flood, acked]);
    expect(order.indexOf('acked')).toBeLessThan(order.length - 1);
    expect(order.filter((status) => status !== '202' && status !== '503' && status !== 'acked')).toEqual([]);
  });
});

describe('all connections to PostgreSQL in use', () => {
  async function full() {
    const database = await PostgresDatabase.open({
      url: await postgres.freshUrl(),
      migrations: GATEWAY_MIGRATIONS,
      clock: systemClock,
      random: systemRandom,
      log: new RecordingLog(),
      connections: 1,
      patience: PATIENT,
    });
    onTestFinished(() => database.close());
    const held = gate();
    const end = gate();
    const holding = database.transaction(async (tx) => {
      await tx.query('SELECT 1 AS one');
      held.resolve();
      await end.promise;
    });
    await held.promise;
    const letGo = async () => {
      end.resolve();
      await holding;
    };
    return { database, letGo };
  }

  test('a lease is renewed, and agents are served before new work', async () => {
    const { database, letGo } = await full();
    const order: string[] = [];
    const run = (name: string, urgency: 'usual' | 'soon' | 'lease') =>
      database
        .transaction(async (tx) => {
          await tx.query('SELECT 1 AS one');
        }, urgency)
        .then(() => order.push(name));
    const others = [run('usual', 'usual'), run('soon', 'soon')];
    await run('lease', 'lease');
    expect(order).toEqual(['lease']);
    await letGo();
    await Promise.all(others);
    expect(order).toEqual(['lease', 'soon', 'usual']);
    expect(database.waitingMs).toBe(0);
  });

  test('new work is refused once what waits has waited for too long, and the work of agents is not', async () => {
    const { database, letGo } = await full();
    const limits = { most: { work: 9, messages: 9, life: 9 }, lateMs: 1 };
    const load = new LoadGate({ waitingMs: () => database.waitingMs, random: () => 0 }, limits);
    expect(load.enter('work')).toBeTypeOf('function');
    const waiting = database.query('SELECT 1 AS one');
    await until(
      () => database.waitingMs >= 1,
      () => 'something that waits',
    );
    expect([load.enter('work'), load.enter('messages')]).toEqual([undefined, undefined]);
    expect(load.enter('life')).toBeTypeOf('function');
    await letGo();
    await waiting;
    expect(load.enter('work')).toBeTypeOf('function');
  });

  test('a burst on one agent is refused in part, and leaves its acks their place', async () => {
    const { database, letGo } = await full();
    const lock = (urgency: 'usual' | 'soon') =>
      database.transaction(async (tx) => {
        await tx.lock(AGENT);
      }, urgency);
    const rush = Array.from({ length: 400 }, () => lock('usual'));
    const ack = lock('soon');
    const outcomes = Promise.allSettled(rush);
    await letGo();
    await ack;
    const refused = (await outcomes).filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(99);
    expect(refused[0]).toMatchObject({ reason: { code: 'storage_unavailable' } });
  });
});
