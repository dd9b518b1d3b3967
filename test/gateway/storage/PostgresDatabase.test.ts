import { describe, expect, onTestFinished, test } from 'vitest';
import type { GatewayDatabase, Transaction } from '../../../src/gateway/storage/GatewayDatabase.js';
import { KeyTurns } from '../../../src/gateway/storage/KeyTurns.js';
import type { Migration } from '../../../src/gateway/storage/migrations.js';
import { PostgresDatabase } from '../../../src/gateway/storage/PostgresDatabase.js';
import { systemClock } from '../../../src/system/clock.js';
import { systemRandom } from '../../../src/system/random.js';
import { FakeClock } from '../../support/FakeClock.js';
import { RecordingLog } from '../../support/RecordingLog.js';
import { TcpProxy } from '../../support/TcpProxy.js';
import { ownPostgres, testPostgres } from '../../support/testPostgres.js';
import { until } from '../../support/until.js';
import { gate, NOTES, storageContract } from './contract.js';
import { expectWholePairs, writeUntilKilled } from './killedWriter.js';

const postgres = testPostgres();

type Settings = Parameters<typeof PostgresDatabase.open>[0];

async function openAt(url: string, settings: Partial<Settings> = {}) {
  const database = await PostgresDatabase.open({
    url,
    migrations: NOTES,
    clock: systemClock,
    random: systemRandom,
    log: new RecordingLog(),
    ...settings,
  });
  onTestFinished(() => database.close());
  return database;
}

/** A database that is reached by way of a proxy. */
async function openBehindProxy(settings: Partial<Settings> = {}) {
  const proxy = await TcpProxy.start(() => postgres);
  onTestFinished(() => proxy.close());
  const url = await postgres.freshUrl();
  const database = await openAt(proxy.before(url), settings);
  return { proxy, database, direct: await openAt(url) };
}

const ADD = 'INSERT INTO notes (agent_id, id, words) VALUES ($1, $2, $3)';

const add = (database: GatewayDatabase, id: number) =>
  database.transaction(async (tx) => tx.query(ADD, ['a', id, null]));

const idsOf = async (database: GatewayDatabase) =>
  (await database.query('SELECT id FROM notes ORDER BY id')).map(({ id }) => id);

const UNAVAILABLE = { code: 'storage_unavailable' };

storageContract('PostgreSQL', async (migrations) => openAt(await postgres.freshUrl(), { migrations }));

describe('durability', () => {
  test('a kill at any time keeps every transaction that had resolved, and none in part', async () => {
    const url = await postgres.freshUrl();
    await (await openAt(url)).close();
    const reported = await writeUntilKilled(['postgres', url], 400);
    await expectWholePairs(await openAt(url), reported);
  });

  test('a connection that is cut before COMMIT reaches the server: the outcome is unknown, and nothing was written', async () => {
    const { proxy, database, direct } = await openBehindProxy();
    const cut = proxy.next('up', 'COMMIT\0', 'cut');
    const calls: string[] = [];
    const writing = database.transaction(async (tx) => {
      tx.afterCommit(() => calls.push('committed'));
      return tx.query(ADD, ['a', 1, null]);
    });
    await expect(writing).rejects.toMatchObject({ code: 'commit_unknown' });
    await cut;
    expect(await idsOf(direct)).toEqual([]);
    await add(database, 2);
    expect(await idsOf(direct)).toEqual([2]);
    expect(calls).toEqual([]);
  });

  test('a connection that is cut before the answer to COMMIT comes: the outcome is unknown, and all of it was written', async () => {
    const { proxy, database, direct } = await openBehindProxy();
    const cut = proxy.next('down', 'COMMIT\0', 'cut');
    const runs: number[] = [];
    const writing = database.transaction(async (tx) => {
      runs.push(runs.length);
      return tx.query(ADD, ['a', 1, null]);
    });
    await expect(writing).rejects.toMatchObject({ code: 'commit_unknown' });
    await cut;
    expect(await idsOf(direct)).toEqual([1]);
    expect(runs).toEqual([0]);
  });

  test('a pooler that loses the server in a transaction, in its own words: the outcome is unknown, and nothing is repeated', async () => {
    const { proxy, database, direct } = await openBehindProxy();
    // As PgBouncer: without what the server had answered.
    const fields = Buffer.from('SFATAL\0VFATAL\0C08P01\0Mserver conn crashed?\0\0');
    const instead = Buffer.concat([Buffer.from('E\0\0\0'), Buffer.from([fields.length + 4]), fields]);
    const lost = proxy.next('down', 'COMMIT\0', { instead });
    let runs = 0;
    const writing = database.transaction(async (tx) => {
      runs += 1;
      void tx.query(ADD, ['a', runs, null]);
    });
    await expect(writing).rejects.toMatchObject({ code: 'commit_unknown' });
    await lost;
    expect([await idsOf(direct), runs]).toEqual([[1], 1]);
  });

  test('a COMMIT that is not answered in time has an unknown outcome too, and the connection is not used again', async () => {
    const { proxy, database, direct } = await openBehindProxy({ patience: { commitMs: 1_500 } });
    const held = proxy.next('down', 'COMMIT\0', 'hold');
    await expect(add(database, 1)).rejects.toMatchObject({ code: 'commit_unknown' });
    await held;
    await add(database, 2);
    expect(await idsOf(direct)).toEqual([1, 2]);
  });

  test('a COMMIT that is sent with all of its transaction has its deadline from the connection on, and ends where nothing answers', async () => {
    const clock = new FakeClock();
    const patience = { commitMs: 1_000, connectMs: 60_000, workMs: 60_000 };
    const { proxy, database, direct } = await openBehindProxy({ clock, patience, connections: 1 });
    const endOther = await holdOpen(database, (tx) => tx.query(ADD, ['a', 1, null]));
    const unheard = (id: number, words: string) =>
      database.transaction(async (tx) => void tx.query(ADD, ['a', id, words]));
    const late = unheard(2, 'late');
    const silent = unheard(3, 'silent');
    silent.catch(() => undefined);
    await until(
      () => {
        clock.advance(500);
        return database.waitingMs >= 3_000;
      },
      () => 'those that wait for the connection',
    );
    const held = proxy.next('up', 'silent', 'hold');
    await Promise.all([endOther(), late, held]);
    clock.advance(1_000);
    await expect(silent).rejects.toMatchObject({ code: 'commit_unknown' });
    expect(await idsOf(direct)).toEqual([1, 2]);
  });

  test('a backend that is terminated by an administrator within a transaction: it is retried, once', async () => {
    const database = await openAt(await postgres.freshUrl());
    const runs: number[] = [];
    await database.transaction(async (tx) => {
      runs.push(runs.length);
      await tx.query(ADD, ['a', 1, null]);
      const [row] = await tx.query('SELECT pg_backend_pid() AS pid');
      if (runs.length === 1) await postgres.admin(`SELECT pg_terminate_backend(${Number(row?.pid)})`);
      await tx.query(ADD, ['a', 2, null]);
    });
    expect(runs).toEqual([0, 1]);
    expect(await idsOf(database)).toEqual([1, 2]);
  });

  test('a backend that is terminated before the COMMIT that was sent with its statements: it is retried, once', async () => {
    const url = await postgres.freshUrl();
    const [database, direct] = [await openAt(url), await openAt(url)];
    const locked = gate();
    const release = gate();
    const holding = direct.transaction(async (tx) => {
      await tx.lock('a');
      locked.resolve();
      await release.promise;
    });
    await locked.promise;
    let runs = 0;
    const adding = database.transaction(async (tx) => {
      runs += 1;
      void tx.lock('a');
      void tx.query(ADD, ['a', runs, null]);
    });
    adding.catch(() => undefined);
    const waiting = `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    let pid: unknown;
    await until(
      async () => {
        pid = (await direct.query(waiting))[0]?.pid;
        return pid !== undefined;
      },
      () => 'the transaction that waits for the lock',
    );
    await postgres.admin(`SELECT pg_terminate_backend(${Number(pid)})`);
    release.resolve();
    await Promise.all([holding, adding]);
    expect(await idsOf(database)).toEqual([2]);
  });
});

describe('what is retried', () => {
  test('a connection that is cut during the work: on another one, and what it did is there once', async () => {
    const { proxy, database, direct } = await openBehindProxy();
    const calls: string[] = [];
    await database.transaction(async (tx) => {
      tx.afterCommit(() => calls.push('committed'));
      await tx.query(ADD, ['a', 1, null]);
      if (proxy.accepted === 1) proxy.cut();
      await tx.query(ADD, ['a', 2, null]);
    });
    expect(await idsOf(direct)).toEqual([1, 2]);
    expect(calls).toEqual(['committed']);
  });

  test.each(['40001', '40P01'])('a transaction that ends with %s, until it succeeds', async (state) => {
    const database = await openAt(await postgres.freshUrl(), {
      migrations: [
        ...NOTES,
        () => [
          'CREATE SEQUENCE attempts',
          `CREATE FUNCTION fail_thrice() RETURNS BIGINT LANGUAGE plpgsql AS $$
           DECLARE attempt BIGINT := nextval('attempts');
           BEGIN
             IF attempt <= 3 THEN RAISE EXCEPTION 'in the way' USING ERRCODE = '${state}'; END IF;
             RETURN attempt;
           END $$`,
        ],
      ],
    });
    const rows = await database.transaction(async (tx) => {
      await tx.query(ADD, ['a', 1, null]);
      return tx.query('SELECT fail_thrice() AS attempt');
    });
    expect(rows).toEqual([{ attempt: 4 }]);
    expect(await idsOf(database)).toEqual([1]);
  });

  test('one that never succeeds is given up', async () => {
    const database = await openAt(await postgres.freshUrl());
    let runs = 0;
    const failing = database.transaction(async (tx) => {
      runs += 1;
      await tx.query(`DO $$ BEGIN RAISE EXCEPTION 'in the way' USING ERRCODE = '40001'; END $$`);
    });
    await expect(failing).rejects.toMatchObject(UNAVAILABLE);
    expect(runs).toBeGreaterThan(2);
    expect(runs).toBeLessThan(10);
  });

  test('real deadlocks: both transactions succeed', async () => {
    const database = await openAt(await postgres.freshUrl());
    await add(database, 1);
    await add(database, 2);
    const update = "UPDATE notes SET words = coalesce(words, '') || $2 WHERE id = $1";
    let arrived = 0;
    const { promise: both, resolve: meet } = gate();
    const inOrder = (first: number, second: number) =>
      database.transaction(async (tx) => {
        await tx.query(update, [first, 'x']);
        arrived += 1;
        if (arrived === 2) meet();
        await both;
        await tx.query(update, [second, 'x']);
      });
    await Promise.all([inOrder(1, 2), inOrder(2, 1)]);
    expect(await database.query('SELECT words FROM notes')).toEqual([{ words: 'xx' }, { words: 'xx' }]);
  });

  test('a statement that failed the first time has its columns the next time', async () => {
    const database = await openAt(await postgres.freshUrl(), { connections: 1 });
    await add(database, 0);
    const inverse = 'SELECT id, 6 / id AS part FROM notes ORDER BY id';
    await expect(database.query(inverse)).rejects.toMatchObject({ code: 'internal' });
    await database.transaction(async (tx) => tx.query('DELETE FROM notes'));
    expect(await database.query(inverse)).toEqual([]);
    for (const id of [2, 3]) await add(database, id);
    for (let count = 0; count < 2; count += 1) {
      const twice = await database.transaction((tx) => Promise.all([tx.query(inverse), tx.query(inverse)]));
      for (const rows of twice)
        expect(rows).toEqual([
          { id: 2, part: 3 },
          { id: 3, part: 2 },
        ]);
    }
  });

  test('a statement whose prepared plan a migration of another replica has made invalid', async () => {
    const url = await postgres.freshUrl();
    const database = await openAt(url, { connections: 1 });
    await add(database, 1);
    const all = 'SELECT * FROM notes';
    await database.query(all);
    await (
      await openAt(url, { migrations: [...NOTES, () => ['ALTER TABLE notes ADD COLUMN more TEXT']] })
    ).close();
    expect(await database.query(all)).toEqual([
      { agent_id: 'a', id: 1, words: null, bytes: null, more: null },
    ]);
    expect(await database.transaction(async (tx) => tx.query(all))).toHaveLength(1);
  });
});

describe('a database that cannot be reached', () => {
  test('at the start is an error that says why, without the password', async () => {
    const url = new URL(await postgres.freshUrl());
    const { password } = url;
    const closed = await TcpProxy.start(() => postgres);
    await closed.close();
    const missing = new URL(url);
    missing.pathname = 'no_such_database';
    const wrong = new URL(url);
    wrong.password = 'not-the-password';
    for (const target of [closed.before(url.href), missing.href, wrong.href]) {
      const error: unknown = await openAt(target).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject(UNAVAILABLE);
      expect(String(error)).not.toContain(password);
      expect(String(error)).not.toContain('not-the-password');
    }
    await expect(openAt('https://example.com')).rejects.toMatchObject({ code: 'config_invalid' });
  });

  test('because nothing answers is given up in time, at the start and later', async () => {
    const patience = { connectMs: 1_500, workMs: 1_500, closeMs: 100 };
    const { proxy, database } = await openBehindProxy({ patience, connections: 1 });
    proxy.silence('down');
    await expect(add(database, 1)).rejects.toMatchObject(UNAVAILABLE);
    await expect(database.query('SELECT 1 AS one')).rejects.toMatchObject(UNAVAILABLE);
    await expect(database.notify('channel', '')).rejects.toMatchObject(UNAVAILABLE);
    await expect(database.listen('channel', nothing, nothing)).rejects.toMatchObject(UNAVAILABLE);
    await expect(openAt(proxy.before(await postgres.freshUrl()), { patience })).rejects.toMatchObject(
      UNAVAILABLE,
    );
    await database.close();
  });

  test('for a while recovers on its own', async () => {
    const { proxy, database } = await openBehindProxy();
    await proxy.close();
    await expect(add(database, 1)).rejects.toMatchObject(UNAVAILABLE);
    await expect(database.query('SELECT 1 AS one')).rejects.toMatchObject(UNAVAILABLE);
    await proxy.open();
    await add(database, 2);
    expect(await idsOf(database)).toEqual([2]);
  });

  test('because it crashed and was restarted: no transaction fails for a connection from before', async () => {
    const server = await ownPostgres();
    onTestFinished(() => server.end());
    const database = await openAt(server.urlOf(), { connections: 4 });
    const heard: string[] = [];
    const { promise: back, resolve: missed } = gate();
    await database.listen('channel', (payload) => heard.push(payload), missed);
    await Promise.all([1, 2, 3, 4].map((id) => add(database, id)));
    await server.crash();
    await expect(add(database, 5)).rejects.toMatchObject(UNAVAILABLE);
    await server.restart();
    await Promise.all([6, 7, 8, 9].map((id) => add(database, id)));
    expect(await idsOf(database)).toEqual([1, 2, 3, 4, 6, 7, 8, 9]);
    await back;
    await database.notify('channel', 'after');
    await until(
      () => heard.length > 0,
      () => 'the notification',
    );
    expect(heard).toEqual(['after']);
  });

  test('because a failover left its connections open: one deadline, and all later ones succeed', async () => {
    const patience = { workMs: 1_500 };
    const { proxy, database, direct } = await openBehindProxy({ connections: 4, patience });
    await Promise.all([1, 2, 3, 4].map((id) => add(database, id)));
    expect(proxy.connections).toBe(4);
    proxy.silence('up');
    await expect(add(database, 5)).rejects.toMatchObject(UNAVAILABLE);
    proxy.passNewConnections();
    await add(database, 6);
    await add(database, 7);
    expect(await idsOf(direct)).toEqual([1, 2, 3, 4, 6, 7]);
    // The first deadline ended the idle ones from before.
    expect(proxy.connections).toBeLessThan(4);
  });

  test('because all connections are in use: what waits too long is refused, and what comes later is not', async () => {
    const database = await openAt(await postgres.freshUrl(), {
      connections: 1,
      patience: { connectMs: 1_500 },
    });
    const endLong = await holdOpen(database, (tx) => tx.query(ADD, ['a', 1, null]));
    await expect(add(database, 2)).rejects.toMatchObject(UNAVAILABLE);
    await endLong();
    await add(database, 3);
    expect(await idsOf(database)).toEqual([1, 3]);
  });
});

describe('a slow database', () => {
  test('a statement that runs too long is ended on the server', async () => {
    const database = await openAt(await postgres.freshUrl(), { patience: { statementMs: 1_500 } });
    const slow = database.transaction(async (tx) => {
      await tx.query(ADD, ['a', 1, null]);
      await tx.query('SELECT pg_sleep(60)');
    });
    await expect(slow).rejects.toMatchObject(UNAVAILABLE);
    await expect(database.query('SELECT pg_sleep(60)')).rejects.toMatchObject(UNAVAILABLE);
    expect(await idsOf(database)).toEqual([]);
  });

  test('a lock that another one holds too long is not waited for', async () => {
    const database = await openAt(await postgres.freshUrl(), { patience: { lockMs: 100 } });
    const letGo = await holdLock(database, 'agent a');
    const waiting = database.transaction(async (tx) => tx.lock('agent a'));
    await expect(waiting).rejects.toMatchObject(UNAVAILABLE);
    await database.transaction(async (tx) => tx.lock('agent b'));
    await letGo();
  });

  test('a rush on one lock takes no connection from others, and is served in its order', async () => {
    const database = await openAt(await postgres.freshUrl(), { connections: 2 });
    const letGo = await holdLock(database, 'agent a');
    const ids = Array.from({ length: 50 }, (_, nth) => nth + 1);
    const order: number[] = [];
    const rush = ids.map((id) =>
      database.transaction(async (tx) => {
        await tx.lock('agent a');
        await tx.query(ADD, ['a', id, null]);
        tx.afterCommit(() => order.push(id));
      }),
    );
    await database.transaction(async (tx) => {
      await tx.lock('agent b');
      await tx.query(ADD, ['b', 0, null]);
    });
    expect(await idsOf(database)).toEqual([0]);
    await Promise.all([letGo(), ...rush]);
    expect(order).toEqual(ids);
  });

  test('a lock that many wait for is waited for while it is passed on', async () => {
    const clock = new FakeClock(Date.now());
    const turns = new KeyTurns(clock, { lockMs: 5_000, turnMs: 12_000 });
    const ends: (() => void)[] = [];
    const waits = Array.from({ length: 4 }, () => turns.take('a').then((end) => ends.push(end)));
    const last = expect(waits[3]).rejects.toMatchObject(UNAVAILABLE);
    for (const nth of [0, 1]) {
      await waits[nth];
      clock.advance(4_000);
      ends[nth]?.();
    }
    await expect(waits[2]).resolves.toBe(3);
    // No connection held it for 5 s, but the last one has waited for 12 s.
    clock.advance(4_000);
    await last;
    ends[2]?.();
    await expect(turns.take('a')).resolves.toBeTypeOf('function');
  });

  test('work that waits for something other than its transaction is given up, and its connection is not kept', async () => {
    const database = await openAt(await postgres.freshUrl(), { patience: { workMs: 1_500 }, connections: 1 });
    const hanging = database.transaction(async (tx) => {
      await tx.query(ADD, ['a', 1, null]);
      await new Promise(() => undefined);
    });
    await expect(hanging).rejects.toMatchObject(UNAVAILABLE);
    await add(database, 2);
    expect(await idsOf(database)).toEqual([2]);
  });
});

describe('a server that accepts no writes', () => {
  test('is an error of its own, and is retried on a new connection, which may lead to another server', async () => {
    const url = await postgres.freshUrl();
    const database = await openAt(url, { connections: 1 });
    const [row] = await database.query('SELECT current_database() AS name');
    const set = (to: string) =>
      postgres.admin(
        'SET default_transaction_read_only = off',
        `ALTER DATABASE ${String(row?.name)} SET default_transaction_read_only = ${to}`,
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
      );
    await set('on');
    await expect(add(database, 1)).rejects.toMatchObject({ code: 'storage_read_only' });
    expect(await idsOf(database)).toEqual([]);
    await expect(openAt(url)).rejects.toMatchObject({ code: 'storage_read_only' });
    await set('off');
    await add(database, 2);
    expect(await idsOf(database)).toEqual([2]);
  });
});

test.each([
  ['53100', 'disk_full'],
  ['53300', 'storage_unavailable'],
  ['XX001', 'store_damaged'],
  ['23514', 'internal'],
  ['08P01', 'internal'],
])(
  'an answer of PostgreSQL with the state %s is %s, and none of its text is passed on',
  async (state, code) => {
    const database = await openAt(await postgres.freshUrl());
    const failing = database.transaction(async (tx) => {
      await tx.query(ADD, ['a', 1, null]);
      await tx.query(`DO $$ BEGIN RAISE EXCEPTION 'a secret text' USING ERRCODE = '${state}'; END $$`);
    });
    const error: unknown = await failing.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code });
    expect(String(error)).not.toContain('secret');
    await add(database, 2);
    expect(await idsOf(database)).toEqual([2]);
  },
);

describe('the schema', () => {
  test('of several replicas that start at once is migrated by one of them', async () => {
    const url = await postgres.freshUrl();
    const migrations: readonly Migration[] = [
      ...NOTES,
      () => ["INSERT INTO notes (agent_id, id) VALUES ('a', 1)"],
    ];
    const opened = await Promise.all([1, 2, 3, 4].map(() => openAt(url, { migrations })));
    for (const database of opened) expect(await idsOf(database)).toEqual([1]);
  });

  test('from the future is refused', async () => {
    const url = await postgres.freshUrl();
    await openAt(url, { migrations: [...NOTES, () => []] });
    await expect(openAt(url)).rejects.toMatchObject({ code: 'store_newer' });
  });

  test('is unchanged if a migration fails halfway', async () => {
    const url = await postgres.freshUrl();
    const failing: Migration = () => [
      'ALTER TABLE notes ADD COLUMN more TEXT',
      'CREATE TABLE notes (id BIGINT)',
    ];
    await (await openAt(url)).close();
    await expect(openAt(url, { migrations: [...NOTES, failing] })).rejects.toMatchObject({
      code: 'internal',
    });
    const database = await openAt(url);
    await expect(database.query('SELECT more FROM notes')).rejects.toMatchObject({ code: 'internal' });
  });
});

describe('a server that would lose or change what it stores', () => {
  test('because commits do not wait for the disk is refused', async () => {
    const url = new URL(await postgres.freshUrl());
    url.searchParams.set('options', '-csynchronous_commit=off');
    await expect(openAt(url.href)).rejects.toMatchObject({ code: 'storage_unsuitable' });
  });

  test('because the database cannot keep every text is refused', async () => {
    const name = 'edge_test_ascii';
    const url = new URL(await postgres.freshUrl());
    const [row] = await (await openAt(url.href)).query(
      "SELECT current_setting('server_version_num') AS version",
    );
    // PostgreSQL 14 knows no other provider.
    const provider = Number(row?.version) < 150_000 ? '' : 'LOCALE_PROVIDER libc';
    await postgres.admin(
      `DROP DATABASE IF EXISTS ${name}`,
      `CREATE DATABASE ${name} ENCODING 'SQL_ASCII' LOCALE 'C' ${provider} TEMPLATE template0`,
    );
    url.pathname = name;
    await expect(openAt(url.href)).rejects.toMatchObject({ code: 'storage_unsuitable' });
    await postgres.admin(`DROP DATABASE ${name}`);
  });
});

describe('listening', () => {
  test('continues after the connection was cut, and each listener is notified that it may have missed something', async () => {
    const { proxy, database, direct } = await openBehindProxy();
    const heard: string[] = [];
    const missed: string[] = [];
    await database.listen(
      'one',
      (payload) => heard.push(payload),
      () => missed.push('one'),
    );
    await database.listen(
      'two',
      (payload) => heard.push(payload),
      () => missed.push('two'),
    );
    await direct.notify('one', 'before');
    await until(
      () => heard.length === 1,
      () => 'the first notification',
    );
    expect(missed).toEqual([]);
    proxy.cut();
    await until(
      () => missed.length === 2,
      () => 'word that something may have been missed',
    );
    await direct.notify('two', 'after');
    await until(
      () => heard.length === 2,
      () => 'the notification after it',
    );
    expect(heard).toEqual(['before', 'after']);
    expect(missed).toEqual(['one', 'two']);
  });

  test('notices a network that swallows everything, and connects again', async () => {
    const clock = new FakeClock();
    const { proxy, database } = await openBehindProxy({ clock });
    const { promise: back, resolve: missed } = gate();
    await database.listen('channel', nothing, missed);
    const before = proxy.accepted;
    proxy.silence('down');
    await until(
      () => clock.pending === 1,
      () => 'the wait for the next probe',
    );
    clock.advance(15_000);
    await until(
      () => clock.pending === 1,
      () => 'the deadline of the probe',
    );
    clock.advance(10_000);
    proxy.resume();
    await until(
      () => clock.pending === 1,
      () => 'the pause before the next attempt',
    );
    clock.advance(5_000);
    await back;
    expect(proxy.accepted).toBe(before + 1);
  });

  test('that cannot begin is refused and forgotten', async () => {
    const { proxy, database, direct } = await openBehindProxy({ patience: { connectMs: 5_000 } });
    const heard: string[] = [];
    await proxy.close();
    const listening = database.listen('channel', (payload) => heard.push(payload), nothing);
    await expect(listening).rejects.toMatchObject(UNAVAILABLE);
    await proxy.open();
    const others: string[] = [];
    const listens = () => database.listen('channel', (payload) => others.push(payload), nothing);
    await until(
      () =>
        listens().then(
          () => true,
          () => false,
        ),
      () => 'a connection to listen on',
    );
    await direct.notify('channel', 'here');
    await until(
      () => others.length === 1,
      () => 'the notification',
    );
    expect(heard).toEqual([]);
  });
});

function nothing(): void {
  // Of no interest to the test.
}

/** Begins a transaction with this work, and leaves it open; resolves with what commits it. */
async function holdOpen(
  database: PostgresDatabase,
  work: (tx: Transaction) => Promise<unknown>,
): Promise<() => Promise<void>> {
  const { promise: end, resolve: finish } = gate();
  const { promise: begun, resolve: begin } = gate();
  const open = database.transaction(async (tx) => {
    await work(tx);
    begin();
    await end;
  });
  await begun;
  return async () => {
    finish();
    await open;
  };
}

/** Takes the lock in a transaction of its own; resolves with what lets it go. */
function holdLock(database: PostgresDatabase, key: string): Promise<() => Promise<void>> {
  return holdOpen(database, (tx) => tx.lock(key));
}
