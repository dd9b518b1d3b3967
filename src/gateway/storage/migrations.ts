import { EdgeError } from '../../errors.js';
import type { Dialect, Queries } from './GatewayDatabase.js';
import { onlyRow } from './storable.js';

/** The statements that bring a database from one version of its schema to the next, for an engine. */
export type Migration = (dialect: Dialect) => readonly string[];

/** Has the version of the schema, in its only row. */
const CREATE_VERSION = 'CREATE TABLE IF NOT EXISTS gateway_schema (version BIGINT NOT NULL)';

/**
 * Migrates the schema by the missing migrations. To be called in a transaction without a concurrent migrator;
 * everything is rolled back if a statement fails. Throws EdgeError `store_newer` for a schema from the future.
 */
export async function migrate(database: Queries, migrations: readonly Migration[]): Promise<void> {
  await database.query(CREATE_VERSION);
  const version = await versionOf(database);
  refuseNewer(version, migrations);
  for (const migration of migrations.slice(version)) {
    for (const statement of migration(database.dialect)) await database.query(statement);
  }
  if (version < migrations.length) {
    await database.query('DELETE FROM gateway_schema');
    await database.query('INSERT INTO gateway_schema (version) VALUES ($1)', [migrations.length]);
  }
}

async function versionOf(database: Queries): Promise<number> {
  const row = onlyRow(await database.query('SELECT max(version) AS version FROM gateway_schema'));
  return typeof row.version === 'number' ? row.version : 0;
}

function refuseNewer(version: number, migrations: readonly Migration[]): void {
  if (version <= migrations.length) return;
  throw new EdgeError(
    'store_newer',
    `The database was written by a newer gateway (schema ${version}, this one knows ${migrations.length}).`,
    'Install the newer edge-agent again, or restore a backup from before.',
  );
}
