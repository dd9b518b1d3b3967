import { onTestFinished } from 'vitest';
import type { Migration } from '../../../src/gateway/storage/migrations.js';
import { PostgresDatabase } from '../../../src/gateway/storage/PostgresDatabase.js';
import { systemClock } from '../../../src/system/clock.js';
import { systemRandom } from '../../../src/system/random.js';
import { RecordingLog } from '../../support/RecordingLog.js';
import { testPostgres } from '../../support/testPostgres.js';
import { NOTES, storageContract } from './contract.js';

const postgres = testPostgres();

async function openAt(url: string, migrations: readonly Migration[] = NOTES) {
  const database = await PostgresDatabase.open({
    url,
    migrations,
    clock: systemClock,
    random: systemRandom,
    log: new RecordingLog(),
  });
  onTestFinished(() => database.close());
  return database;
}

storageContract('PostgreSQL', async (migrations) => openAt(await postgres.freshUrl(), migrations));
