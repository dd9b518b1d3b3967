import { EXIT } from '../exitCodes.js';
import { give } from '../print.js';
import { askGateway } from './askGateway.js';
import type { AdminOptions } from './gatewayPlace.js';

/** Seals every secret under a new key. What was begun and not finished is finished. */
export async function rekey(options: AdminOptions): Promise<number> {
  const asked = await askGateway(options, 'rekey', {});
  if ('exitCode' in asked) return asked.exitCode;
  const { secrets } = asked.result;
  give(
    options,
    { secrets },
    `Every secret is encrypted under the new key (${secrets} were changed).`,
    'An earlier backup can be read only with the old key: keep the key with it.',
  );
  return EXIT.ok;
}
