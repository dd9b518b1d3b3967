import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { SALVAGE_RULES } from '../../src/store/salvage/rules.js';
import { type Killed, killedAtWork } from './SalvageWorld.js';
import { damagedLife, keepsItsPromises } from './salvagePromises.js';

const SEEDS = 200;
let killed: Promise<Killed> | undefined;

test.each(Object.keys(SALVAGE_RULES))(
  `a page of %s damaged at random, ${SEEDS} times: nothing twice, nothing lost without a report (seeds 1 to ${SEEDS})`,
  async (table) => {
    killed ??= killedAtWork();
    const broken: string[] = [];
    for (let seed = 1; seed <= SEEDS; seed++) {
      const life = await damagedLife(await killed, table, seed);
      try {
        keepsItsPromises(life);
      } catch (error) {
        broken.push(`seed ${seed}: ${String(error)}`);
      } finally {
        life.stop();
        life.store.close();
        rmSync(dirname(life.path), { recursive: true });
      }
    }
    expect(broken).toEqual([]);
  },
  600_000,
);
