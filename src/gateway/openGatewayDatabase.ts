import type { Logger } from '../logging/Logger.js';
import type { Clock } from '../system/clock.js';
import type { Random } from '../system/random.js';
import type { GatewaySettings } from './gatewaySettings.js';
import { GATEWAY_MIGRATIONS } from './ledger/gatewayMigrations.js';
import type { GatewayDatabase } from './storage/GatewayDatabase.js';
import { PostgresDatabase } from './storage/PostgresDatabase.js';
import { SqliteDatabase } from './storage/SqliteDatabase.js';

/**
 * Opens the database of a gateway, creates it if it is new, and migrates its schema. Rejects like `SqliteDatabase.open`
 * and `PostgresDatabase.open` do.
 */
export function openGatewayDatabase(
  storage: GatewaySettings['storage'],
  surroundings: { clock: Clock; random: Random; log: Logger },
): Promise<GatewayDatabase> {
  const migrations = GATEWAY_MIGRATIONS;
  if (storage.kind === 'postgres')
    return PostgresDatabase.open({ url: storage.url, migrations, ...surroundings });
  const { clock, log } = surroundings;
  return SqliteDatabase.open({ path: storage.path, migrations, clock, log });
}
