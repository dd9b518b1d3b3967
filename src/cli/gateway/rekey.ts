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
    `Every secret is sealed under the new key (${secrets} were not).`,
    'A backup from before opens only with the key from before: keep that with it.',
  );
  return EXIT.ok;
}
