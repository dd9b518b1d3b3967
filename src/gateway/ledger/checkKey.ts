import { z } from 'zod';
import { EdgeError } from '../../errors.js';
import type { Queries } from '../storage/GatewayDatabase.js';
import { ownerOf } from './agents.js';
import { readRows } from './readRows.js';
import type { SecretBox } from './SecretBox.js';

/** So many secrets are tried: one that was spoilt says nothing of the key. */
const TRIED = 20;

const sealedRow = z.object({ owner: z.string(), sealed: z.string() });

/**
 * Refuses a key under which nothing in the database opens: what would be sealed under it, no other replica could open. Throws EdgeError
 * `secret_missing`.
 */
export async function checkKey(queries: Queries, box: SecretBox): Promise<void> {
  const agents = await queries.query(
    `SELECT agent_id AS owner, sealed FROM agent_secrets WHERE valid_until IS NULL LIMIT ${TRIED}`,
  );
  const webhooks = await queries.query(
    `SELECT webhook_id AS owner, secret AS sealed FROM webhooks LIMIT ${TRIED}`,
  );
  const secrets = [
    ...readRows(sealedRow, agents).map(({ owner, sealed }) => [sealed, ownerOf(owner)] as const),
    ...readRows(sealedRow, webhooks).map(({ owner, sealed }) => [sealed, owner] as const),
  ];
  if (secrets.length === 0 || secrets.some(([sealed, owner]) => box.opens(sealed, owner))) return;
  throw new EdgeError(
    'secret_missing',
    'No secret in the database can be decrypted with this key of the gateway.',
    'Set GATEWAY_KEY to the key that the gateway had, or put its file <data>.key back.',
  );
}
