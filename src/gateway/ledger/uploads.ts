import { z } from 'zod';
import type { Queries, Transaction } from '../storage/GatewayDatabase.js';
import { readRows } from './readRows.js';

const bytesRow = z.object({ bytes: z.number() });

/** A file of an incoming message; its bytes are in the store of uploads, under `file`. `at` is Unix ms. */
interface UploadedRecord {
  readonly agentId: string;
  readonly guid: string;
  readonly messageGuid: string | null;
  readonly name: string;
  readonly type: string;
  readonly bytes: number;
  readonly file: string;
  readonly at: number;
}

export const uploadTables = (): readonly string[] => [
  `CREATE TABLE uploads (
    agent_id TEXT NOT NULL,
    guid TEXT NOT NULL,
    message_guid TEXT,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    file TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (agent_id, guid)
  )`,
  'CREATE INDEX uploads_message ON uploads (agent_id, message_guid)',
  'CREATE INDEX uploads_at ON uploads (at)',
];

const rowSchema = z
  .object({
    agent_id: z.string(),
    guid: z.string(),
    message_guid: z.string().nullable(),
    name: z.string(),
    type: z.string(),
    bytes: z.number(),
    file: z.string(),
    at: z.number(),
  })
  .transform(
    (row): UploadedRecord => ({
      agentId: row.agent_id,
      guid: row.guid,
      messageGuid: row.message_guid,
      name: row.name,
      type: row.type,
      bytes: row.bytes,
      file: row.file,
      at: row.at,
    }),
  );

/** Notes a file whose bytes are on the disk. One that is known stays as it is: false. */
export async function addUpload(transaction: Transaction, upload: UploadedRecord): Promise<boolean> {
  const added = await transaction.query(
    `INSERT INTO uploads (agent_id, guid, message_guid, name, type, bytes, file, at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (agent_id, guid) DO NOTHING RETURNING guid`,
    [
      upload.agentId,
      upload.guid,
      upload.messageGuid,
      upload.name,
      upload.type,
      upload.bytes,
      upload.file,
      upload.at,
    ],
  );
  return added.length > 0;
}

export async function findUpload(
  queries: Queries,
  agentId: string,
  guid: string,
): Promise<UploadedRecord | undefined> {
  const rows = await queries.query('SELECT * FROM uploads WHERE agent_id = $1 AND guid = $2', [
    agentId,
    guid,
  ]);
  return readRows(rowSchema, rows)[0];
}

/** Where a file is among all, by their age. */
export interface UploadPosition {
  readonly at: number;
  readonly agentId: string;
  readonly guid: string;
}

/** The oldest files from before a time, behind a place. */
export async function uploadsBefore(
  queries: Queries,
  before: number,
  after: UploadPosition | undefined,
  limit: number,
): Promise<UploadedRecord[]> {
  const rows = await queries.query(
    `SELECT * FROM uploads WHERE at < $1 AND (at, agent_id, guid) > (CAST($2 AS BIGINT), CAST($3 AS TEXT), CAST($4 AS TEXT))
     ORDER BY at, agent_id, guid LIMIT CAST($5 AS BIGINT)`,
    [before, after?.at ?? -1, after?.agentId ?? '', after?.guid ?? '', limit],
  );
  return readRows(rowSchema, rows);
}

export async function forgetUpload(transaction: Transaction, agentId: string, guid: string): Promise<void> {
  await transaction.query('DELETE FROM uploads WHERE agent_id = $1 AND guid = $2', [agentId, guid]);
}

/** How much all files come to. */
export async function uploadedBytes(queries: Queries): Promise<number> {
  const rows = await queries.query('SELECT CAST(coalesce(sum(bytes), 0) AS BIGINT) AS bytes FROM uploads');
  return readRows(bytesRow, rows)[0]?.bytes ?? 0;
}
