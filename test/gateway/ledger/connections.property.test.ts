import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  claimConnection,
  connectionTables,
  endReplica,
  forgetDeadReplicas,
  heldBy,
  holderOf,
  holdersOf,
  releaseConnection,
  renewReplica,
} from '../../../src/gateway/ledger/connections.js';
import type { GatewayDatabase, Transaction } from '../../../src/gateway/storage/GatewayDatabase.js';
import { PostgresDatabase } from '../../../src/gateway/storage/PostgresDatabase.js';
import { SqliteDatabase } from '../../../src/gateway/storage/SqliteDatabase.js';
import { systemClock } from '../../../src/system/clock.js';
import { systemRandom } from '../../../src/system/random.js';
import { RecordingLog } from '../../support/RecordingLog.js';
import { temporaryDirectory } from '../../support/temporaryStore.js';
import { testPostgres } from '../../support/testPostgres.js';

const postgres = testPostgres();
const AGENTS = ['one', 'two'];
const PARTS = {
  migrations: [
    () => [
      'CREATE TABLE agents (agent_id TEXT PRIMARY KEY)',
      ...AGENTS.map((id) => `INSERT INTO agents (agent_id) VALUES ('${id}')`),
      ...connectionTables(),
    ],
  ],
  clock: systemClock,
  random: systemRandom,
  log: new RecordingLog(),
};
const ENGINES: Readonly<Record<string, () => Promise<GatewayDatabase>>> = {
  SQLite: async () => SqliteDatabase.open({ ...PARTS, path: `${temporaryDirectory()}/gateway.sqlite` }),
  PostgreSQL: async () => PostgresDatabase.open({ ...PARTS, url: await postgres.freshUrl() }),
};

const LEASE_MS = 15_000;
const REPLICAS = ['a', 'b', 'c'];
/** The wall clocks of the replicas, in ms from the right time: none of it may matter. */
const SKEW: Readonly<Record<string, number>> = { a: 0, b: 60_000, c: -60_000 };

/** What ought to be so. Time is in ms before now, by the clock of the database. */
interface Model {
  /** By replica: how long its lease still lasts; gone: undefined. */
  leases: Map<string, number>;
  /** By agent. */
  sockets: Map<string, { replica: string | undefined; epoch: number }>;
  /** Every claim that there was: the epochs of an agent only grow. */
  claims: { agent: string; epoch: number }[];
}

type Step = (model: Model, database: GatewayDatabase) => Promise<void>;

const replica = fc.constantFrom(...REPLICAS);
const agent = fc.constantFrom(...AGENTS);
const write = <T>(database: GatewayDatabase, work: (transaction: Transaction) => Promise<T>) =>
  database.transaction(work);
const nowOf = (name: string) => Date.now() + (SKEW[name] ?? 0);

const step: fc.Arbitrary<[string, Step]> = fc.oneof(
  fc.tuple(agent, replica).map(([agentId, name]): [string, Step] => [
    `${name} claims ${agentId}`,
    async ({ sockets, claims }, database) => {
      const before = sockets.get(agentId);
      const claimed = await write(database, async (tx) => {
        await tx.lock(agentId);
        return claimConnection(tx, agentId, name, nowOf(name));
      });
      if (claimed === undefined) throw new Error(`there is no ${agentId}`);
      expect(claimed.epoch).toBe((before?.epoch ?? 0) + 1);
      expect(claimed.former).toBe(before?.replica);
      sockets.set(agentId, { replica: name, epoch: claimed.epoch });
      claims.push({ agent: agentId, epoch: claimed.epoch });
    },
  ]),
  fc.tuple(agent, fc.nat(20)).map(([agentId, back]): [string, Step] => [
    `the socket of ${agentId} from ${back} claims ago ends`,
    async ({ sockets, claims }, database) => {
      const epochs = claims.filter((claim) => claim.agent === agentId).map(({ epoch }) => epoch);
      const epoch = epochs.at(-1 - back);
      if (epoch === undefined) return;
      await write(database, (tx) => releaseConnection(tx, agentId, epoch, 'closed'));
      if (sockets.get(agentId)?.epoch === epoch) sockets.set(agentId, { replica: undefined, epoch });
    },
  ]),
  replica.map((name): [string, Step] => [
    `${name} renews`,
    async ({ leases }, database) => {
      await write(database, (tx) => renewReplica(tx, name, LEASE_MS, nowOf(name)));
      leases.set(name, LEASE_MS);
    },
  ]),
  replica.map((name): [string, Step] => [
    `${name} stops`,
    async ({ leases, sockets }, database) => {
      await write(database, (tx) => endReplica(tx, name, 'stopped'));
      leases.delete(name);
      for (const [agentId, socket] of sockets) {
        if (socket.replica === name) sockets.set(agentId, { ...socket, replica: undefined });
      }
    },
  ]),
  fc.constantFrom(4_000, 16_000, 40_000).map((ms): [string, Step] => [
    `${ms} ms pass`,
    async ({ leases }, database) => {
      await write(database, (tx) =>
        tx.query('UPDATE replicas SET lease_until = lease_until - CAST($1 AS BIGINT)', [ms]),
      );
      for (const [name, left] of leases) leases.set(name, left - ms);
    },
  ]),
  fc.constant<[string, Step]>([
    'the dead are forgotten',
    async ({ leases, sockets }, database) => {
      await write(database, (tx) => forgetDeadReplicas(tx, 30_000));
      for (const [name, left] of leases) if (left < -30_000) leases.delete(name);
      for (const [agentId, socket] of sockets) {
        if (socket.replica !== undefined && !leases.has(socket.replica)) {
          sockets.set(agentId, { ...socket, replica: undefined });
        }
      }
    },
  ]),
);

async function expectAgreement({ leases, sockets }: Model, database: GatewayDatabase): Promise<void> {
  const live = (name: string | undefined) => (name === undefined ? 0 : (leases.get(name) ?? 0)) > 0;
  for (const agentId of AGENTS) {
    const socket = sockets.get(agentId);
    const expected = live(socket?.replica) ? { replicaId: socket?.replica, epoch: socket?.epoch } : undefined;
    const holder = await holderOf(database, agentId);
    expect(holder && { replicaId: holder.replicaId, epoch: holder.epoch }).toEqual(expected);
  }
  const holders = await holdersOf(database, AGENTS);
  expect(new Map(holders.map((holder) => [holder.agentId, holder.replicaId]))).toEqual(
    new Map(
      [...sockets].flatMap(([agentId, socket]) => (live(socket.replica) ? [[agentId, socket.replica]] : [])),
    ),
  );
  for (const name of REPLICAS) {
    expect(await heldBy(database, name)).toEqual(
      new Map([...sockets].flatMap(([id, socket]) => (socket.replica === name ? [[id, socket.epoch]] : []))),
    );
  }
}

test.each(Object.entries(ENGINES))(
  'in %s an agent has one holder at most, epochs only grow, and an old socket ends nothing, whatever the clocks say',
  async (_, open) => {
    const database = await open();
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        await write(database, async (tx) => {
          for (const table of ['connections', 'replicas']) await tx.query(`DELETE FROM ${table}`);
        });
        const model: Model = { leases: new Map(), sockets: new Map(), claims: [] };
        for (const [, run] of steps) {
          await run(model, database);
          await expectAgreement(model, database);
        }
      }),
      { numRuns: 40 },
    );
    await database.close();
  },
);
