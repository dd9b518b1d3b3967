import { expect, test } from 'vitest';
import { page } from '../docs/page.js';
import { missingProgram, startExample } from '../support/startExample.js';
import { failures, judgeBackend, SECRET, withVerdict } from './judgeBackend.js';

for (const file of ['minimal-node.mjs', 'minimal_python.py'] as const) {
  const missing = missingProgram(file);
  test.skipIf(missing !== '')(`examples/${file} passes every check${missing}`, async (context) => {
    const results = await judgeBackend(await startExample(file, SECRET, context));
    expect(failures(results)).toEqual([]);
    expect(withVerdict(results, 'SKIP')).toEqual(['transport.tls', 'socket.idle']);
  });
}

test('the example for Node is short enough to be read at once, and needs ws alone', () => {
  const text = page('examples/minimal-node.mjs');
  expect(text.trimEnd().split('\n').length).toBeLessThan(120);
  const packages = [...text.matchAll(/from '([^']+)'/g)].map(([, name = '']) => name);
  expect(packages.filter((name) => !name.startsWith('node:'))).toEqual(['ws']);
});
