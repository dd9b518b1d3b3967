import { expect, test } from 'vitest';
import { restartWords } from '../../src/system/restartWords.js';

test.each([
  [false, 'darwin', /Ctrl-C\), then edge-agent run\.$/],
  [false, 'linux', /Ctrl-C\), then edge-agent run\.$/],
  [true, 'darwin', /edge-agent restart\.$/],
  [true, 'linux', /what started it \(edge-agent run --service\)\.$/],
] as const)(
  'an agent (as a service: %s, on %s) is restarted by a verb that works for it',
  (isService, platform, words) => {
    expect(restartWords(isService, platform)).toMatch(words);
  },
);
