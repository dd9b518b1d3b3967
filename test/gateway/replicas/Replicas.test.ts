import { expect, test } from 'vitest';
import { holderOf } from '../../../src/gateway/ledger/connections.js';
import { SecretBox } from '../../../src/gateway/ledger/SecretBox.js';
import { Replicas } from '../../../src/gateway/replicas/Replicas.js';
import { channelOf } from '../../../src/gateway/replicas/WakeUps.js';
import { SqliteDatabase } from '../../../src/gateway/storage/SqliteDatabase.js';
import { systemClock } from '../../../src/system/clock.js';
import { FakeClock } from '../../support/FakeClock.js';
import { RecordingLog } from '../../support/RecordingLog.js';
import { seeded } from '../../support/seeded.js';
import { temporaryDirectory } from '../../support/temporaryStore.js';
import { testPostgres } from '../../support/testPostgres.js';
import { until } from '../../support/until.js';
import { gate } from '../storage/contract.js';
import { Observer, SOCKETS, TestReplica } from './ReplicaStage.js';

const postgres = testPostgres();
const MINUTE = 60_000;

/** Two replicas on one database, whose clocks are two minutes apart. */
async function twoReplicas() {
  const url = await postgres.freshUrl();
  const [a, b] = await Promise.all([
    TestReplica.start(postgres, url, 'a', Date.now() + MINUTE),
    TestReplica.start(postgres, url, 'b', Date.now() - MINUTE),
  ]);
  return { a, b, observer: await Observer.open(url) };
}

const UNAVAILABLE = { code: 'storage_unavailable' };

test('a second socket on another replica takes over, and the first replica is notified', async () => {
  const { a, b, observer } = await twoReplicas();
  const first = await a.claim('agent');
  const second = await b.claim('agent');
  expect(second).toBeGreaterThan(first);
  await until(
    () => a.takenOver.length > 0,
    () => 'word of the takeover',
  );
  expect(a.takenOver).toEqual([['agent', second]]);
  expect([a.replicas.holds('agent', first), b.replicas.holds('agent', second)]).toEqual([false, true]);
  expect(await observer.rows()).toEqual([{ agent_id: 'agent', replica_id: 'b', epoch: second }]);
});

test('the end of a socket that was taken over changes nothing for the new one', async () => {
  const { a, b, observer } = await twoReplicas();
  const first = await a.claim('agent');
  const second = await b.claim('agent');
  a.replicas.release('agent', first, 'closed');
  await a.replicas.settled();
  expect(await observer.rows()).toEqual([{ agent_id: 'agent', replica_id: 'b', epoch: second }]);
});

test('what waits for an agent wakes the replica that holds its socket, and no other', async () => {
  const { a, b } = await twoReplicas();
  await a.claim('of a');
  await b.claim('of b');
  b.replicas.wake(['of a', 'of b', 'of nobody']);
  await b.replicas.settled();
  await until(
    () => a.woken.length > 0,
    () => 'the wake-up',
  );
  expect(a.woken).toEqual(['of a']);
  expect(b.woken).toEqual(['of b']);
});

test('a burst for two thousand agents costs a few lookups and notifications', async () => {
  const { a, b, observer } = await twoReplicas();
  const agents = Array.from({ length: 2_000 }, (_, index) => `agent_${index + 1}`);
  await observer.database.transaction(async (transaction) =>
    transaction.query(
      `INSERT INTO connections (agent_id, epoch, replica_id, since, told_online)
       SELECT 'agent_' || number, 1, 'a', 0, 1 FROM generate_series(1, 2000) AS number`,
    ),
  );
  for (let repeat = 0; repeat < 5; repeat += 1) for (const agent of agents) b.replicas.wake([agent]);
  await until(
    () => new Set(a.woken).size === agents.length,
    () => `${agents.length} wake-ups`,
  );
  expect(a.woken.length).toBe(agents.length);
  expect(a.wakes).toBeLessThan(25);
});

test('a wake-up that fails because the database is away is made up for when it is back', async () => {
  const { a, b } = await twoReplicas();
  await a.claim('agent');
  await b.proxy.close();
  b.replicas.wake(['agent']);
  await b.replicas.settled();
  expect(a.woken).toEqual([]);
  await b.proxy.open();
  await b.renew();
  await until(
    () => a.woken.length > 0,
    () => 'the wake-up',
  );
  expect(a.woken).toEqual(['agent']);
});

test('a takeover that was missed, because the listening connection was lost, is found on its return', async () => {
  const { a, b } = await twoReplicas();
  const first = await a.claim('agent');
  await a.proxy.close();
  await b.claim('agent');
  await b.replicas.settled();
  expect(a.takenOver).toEqual([]);
  await a.proxy.open();
  await until(
    () => a.takenOver.length > 0,
    () => 'the takeover',
  );
  expect(a.missed).toBe(1);
  expect(a.replicas.holds('agent', first)).toBe(false);
});

test('a takeover whose notification was lost is found by the sweep, and what waits there is offered by the new holder', async () => {
  const { a, b, observer } = await twoReplicas();
  await a.claim('agent');
  // A takeover without a word.
  await observer.database.transaction(async (transaction) =>
    transaction.query("UPDATE connections SET replica_id = 'b', epoch = epoch + 1"),
  );
  await a.pass(30_000);
  expect(a.takenOver).toEqual([['agent', 2]]);
  await until(
    () => b.woken.length > 0,
    () => 'the wake-up of the new holder',
  );
});

test('whatever no notification reports is queried again once a minute', async () => {
  const { a } = await twoReplicas();
  await a.pass(59_000);
  expect(a.missed).toBe(0);
  await a.pass(2_000);
  expect(a.missed).toBe(1);
});

test('a replica that cannot reach the database gives up its sockets before its lease ends, and none can be claimed', async () => {
  const { a, b, observer } = await twoReplicas();
  const epoch = await a.claim('agent');
  await a.proxy.close();
  await a.pass(12_900);
  expect(a.leasesLost).toBe(0);
  expect(await holderOf(observer.database, 'agent')).toMatchObject({ replicaId: 'a' });
  await a.pass(200);
  expect(a.leasesLost).toBe(1);
  expect(a.replicas.holds('agent', epoch)).toBe(false);
  await expect(a.replicas.claim('agent', () => true)).rejects.toMatchObject(UNAVAILABLE);
  expect(b.leasesLost).toBe(0);
});

test('a lease that was lost is regained, without the sockets from before', async () => {
  const { a, observer } = await twoReplicas();
  await a.claim('agent');
  await a.proxy.close();
  await a.pass(14_000);
  await a.proxy.open();
  await a.renew();
  expect(a.replicas.isReady).toBe(true);
  expect(await holderOf(observer.database, 'agent')).toBeUndefined();
  const epoch = await a.claim('agent');
  expect(await holderOf(observer.database, 'agent')).toMatchObject({ replicaId: 'a', epoch });
});

test('a process that slept past its lease gives up its sockets before it renews', async () => {
  const { a, observer } = await twoReplicas();
  await a.claim('agent');
  await a.sleep(10 * MINUTE);
  expect(a.leasesLost).toBe(1);
  expect(await holderOf(observer.database, 'agent')).toBeUndefined();
});

test('a lease that was given up while its renewal was under way leaves no socket behind', async () => {
  const { a, observer } = await twoReplicas();
  await a.claim('agent');
  await a.sleep(14_000);
  expect([a.leasesLost, a.replicas.isReady]).toEqual([1, true]);
  expect(await holderOf(observer.database, 'agent')).toBeUndefined();
});

test('a process that slept past its lease gives up its sockets, also if it first learns that it had renewed it', async () => {
  const { a, observer } = await twoReplicas();
  await a.claim('agent');
  a.clock.advance(5_000);
  a.clock.block(MINUTE);
  await a.replicas.settled();
  await a.sleep(0);
  expect(a.leasesLost).toBe(1);
  expect(a.heldAgents()).toEqual([]);
  await a.renew();
  expect(a.replicas.isReady).toBe(true);
  expect(await holderOf(observer.database, 'agent')).toBeUndefined();
});

test('a claim with an unknown outcome is not held, and is given up once the database can be asked', async () => {
  const { a, observer } = await twoReplicas();
  const cut = a.proxy.next('down', 'COMMIT\0', 'cut');
  await expect(a.replicas.claim('agent', () => true)).rejects.toMatchObject({ code: 'commit_unknown' });
  await cut;
  await a.renew();
  await observer.untilRows(
    (rows) => JSON.stringify(rows) === JSON.stringify([{ agent_id: 'agent', replica_id: null, epoch: 1 }]),
    'the end of the claim',
  );
});

test('a socket that ended while its claim waited takes nothing over from the next one', async () => {
  const { a, b, observer } = await twoReplicas();
  const { promise: end, resolve: finish } = gate();
  const { promise: held, resolve: hold } = gate();
  const epoch = await b.claim('agent');
  const holding = observer.database.transaction(async (tx) => {
    await tx.lock('agent');
    hold();
    await end;
  });
  await held;
  let isOpen = true;
  const claimed = a.replicas.claim('agent', () => isOpen);
  isOpen = false;
  finish();
  await holding;
  expect(await claimed).toEqual({ kind: 'ended' });
  expect(await holderOf(observer.database, 'agent')).toMatchObject({ replicaId: 'b', epoch });
});

test('the end of a socket that could not be stored is stored later', async () => {
  const { a, observer } = await twoReplicas();
  const epoch = await a.claim('agent');
  await a.proxy.close();
  a.replicas.release('agent', epoch, 'closed');
  await a.replicas.settled();
  await a.proxy.open();
  await a.renew();
  await observer.untilRows(
    (rows) => JSON.stringify(rows).includes('"replica_id":null'),
    'the end of the socket',
  );
});

test('sockets of one agent that open everywhere at once leave one, which the database knows too', async () => {
  const { a, b, observer } = await twoReplicas();
  const claims = await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      const replica = index % 2 === 0 ? a : b;
      return { replica, claim: await replica.replicas.claim('agent', () => true) };
    }),
  );
  const [row] = await observer.database.query('SELECT epoch, replica_id FROM connections');
  expect(row?.epoch).toBe(20);
  const epochs = claims.flatMap(({ claim }) => (claim.kind === 'held' ? [claim.epoch] : []));
  expect(new Set(epochs).size).toBe(epochs.length);
  const holding = () =>
    claims.filter(
      ({ replica, claim }) => claim.kind === 'held' && replica.replicas.holds('agent', claim.epoch),
    );
  await until(
    () => holding().length === 1,
    () => 'one socket that is held',
  );
  expect(holding()[0]?.claim).toEqual({ kind: 'held', epoch: 20 });
});

test('an agent that stays away is reported offline once, however many replicas look, and online when it is back', async () => {
  const { a, b, observer } = await twoReplicas();
  const epoch = await a.claim('agent');
  a.replicas.release('agent', epoch, 'closed');
  await a.replicas.settled();
  await Promise.all([a.pass(30_000), b.pass(30_000)]);
  expect(await observer.told()).toEqual([{ agent_id: 'agent', epoch: 1, what: 'online' }]);
  await observer.age(31_000);
  // The leases aged with it; they are renewed within this time.
  await Promise.all([a.pass(30_000), b.pass(30_000)]);
  await b.claim('agent');
  expect(await observer.told()).toEqual([
    { agent_id: 'agent', epoch: 1, what: 'online' },
    { agent_id: 'agent', epoch: 1, what: 'offline' },
    { agent_id: 'agent', epoch: 2, what: 'online' },
  ]);
});

test('an agent that comes back soon is not reported', async () => {
  const { a, b, observer } = await twoReplicas();
  const epoch = await a.claim('agent');
  a.replicas.release('agent', epoch, 'closed');
  await a.replicas.settled();
  await b.claim('agent');
  await observer.age(31_000);
  await Promise.all([a.pass(30_000), b.pass(30_000)]);
  expect(await observer.told()).toEqual([{ agent_id: 'agent', epoch: 1, what: 'online' }]);
});

test('the agents of a replica that died silently are reported offline by another one', async () => {
  const { a, b, observer } = await twoReplicas();
  await a.claim('agent');
  await a.proxy.close();
  await observer.age(46_000);
  await b.renew();
  await b.pass(25_000);
  expect(await observer.told()).toEqual([
    { agent_id: 'agent', epoch: 1, what: 'online' },
    { agent_id: 'agent', epoch: 1, what: 'offline' },
  ]);
  expect(await observer.rows()).toEqual([{ agent_id: 'agent', replica_id: null, epoch: 1 }]);
});

test('a replica that stops gives up what it holds, and no longer listens', async () => {
  const { a, b, observer } = await twoReplicas();
  await a.claim('agent');
  const ofB = await b.claim('other');
  await a.replicas.stop();
  expect(await observer.rows()).toEqual([
    { agent_id: 'agent', replica_id: null, epoch: 1 },
    { agent_id: 'other', replica_id: 'b', epoch: ofB },
  ]);
  expect(await observer.database.query('SELECT replica_id FROM replicas')).toEqual([{ replica_id: 'b' }]);
  await expect(a.replicas.claim('agent', () => true)).rejects.toMatchObject(UNAVAILABLE);
  await observer.database.notify(channelOf('a'), '{"wake":["agent"]}');
  b.replicas.wake(['other']);
  await b.replicas.settled();
  expect(a.woken).toEqual([]);
});

test('a notification that cannot be parsed counts as one that was lost', async () => {
  const { a, observer } = await twoReplicas();
  await observer.database.notify(channelOf('a'), 'what is this');
  await until(
    () => a.missed === 1,
    () => 'word that something may have been missed',
  );
});

test('in SQLite, where there is one replica, it wakes its own sockets', async () => {
  const database = await SqliteDatabase.open({
    path: `${temporaryDirectory()}/gateway.sqlite`,
    migrations: SOCKETS,
    clock: systemClock,
    log: new RecordingLog(),
  });
  const woken: string[] = [];
  const nothing = () => undefined;
  const replicas = await Replicas.start({
    database,
    box: new SecretBox(Buffer.alloc(32, 1)),
    clock: new FakeClock(),
    random: () => 0,
    log: new RecordingLog(),
    replicaId: 'only',
    listener: {
      online: async () => undefined,
      offline: async () => undefined,
      takenOver: nothing,
      wake: (agentIds) => woken.push(...agentIds),
      mayHaveMissed: nothing,
      leaseLost: nothing,
    },
  });
  expect(await replicas.claim('agent', () => true)).toEqual({ kind: 'held', epoch: 1 });
  replicas.wake(['agent', 'other']);
  await replicas.settled();
  expect(woken).toEqual(['agent']);
  await replicas.stop();
  expect(await database.query('SELECT replica_id FROM connections')).toEqual([{ replica_id: null }]);
  await database.close();
});

test('in SQLite, a gateway that got no time to renew its lease keeps its sockets', async () => {
  const database = await SqliteDatabase.open({
    path: `${temporaryDirectory()}/gateway.sqlite`,
    migrations: SOCKETS,
    clock: systemClock,
    log: new RecordingLog(),
  });
  const clock = new FakeClock();
  const lost: string[] = [];
  let missed = 0;
  const replicas = await Replicas.start({
    database,
    box: new SecretBox(Buffer.alloc(32, 1)),
    clock,
    random: () => 0,
    log: new RecordingLog(),
    replicaId: 'only',
    listener: {
      online: async () => undefined,
      offline: async (_transaction, { agentId }) => void lost.push(agentId),
      takenOver: (agentId) => lost.push(agentId),
      wake: () => undefined,
      mayHaveMissed: () => {
        missed += 1;
      },
      leaseLost: () => lost.push('all'),
    },
  });
  expect(await replicas.claim('agent', () => true)).toEqual({ kind: 'held', epoch: 1 });
  const busy = gate();
  const begun = gate();
  const work = database.transaction(async () => {
    begun.resolve();
    await busy.promise;
  });
  await begun.promise;
  clock.advance(20_000);
  expect([replicas.isReady, replicas.holds('agent', 1)]).toEqual([false, true]);
  const claimed = replicas.claim('other', () => true);
  busy.resolve();
  await work;
  expect(await claimed).toEqual({ kind: 'held', epoch: 1 });
  await replicas.settled();
  const missedBefore = missed;
  clock.advance(5_000);
  await replicas.settled();
  // What was added meanwhile is offered.
  expect([replicas.isReady, missed]).toEqual([true, missedBefore + 1]);
  // A lease that ended while its renewal was under way: what was added meanwhile is offered here too.
  clock.advance(14_000);
  await replicas.settled();
  expect([replicas.isReady, missed]).toEqual([true, missedBefore + 2]);
  // As the database has it, its lease has been over for longer than an agent may be away.
  await database.transaction((tx) => tx.query('UPDATE replicas SET lease_until = lease_until - 3600000'));
  for (const ms of [40_000, 5_000]) {
    clock.advance(ms);
    await replicas.settled();
  }
  expect([replicas.isReady, replicas.holds('agent', 1), lost]).toEqual([true, true, []]);
  expect(await database.query('SELECT replica_id FROM connections')).toEqual([
    { replica_id: 'only' },
    { replica_id: 'only' },
  ]);
  await replicas.stop();
  await database.close();
});

test.each([1, 2, 3])(
  'whatever is cut while agents come and go, in the end each replica holds what the database says (seed %i)',
  async (seed) => {
    const { a, b, observer } = await twoReplicas();
    const random = seeded(seed);
    const pick = <T>(items: readonly [T, ...T[]]): T =>
      items[Math.floor(random() * items.length)] ?? items[0];
    const agents = ['one', 'two', 'three', 'four'] as const;
    for (let step = 0; step < 60; step += 1) {
      const replica = pick([a, b]);
      const agent = pick(agents);
      const action = random();
      // Claims may fail now; that is what it is about.
      if (action < 0.5) await replica.claim(agent).catch(() => undefined);
      else if (action < 0.65) replica.releaseHeld(agent);
      else if (action < 0.8) replica.proxy.cut();
      else if (action < 0.9) void replica.proxy.next(pick(['up', 'down']), 'COMMIT\0', 'cut');
      else await replica.pass(pick([1_000, 6_000]));
    }
    for (const replica of [a, b]) {
      replica.proxy.forgetNext();
      await replica.pass(40_000);
      await replica.pass(40_000);
    }
    const rows = await observer.database.query('SELECT agent_id, replica_id, epoch FROM connections');
    expect(rows.length).toBeGreaterThan(0);
    for (const { agent_id, replica_id, epoch } of rows) {
      const holds = ({ replicas }: TestReplica) => replicas.holds(String(agent_id), Number(epoch));
      expect({ a: holds(a), b: holds(b) }).toEqual({ a: replica_id === 'a', b: replica_id === 'b' });
    }
    expect([a, b].flatMap((replica) => replica.heldAgents()).length).toBe(
      rows.filter(({ replica_id }) => replica_id !== null).length,
    );
  },
);
