import { join } from 'node:path';
import { expect, test } from 'vitest';
import { chosenConfigPath } from '../../src/config/places.js';
import { MINIMAL, Sandbox } from './sandbox.js';

test('a configuration that happens to be in this directory is not the chosen one', () => {
  const box = new Sandbox();
  box.write('work/config.yaml', MINIMAL);
  const usual = join(box.home, '.config/edge-agent/config.yaml');
  expect(chosenConfigPath(box.places())).toBe(usual);
  expect(chosenConfigPath(box.places({ env: { EDGE_AGENT_CONFIG: '~/a.yaml' } }))).toBe(
    join(box.home, 'a.yaml'),
  );
  expect(chosenConfigPath(box.places({ configPath: 'b.yaml', env: { EDGE_AGENT_CONFIG: 'a.yaml' } }))).toBe(
    join(box.cwd, 'b.yaml'),
  );
});
