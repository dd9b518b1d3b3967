import { join } from 'node:path';
import type { TestContext } from 'vitest';
import { onTestFinished } from 'vitest';
import { GATEWAY_MIGRATIONS } from '../../src/gateway/ledger/gatewayMigrations.js';
import type { GatewayDatabase } from '../../src/gateway/storage/GatewayDatabase.js';
import { PostgresDatabase } from '../../src/gateway/storage/PostgresDatabase.js';
import { SqliteDatabase } from '../../src/gateway/storage/SqliteDatabase.js';
import { systemClock } from '../../src/system/clock.js';
import { systemRandom } from '../../src/system/random.js';
import { PATIENCE_MS } from '../support/patience.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { sized } from '../support/size.js';
import { temporaryDirectory } from '../support/temporaryDirectory.js';
import { testPostgres } from '../support/testPostgres.js';

/** Deadlines that no busy machine reaches: what is given up, and when, is tested with the storage. */
export const PATIENT = {
  ...{ connectMs: PATIENCE_MS, statementMs: PATIENCE_MS, lockMs: PATIENCE_MS, turnMs: PATIENCE_MS },
  ...{ workMs: PATIENCE_MS, commitMs: PATIENCE_MS },
};

/** An engine under a test: opens an empty database of a gateway, which is closed when the test is over. */
export interface GatewayEngine {
  readonly name: 'SQLite' | 'PostgreSQL';
  /** Where a gateway finds an empty database. Tests that run side by side name theirs. */
  place(test?: Pick<TestContext, 'onTestFinished'>): Promise<string>;
  open(place?: string, test?: Pick<TestContext, 'onTestFinished'>): Promise<GatewayDatabase>;
}

/**
 * To be called at the top of a file: each engine that a gateway may have. `quick`: the one on which the quick tests of that file are run,
 * where those of the storage and of the ledger show on both what depends on the engine.
 */
export function gatewayEngines(quick?: GatewayEngine['name']): readonly GatewayEngine[] {
  const postgres = testPostgres();
  const opened = async (
    database: Promise<GatewayDatabase>,
    test: Pick<TestContext, 'onTestFinished'> = { onTestFinished },
  ) => {
    const open = await database;
    test.onTestFinished(() => open.close());
    return open;
  };
  const shared = { migrations: GATEWAY_MIGRATIONS, clock: systemClock, log: new RecordingLog() };
  const sqlitePlace = async (test: Pick<TestContext, 'onTestFinished'> = { onTestFinished }) =>
    join(temporaryDirectory(test), 'gateway.sqlite');
  const engines: readonly GatewayEngine[] = [
    {
      name: 'SQLite',
      place: sqlitePlace,
      open: async (place, test) =>
        opened(SqliteDatabase.open({ path: place ?? (await sqlitePlace(test)), ...shared }), test),
    },
    {
      name: 'PostgreSQL',
      place: () => postgres.freshUrl(),
      open: async (place, test) => {
        const url = place ?? (await postgres.freshUrl());
        return opened(
          PostgresDatabase.open({ url, random: systemRandom, patience: PATIENT, ...shared }),
          test,
        );
      },
    },
  ];
  return engines.filter(({ name }) => quick === undefined || sized(name === quick, true));
}
