import { expect, test } from 'vitest';
import { gatewaySoak } from './gatewaySoak.js';
import { type BalancerName, installedBalancer } from './LoadBalancer.js';

/** One of many: `npm run soak -- --gateway` takes any other, and more kills. */
const SEED = 7;
const KILLS = 20;

let balancer: BalancerName | undefined;
let missing = '';
try {
  balancer = installedBalancer(undefined);
} catch (error) {
  missing = ` (SKIPPED: ${error instanceof Error ? error.message : String(error)})`;
}

test.skipIf(balancer === undefined)(
  `killed agents, replicas and connections break no promise of the gateway${missing}`,
  { timeout: 1_200_000 },
  async () => {
    if (balancer === undefined) throw new Error('unreachable: it is skipped then');
    const options = { seed: SEED, kills: KILLS, minutes: Infinity, balancer, keep: false };
    const { violations, artefacts, kills, counts } = await gatewaySoak(options);
    expect(violations, artefacts).toEqual([]);
    expect(kills).toBeGreaterThanOrEqual(KILLS);
    // It can only mean something if something went on.
    for (const what of ['messages of people', 'texts accepted', 'texts sent', 'webhook requests'])
      expect(counts[what], what).toBeGreaterThan(3);
  },
);
