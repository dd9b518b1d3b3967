import { expect, test } from 'vitest';
import type { Bench } from '../../src/checks/check.js';
import { config } from '../../src/checks/settings.js';

test('a configuration with mistakes names the verb that lists them, not one that starts an agent', async () => {
  const bench = { config: { kind: 'invalid', why: 'two mistakes' } } as unknown as Bench;
  if (config.withoutConfig !== true) throw new Error('it needs a configuration');
  const finding = await config.run(bench);
  expect(finding).toMatchObject({
    verdict: 'FAIL',
    remedy: expect.stringMatching(/edge-agent config check$/),
  });
});
