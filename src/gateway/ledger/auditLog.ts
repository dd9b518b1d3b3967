import { z } from 'zod';
import { freshId } from '../../system/random.js';
import type { Queries, Transaction } from '../storage/GatewayDatabase.js';
import { forgetSome } from './forgetRows.js';
import { jsonColumn, readRows } from './readRows.js';

/**
 * Something that was changed, and by whom: the id of an API key, or `operator` at the command line. Neither texts nor people's
 * addresses belong into `details`, nor secrets.
 */
interface AuditEntry {
  readonly actor: string;
  /** What was done, such as `webhook.created`. */
  readonly action: string;
  /** What it was done to: the id of a message, a webhook, a key or an agent. */
  readonly subject: string;
  readonly details: Readonly<Record<string, unknown>>;
  /** Unix ms. */
  readonly at: number;
}

export const auditTables = (): readonly string[] => [
  `CREATE TABLE audit_log (
    entry_id TEXT PRIMARY KEY,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    details TEXT NOT NULL,
    at BIGINT NOT NULL
  )`,
  'CREATE INDEX audit_log_at ON audit_log (at)',
];

const rowSchema = z.object({
  actor: z.string(),
  action: z.string(),
  subject: z.string(),
  details: jsonColumn(z.record(z.string(), z.unknown())),
  at: z.number(),
});

/** Kept if the transaction is: what is in the log was done. */
export async function audit(transaction: Transaction, entry: AuditEntry): Promise<void> {
  await transaction.query(
    'INSERT INTO audit_log (entry_id, actor, action, subject, details, at) VALUES ($1, $2, $3, $4, $5, $6)',
    [freshId('aud'), entry.actor, entry.action, entry.subject, JSON.stringify(entry.details), entry.at],
  );
}

/** The newest entries, newest first. */
export async function auditEntries(queries: Queries, limit: number): Promise<AuditEntry[]> {
  return readRows(
    rowSchema,
    await queries.query('SELECT * FROM audit_log ORDER BY at DESC, entry_id LIMIT CAST($1 AS BIGINT)', [
      limit,
    ]),
  );
}

/** Forgets some entries of before that time. True: there may be more of them. */
export function forgetAuditEntries(transaction: Transaction, before: number): Promise<boolean> {
  return forgetSome(transaction, {
    table: 'audit_log',
    key: ['entry_id'],
    where: 'at < $1',
    values: [before],
  });
}
