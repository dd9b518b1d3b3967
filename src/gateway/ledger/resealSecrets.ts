import type { GatewayDatabase } from '../storage/GatewayDatabase.js';
import { resealAgents } from './agents.js';
import type { SecretBox } from './SecretBox.js';
import { resealWebhooks } from './webhookEndpoints.js';

/**
 * Encrypts every secret in the database with the current key of the box; returns how many were encrypted with another
 * one. After a crash in between, each opens with one of the keys of the box, and the next call continues. Resolves when
 * none is left. Throws EdgeError `secret_missing` if one opens with none of the keys.
 */
export async function resealSecrets(database: GatewayDatabase, box: SecretBox): Promise<number> {
  // What was sealed before the box had this key, and is not committed yet, must be seen below.
  await database.transaction(async () => undefined);
  let count = 0;
  for (;;) {
    // Secrets are rotated meanwhile, so it is looked until a look finds nothing.
    const found = (await resealAgents(database, box)) + (await resealWebhooks(database, box));
    if (found === 0) return count;
    count += found;
  }
}
