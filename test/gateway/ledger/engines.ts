import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { GATEWAY_MIGRATIONS } from '../../../src/gateway/ledger/gatewayMigrations.js';
import type { GatewayDatabase } from '../../../src/gateway/storage/GatewayDatabase.js';
import { PostgresDatabase } from '../../../src/gateway/storage/PostgresDatabase.js';
import { SqliteDatabase } from '../../../src/gateway/storage/SqliteDatabase.js';
import { systemClock } from '../../../src/system/clock.js';
import { systemRandom } from '../../../src/system/random.js';
import { RecordingLog } from '../../support/RecordingLog.js';
import { temporaryDirectory } from '../../support/temporaryStore.js';
import { testPostgres } from '../../support/testPostgres.js';

async function openSqlite(): Promise<GatewayDatabase> {
  const database = await SqliteDatabase.open({
    path: join(temporaryDirectory(), 'gateway.sqlite'),
    migrations: GATEWAY_MIGRATIONS,
    clock: systemClock,
    log: new RecordingLog(),
  });
  onTestFinished(() => database.close());
  return database;
}

const postgres = testPostgres();

async function openPostgres(): Promise<GatewayDatabase> {
  const database = await PostgresDatabase.open({
    url: await postgres.freshUrl(),
    migrations: GATEWAY_MIGRATIONS,
    clock: systemClock,
    random: systemRandom,
    log: new RecordingLog(),
  });
  onTestFinished(() => database.close());
  return database;
}

/** Every engine by its name: opens an empty database of a gateway that is closed when the test is over. */
export const ENGINES: readonly (readonly [string, () => Promise<GatewayDatabase>])[] = [
  ['SQLite', openSqlite],
  ['PostgreSQL', openPostgres],
];
