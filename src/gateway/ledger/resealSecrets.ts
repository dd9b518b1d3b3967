import type { GatewayDatabase } from '../storage/GatewayDatabase.js';
import { resealAgents } from './agents.js';
import type { SecretBox } from './SecretBox.js';
import { resealWebhooks } from './webhookEndpoints.js';

/**
 * Seals every secret in the database under the key that the box seals with now; gives how many were sealed under another. Whatever
 * dies in between, each opens with one of the keys of the box, and the next call goes on. Resolves when there was
 * none left. Throws EdgeError `secret_missing` where one opens with none of the keys.
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
