import type { Migration } from '../storage/migrations.js';

/**
 * The schema of the gateway, oldest version first. Each file of the ledger contributes its tables to the newest version that is not
 * released yet; a released version never changes.
 */
export const GATEWAY_MIGRATIONS: readonly Migration[] = [
  // Version 1: not released yet. One line for each file of the ledger: `...commandTables(dialect)`.
  () => [],
];
