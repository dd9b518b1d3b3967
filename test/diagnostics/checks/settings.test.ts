import { expect, test } from 'vitest';
import type { CheckContext } from '../../../src/diagnostics/checks/check.js';
import { config } from '../../../src/diagnostics/checks/settings.js';

test('a configuration with mistakes names the verb that lists them, not one that starts an agent', async () => {
  const context = { config: { kind: 'invalid', why: 'two mistakes' } } as unknown as CheckContext;
  if (config.withoutConfig !== true) throw new Error('it needs a configuration');
  const finding = await config.run(context);
  expect(finding).toMatchObject({
    verdict: 'FAIL',
    remedy: expect.stringMatching(/edge-agent config check$/),
  });
});
