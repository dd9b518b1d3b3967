import { join } from 'node:path';
import { expect, test } from 'vitest';
import { GATEWAY_MIGRATIONS } from '../../../src/gateway/ledger/gatewayMigrations.js';
import { SqliteDatabase } from '../../../src/gateway/storage/SqliteDatabase.js';
import { systemClock } from '../../../src/system/clock.js';
import { RecordingLog } from '../../support/RecordingLog.js';
import { temporaryDirectory } from '../../support/temporaryStore.js';

/** Of these a gateway has few, and they belong to no agent; the key of `event_log` is another one in PostgreSQL. */
const OF_THE_WHOLE_GATEWAY = /^(gateway_schema|api_keys|audit_log|webhooks|replicas|event_log)$/;

test('every table begins its key with the agent, so that it can be distributed by agent', async () => {
  const path = join(temporaryDirectory(), 'gateway.sqlite');
  const database = await SqliteDatabase.open({
    path,
    migrations: GATEWAY_MIGRATIONS,
    clock: systemClock,
    log: new RecordingLog(),
  });
  const columns = await database.query(
    `SELECT m.name AS name, p.name AS first FROM sqlite_master AS m, pragma_table_info(m.name) AS p
     WHERE m.type = 'table' AND p.pk = 1 AND m.name NOT LIKE 'sqlite_%'`,
  );
  const others = columns.filter(({ name }) => !OF_THE_WHOLE_GATEWAY.test(String(name)));
  expect(others.filter(({ first }) => first !== 'agent_id')).toEqual([]);
  await database.close();
});
