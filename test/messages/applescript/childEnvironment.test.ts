import { expect, it } from 'vitest';
import { childEnvironment } from '../../../src/messages/applescript/childEnvironment.js';

it('keeps what osascript needs and nothing of ours or secret', () => {
  const kept = { PATH: '/bin', HOME: '/Users/a', LANG: 'ja_JP.UTF-8', TMPDIR: '/tmp' };
  const dropped = Object.fromEntries(
    [
      ...['EDGE_SECRET', 'EDGE_TOKEN', 'EDGE_AGENT_ID', 'EDGE_BACKEND_URL', 'edge_secret'],
      ...['BACKEND_URL', 'BACKEND_WS_URL', 'USER_PHONE', 'REGISTRATION_TOKEN'],
      ...['AWS_SECRET_ACCESS_KEY', 'GITHUB_TOKEN', 'PGPASSWORD', 'OPENAI_API_KEY', 'Npm_Token'],
    ].map((name) => [name, 'x']),
  );
  expect(childEnvironment({ ...kept, ...dropped })).toEqual(kept);
});
