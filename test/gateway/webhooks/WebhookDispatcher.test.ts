import { Webhook } from 'standardwebhooks';
import { describe, expect, onTestFinished, test } from 'vitest';
import { addAgent } from '../../../src/gateway/ledger/agents.js';
import { replayDelivery } from '../../../src/gateway/ledger/webhookDeliveries.js';
import {
  changeWebhook,
  findWebhook,
  rotateWebhookSecret,
} from '../../../src/gateway/ledger/webhookEndpoints.js';
import type { GatewayDatabase } from '../../../src/gateway/storage/GatewayDatabase.js';
import { GIVE_UP_MS } from '../../../src/gateway/webhooks/retrySchedule.js';
import { FakeClock } from '../../support/FakeClock.js';
import { TcpProxy } from '../../support/TcpProxy.js';
import { until } from '../../support/until.js';
import { gatewayEngines } from '../gatewayEngines.js';
import { gate } from '../storage/contract.js';
import { type Received, Receiver } from './Receiver.js';
import { AGENT, WebhookRoom } from './WebhookRoom.js';

const ENGINES = gatewayEngines('PostgreSQL');

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const allTaken = (all: readonly { state: string }[]) =>
  all.length > 0 && all.every(({ state }) => state === 'delivered');

/**
 * The database of a replica, which reports when it gave out the next event of a conversation, and when it has stored
 * something.
 */
function watched(
  database: GatewayDatabase,
  { headRead, stored }: { headRead: () => Promise<void>; stored: () => Promise<void> },
): GatewayDatabase {
  return {
    dialect: database.dialect,
    nowMs: database.nowMs,
    soon: database.soon,
    waitingMs: 0,
    listen: (channel, heard, missed) => database.listen(channel, heard, missed),
    notify: (channel, payload) => database.notify(channel, payload),
    close: () => database.close(),
    async query(sql, values) {
      const rows = await database.query(sql, values);
      if (sql.includes('JOIN event_log')) await headRead();
      return rows;
    },
    async transaction(work) {
      const value = await database.transaction(work);
      await stored();
      return value;
    },
  };
}

describe.each(ENGINES)('webhooks over $name', ({ open }) => {
  async function room() {
    const made = new WebhookRoom(await open());
    return { room: made, receiver: await Receiver.start() };
  }

  test('the official library verifies what arrives, with either secret while they rotate, and no other', async () => {
    const { room: gateway, receiver } = await room();
    const { id, secret } = await gateway.webhook(receiver.url);
    const fresh = await gateway.database.transaction((tx) =>
      rotateWebhookSecret(tx, gateway.box, id, HOUR, gateway.clock.now()),
    );
    const event = await gateway.happen();
    await gateway.start();
    await receiver.count(1);
    const { headers = {}, body = '' }: Partial<Received> = receiver.received[0] ?? {};
    expect(headers['webhook-id']).toBe(event);
    for (const one of [secret, fresh])
      expect(new Webhook(one).verify(body, headers)).toMatchObject({ id: event });
    const other = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
    expect(() => new Webhook(other).verify(body, headers)).toThrow('No matching signature');
    expect(() => new Webhook(fresh).verify(`${body} `, headers)).toThrow();
    expect(headers['user-agent']).toBe('edge-agent-gateway/0.0.0');
  });

  test('an event that fails is sent again with the same id on the schedule of the specification, for a day', async () => {
    const { room: gateway, receiver } = await room();
    receiver.answer = (response) => response.writeHead(500).end('no');
    const { id } = await gateway.webhook(receiver.url);
    const event = await gateway.happen();
    await gateway.start();
    const pauses = [5_000, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 7 * HOUR];
    for (const [index, pause] of pauses.entries()) {
      const [waiting] = await gateway.settled(id, ([one]) => one?.attempts === index + 1);
      expect(waiting).toMatchObject({ state: 'waiting', lastStatus: 500, lastError: 'HTTP 500' });
      gateway.later(Math.min(pause, (waiting?.nextAt ?? 0) - gateway.clock.now()));
    }
    const [given] = await gateway.settled(id, ([one]) => one?.state === 'set_aside');
    expect(given).toMatchObject({ attempts: 8, nextAt: null });
    expect((given?.lastAt ?? 0) - (given?.createdAt ?? 0)).toBeGreaterThanOrEqual(GIVE_UP_MS);
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id']))).toEqual(new Set([event]));
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-timestamp'])).size).toBe(8);
    receiver.answer = (response) => response.writeHead(200).end();
    await gateway.database.transaction((tx) => {
      if (given === undefined) throw new Error('nothing was given up');
      tx.afterCommit(() => gateway.bell.ring());
      return replayDelivery(tx, given, gateway.clock.now());
    });
    await gateway.settled(id, allTaken);
    expect(receiver.received.at(-1)?.headers['webhook-id']).toBe(event);
  });

  test('the events of one conversation arrive in order, also past one that fails; others do not wait', async () => {
    const { room: gateway, receiver } = await room();
    let failures = 1;
    receiver.answer = (response, { event }) => {
      const isHeld = event.data.conversation === '+1' && failures > 0;
      if (isHeld) failures -= 1;
      response.writeHead(isHeld ? 503 : 200).end();
    };
    const { id } = await gateway.webhook(receiver.url);
    const first = [await gateway.happen('+1'), await gateway.happen('+1'), await gateway.happen('+1')];
    const other = await gateway.happen('+2');
    await gateway.start();
    await gateway.settled(id, (all) =>
      all.some(({ eventId, state }) => eventId === other && state === 'delivered'),
    );
    await gateway.settled(id, (all) =>
      all.some(({ attempts, state }) => attempts === 1 && state === 'waiting'),
    );
    gateway.later(6_000);
    await gateway.settled(id, allTaken);
    const ofFirst = receiver.received.filter(({ event }) => event.data.conversation === '+1');
    expect(ofFirst.map(({ event }) => event.id)).toEqual([first[0], ...first]);
  });

  test('several replicas deliver each event once', async () => {
    const { room: gateway, receiver } = await room();
    const { id } = await gateway.webhook(receiver.url);
    const replicas = ['a', 'b', 'c'].map((replicaId) => gateway.start({ replicaId }));
    await Promise.all(replicas);
    const events: string[] = [];
    for (let n = 0; n < 40; n += 1) events.push(await gateway.happen(`+${n % 7}`));
    await gateway.settled(id, (all) => all.length === 40 && allTaken(all));
    expect(receiver.received.map(({ event }) => event.id).sort()).toEqual([...events].sort());
  });

  test('what a replica was sending that died is sent by another one once its lease has ended, not a minute later', async () => {
    const { room: gateway, receiver } = await room();
    receiver.answer = () => undefined;
    const { id } = await gateway.webhook(receiver.url);
    const events = [await gateway.happen('+1'), await gateway.happen('+1')];
    await gateway.start();
    await receiver.count(1);
    receiver.answer = (response) => response.end();
    await gateway.start({ replicaId: 'replica_2' });
    await gateway.endLease();
    await gateway.settled(id, allTaken);
    expect(receiver.received.map(({ event }) => event.id)).toEqual([events[0], ...events]);
  });

  test('a replica that was suspended while another one took its conversation over sends no old event behind newer ones', async () => {
    const { room: gateway, receiver } = await room();
    const { id } = await gateway.webhook(receiver.url);
    const events = [await gateway.happen('+1'), await gateway.happen('+1')];
    const clock = new FakeClock(Date.now() + MINUTE);
    const still = gate();
    const asked = gate();
    const givenBack = gate();
    let isAnswered = false;
    const standing = watched(gateway.database, {
      async headRead() {
        asked.resolve();
        await still.promise;
        isAnswered = true;
      },
      async stored() {
        if (isAnswered) givenBack.resolve();
      },
    });
    await gateway.start({ database: standing, clock });
    await asked.promise;
    await gateway.start({ replicaId: 'replica_2' });
    await gateway.endLease();
    await gateway.settled(id, allTaken);
    clock.advance(20_000);
    still.resolve();
    await givenBack.promise;
    expect(receiver.received.map(({ event }) => event.id)).toEqual(events);
  });

  test.each([
    ['that lost its conversation meanwhile sends nothing', true],
    ['that has its conversation still sends what is next', false],
  ])('a replica whose connection to a webhook took long, and %s', async (_name, isLost) => {
    const { room: gateway, receiver } = await room();
    const { id } = await gateway.webhook(`http://hook.test:${receiver.port}/`);
    const events = [await gateway.happen('+1'), await gateway.happen('+1')];
    const clock = new FakeClock(Date.now() + MINUTE);
    const here = [{ address: '127.0.0.1', family: 4 }];
    const looked = gate();
    const found = gate();
    const givenBack = gate();
    let heads = 0;
    const slow = watched(gateway.database, {
      async headRead() {
        heads += 1;
      },
      async stored() {
        if (heads > 1) givenBack.resolve();
      },
    });
    await gateway.start({
      database: slow,
      clock,
      findAddresses(_host, tell) {
        looked.resolve();
        void found.promise.then(() => tell(null, here));
      },
    });
    await looked.promise;
    if (isLost) {
      await gateway.start({ replicaId: 'replica_2', findAddresses: (_host, tell) => tell(null, here) });
      await gateway.endLease();
      await gateway.settled(id, allTaken);
    }
    clock.advance(20_000);
    found.resolve();
    await givenBack.promise;
    await gateway.settled(id, allTaken);
    expect(receiver.received.map(({ event }) => event.id)).toEqual(events);
  });

  test('a receiver that hangs is given up in time, and delays no other webhook', async () => {
    const { room: gateway, receiver } = await room();
    const other = await Receiver.start();
    receiver.answer = () => undefined;
    const { id: hanging } = await gateway.webhook(receiver.url);
    const { id } = await gateway.webhook(other.url);
    for (let n = 0; n < 30; n += 1) await gateway.happen(`+${n}`);
    const clock = new FakeClock(Date.now() + 60_000);
    await gateway.start({ clock });
    await gateway.settled(id, (all) => all.length === 30 && allTaken(all));
    await receiver.count(1);
    clock.advance(30_000);
    const failed = await gateway.settled(hanging, (all) => all.some(({ attempts }) => attempts > 0));
    expect(failed.find(({ attempts }) => attempts > 0)).toMatchObject({
      lastError: 'no whole answer within 30 s',
      lastStatus: null,
    });
  });

  test('a receiver that dies gets everything once it is back', async () => {
    const { room: gateway, receiver } = await room();
    const { id } = await gateway.webhook(receiver.url);
    await receiver.close();
    await gateway.happen();
    await gateway.start();
    const [down] = await gateway.settled(id, ([one]) => (one?.attempts ?? 0) > 0);
    expect(down?.lastError).toBe('no answer (ECONNREFUSED)');
    await receiver.listen();
    gateway.later(6_000);
    await gateway.settled(id, allTaken);
    await receiver.close();
    await receiver.listen();
  });

  test('a redirect is not followed', async () => {
    const { room: gateway, receiver } = await room();
    const elsewhere = await Receiver.start();
    receiver.answer = (response) => response.writeHead(307, { Location: elsewhere.url }).end();
    const { id } = await gateway.webhook(receiver.url);
    await gateway.happen();
    await gateway.start();
    const [failed] = await gateway.settled(id, ([one]) => one?.attempts === 1);
    expect(failed).toMatchObject({ lastStatus: 307, lastError: 'HTTP 307: redirects are not followed' });
    expect(elsewhere.received).toEqual([]);
  });

  test('an endless answer is cut off after 64 KiB, and its event counts as delivered', async () => {
    const { room: gateway, receiver } = await room();
    let written = 0;
    receiver.answer = (response) => {
      response.writeHead(200);
      const chunk = Buffer.alloc(16_384, 'x');
      const pour = () => {
        while (!response.destroyed && written < 1_000_000_000) {
          written += chunk.length;
          if (!response.write(chunk)) {
            response.once('drain', pour);
            return;
          }
        }
      };
      pour();
    };
    const { id } = await gateway.webhook(receiver.url);
    await gateway.receive('G1');
    await gateway.start();
    const [taken] = await gateway.settled(id, allTaken);
    expect(taken).toMatchObject({ answer: 'invalid', lastStatus: 200 });
    expect(written).toBeLessThan(50_000_000);
  });

  test('a webhook that was given another URL while the old one answered that it is gone is called there', async () => {
    const { room: gateway, receiver } = await room();
    const moved = await Receiver.start();
    const { id } = await gateway.webhook(receiver.url);
    receiver.answer = (response) => {
      void gateway.database
        .transaction(async (tx) => {
          const endpoint = await findWebhook(tx, id);
          if (endpoint !== undefined) await changeWebhook(tx, { ...endpoint, url: moved.url });
        })
        .then(() => response.writeHead(410).end());
    };
    const event = await gateway.happen();
    await gateway.start();
    await gateway.settled(id, (all) => all.some(({ attempts }) => attempts === 1));
    gateway.later(6_000);
    await moved.count(1);
    expect(moved.received.map((received) => received.event.id)).toEqual([event]);
    expect(await findWebhook(gateway.database, id)).toMatchObject({ url: moved.url, disabledReason: null });
  });

  test('a webhook that is gone (410) is disabled, and what waits for it is set aside', async () => {
    const { room: gateway, receiver } = await room();
    receiver.answer = (response) => response.writeHead(410).end();
    const { id } = await gateway.webhook(receiver.url);
    await gateway.happen();
    await gateway.happen();
    await gateway.start();
    await gateway.settled(id, (all) => all.length === 2 && all.every(({ state }) => state === 'set_aside'));
    expect(await findWebhook(gateway.database, id)).toMatchObject({ disabledReason: 'gone' });
    expect(receiver.received).toHaveLength(1);
  });

  test('Retry-After extends a pause', async () => {
    const { room: gateway, receiver } = await room();
    receiver.answer = (response) => response.writeHead(429, { 'Retry-After': '120' }).end();
    const { id } = await gateway.webhook(receiver.url);
    await gateway.happen();
    await gateway.start();
    const [waiting] = await gateway.settled(id, ([one]) => one?.attempts === 1);
    expect((waiting?.nextAt ?? 0) - (waiting?.lastAt ?? 0)).toBe(120_000);
  });

  test.each([
    ['a private address', 'http://127.0.0.1:1/', undefined],
    ['a private address in brackets', 'http://[::1]:1/', undefined],
    ['a name that means one', 'http://hooks.example:1/', '10.0.0.1'],
    ['a name that means a public and a private one', 'http://hooks.example:1/', '8.8.8.8,169.254.169.254'],
  ])('%s is not connected to unless allowed', async (_what, url, addresses) => {
    const { room: gateway } = await room();
    const { id } = await gateway.webhook(url);
    await gateway.happen();
    await gateway.start({
      allowPrivateAddresses: false,
      findAddresses: (_host, found) =>
        found(
          null,
          (addresses ?? '').split(',').map((address) => ({ address, family: 4 })),
        ),
    });
    const [failed] = await gateway.settled(id, ([one]) => one?.attempts === 1);
    expect(failed?.lastError).toBe('the host has an address that is not on the public internet');
  });

  test("a webhook's answer is the reply that the agent waits for", async () => {
    const { room: gateway, receiver } = await room();
    receiver.answer = (response) =>
      response.end(
        JSON.stringify({ reflex: 'one sec', bubbles: ['found it', 'want it?'], bubble_delay_ms: 300 }),
      );
    const { id } = await gateway.webhook(receiver.url);
    await gateway.receive('G1');
    await gateway.start();
    const [taken] = await gateway.settled(id, allTaken);
    expect(taken?.answer).toBe('given');
    expect(gateway.replies.get('G1')).toEqual({
      should_respond: true,
      reflex_message: 'one sec',
      burst_messages: ['found it', 'want it?'],
      burst_delay_ms: 300,
    });
    await gateway.database.transaction(async (tx) => {
      if (taken !== undefined) await replayDelivery(tx, taken, gateway.clock.now());
      tx.afterCommit(() => gateway.bell.ring());
    });
    await receiver.count(2);
    await gateway.settled(id, allTaken);
    expect(gateway.commands, 'what a replay answers is not said a second time').toEqual([]);
  });

  test('an answer that comes too late for the agent is sent by commands, once', async () => {
    const { room: gateway, receiver } = await room();
    const agent = { id: AGENT, name: null, isInvited: false };
    await gateway.database.transaction((tx) => addAgent(tx, gateway.box, agent, gateway.clock.now()));
    gateway.replies.set('G1', { should_respond: false });
    receiver.answer = (response) =>
      response.end(JSON.stringify({ reflex: 'one sec', bubbles: ['found it'] }));
    const { id } = await gateway.webhook(receiver.url);
    await gateway.receive('G1');
    await gateway.start();
    const [taken] = await gateway.settled(id, allTaken);
    expect(taken?.answer).toBe('sent_later');
    const sent = () =>
      gateway.commands.map(({ payload }) => [payload.text, payload.bubble_type, payload.in_reply_to]);
    expect(sent()).toEqual([
      ['one sec', 'reflex', 'G1'],
      ['found it', 'burst', 'G1'],
    ]);
    await gateway.database.transaction(async (tx) => {
      if (taken !== undefined) await replayDelivery(tx, taken, gateway.clock.now());
      tx.afterCommit(() => gateway.bell.ring());
    });
    await receiver.count(2);
    await gateway.settled(id, allTaken);
    expect(sent()).toHaveLength(2);
    expect(await gateway.database.query('SELECT message_id FROM messages')).toHaveLength(2);
  });

  test('when every webhook has a message and none answers it, the agent gets its answer at once', async () => {
    const { room: gateway, receiver } = await room();
    const other = await Receiver.start();
    let release: (() => void) | undefined;
    other.answer = (response) => {
      release = () => response.end('{"ok":true}');
    };
    const { id } = await gateway.webhook(receiver.url);
    const { id: slow } = await gateway.webhook(other.url);
    await gateway.receive('G1');
    await gateway.start();
    await gateway.settled(id, allTaken);
    expect(gateway.replies.has('G1')).toBe(false);
    await until(
      () => release !== undefined,
      () => 'the slow webhook',
    );
    release?.();
    await gateway.settled(slow, allTaken);
    expect(gateway.replies.get('G1')).toEqual({ should_respond: false });
  });

  test.each(['{"bubbles":"hello"}', '{"reflex":7}', '{"bubbles":[""]}'])(
    'an answer of the wrong form is reported as invalid: %s',
    async (body) => {
      const { room: gateway, receiver } = await room();
      receiver.answer = (response) => response.end(body);
      const { id } = await gateway.webhook(receiver.url);
      await gateway.receive('G1');
      await gateway.start();
      expect((await gateway.settled(id, allTaken))[0]?.answer).toBe('invalid');
      expect(gateway.replies.get('G1')).toEqual({ should_respond: false });
    },
  );

  test('an attempt that is cut by a stop is repeated', async () => {
    const { room: gateway, receiver } = await room();
    receiver.answer = () => undefined;
    const { id } = await gateway.webhook(receiver.url);
    await gateway.happen();
    const first = await gateway.start();
    await receiver.count(1);
    await first.stop();
    expect((await gateway.deliveries(id))[0]).toMatchObject({ attempts: 0, state: 'waiting' });
    receiver.answer = (response) => response.end();
    await gateway.start({ replicaId: 'replica_2' });
    await gateway.settled(id, allTaken);
    expect(receiver.received[1]?.event.id).toBe(receiver.received[0]?.event.id);
  });
});

const postgres = ENGINES.filter(({ name }) => name === 'PostgreSQL');

/** A database that can be taken away. */
async function behindProxy({ place, open }: (typeof postgres)[number]) {
  const url = await place();
  const { hostname, port } = new URL(url);
  const proxy = await TcpProxy.start(() => ({ host: hostname, port: Number(port) }));
  onTestFinished(() => proxy.close());
  return { proxy, gateway: new WebhookRoom(await open(proxy.before(url))), receiver: await Receiver.start() };
}

test.each(postgres)(
  'a conversation does not wait for a minute because the database was away just before its webhook was called, over $name',
  async (engine) => {
    const { proxy, gateway, receiver } = await behindProxy(engine);
    const { id } = await gateway.webhook(receiver.url);
    await gateway.happen();
    const cut = proxy.next('up', 'FROM webhooks WHERE webhook_id', 'cut');
    await gateway.start();
    await cut;
    await proxy.close();
    await until(
      () => gateway.log.lines.some((line) => line.includes('could not be made or noted')),
      () => 'the attempt to fail',
    );
    await proxy.open();
    await gateway.settled(id, allTaken);
    expect(receiver.received).toHaveLength(1);
  },
);

test.each(postgres)(
  'a webhook that answered is not called again because the database was away as that was recorded, over $name',
  async (engine) => {
    const { proxy, gateway, receiver } = await behindProxy(engine);
    const released: (() => void)[] = [];
    receiver.answer = (response) => released.push(() => response.end());
    const { id } = await gateway.webhook(receiver.url);
    await gateway.happen();
    await gateway.start();
    await receiver.count(1);
    const cut = proxy.next('up', 'COMMIT\0', 'cut');
    for (const release of released) release();
    await cut;
    await gateway.settled(id, allTaken);
    expect(receiver.received).toHaveLength(1);
  },
);
