import type { StoredRow, StoredValue, Transaction } from '../storage/GatewayDatabase.js';

/**
 * So many rows are forgotten in one transaction at most. One statement for all that has gathered would hold up everybody else, and one
 * that runs into its deadline would forget nothing, the next time as little.
 */
export const FORGOTTEN_AT_ONCE = 500;

/** Rows of a table: `key` are the columns of its primary key, `where` is a condition on it that may name the table. */
interface OldRows {
  readonly table: string;
  readonly key: readonly string[];
  readonly where: string;
  readonly values: readonly StoredValue[];
}

/** Deletes up to `FORGOTTEN_AT_ONCE` of these rows, and gives the keys of those that it deleted. Replicas that do so at once share them. */
export async function deleteSome(
  transaction: Transaction,
  { table, key, where, values }: OldRows,
): Promise<readonly StoredRow[]> {
  const columns = key.join(', ');
  const skip = transaction.dialect === 'postgres' ? 'FOR UPDATE SKIP LOCKED' : '';
  return transaction.query(
    `DELETE FROM ${table} WHERE (${columns}) IN (
       SELECT ${columns} FROM ${table} WHERE ${where} LIMIT ${FORGOTTEN_AT_ONCE} ${skip}) RETURNING ${columns}`,
    values,
  );
}

/** The same; whether there may be more of them. */
export async function forgetSome(transaction: Transaction, rows: OldRows): Promise<boolean> {
  return (await deleteSome(transaction, rows)).length >= FORGOTTEN_AT_ONCE;
}
