import { describe, expect, test } from 'vitest';
import { childEnvironment, SYSTEM_PATH } from '../../src/system/childEnvironment.js';

const KEPT = {
  HOME: '/Users/a',
  USER: 'a',
  LOGNAME: 'a',
  LANG: 'ja_JP.UTF-8',
  LC_ALL: 'C',
  LC_CTYPE: 'UTF-8',
  TZ: 'Asia/Tokyo',
  TMPDIR: '/var/folders/x',
  __CF_USER_TEXT_ENCODING: '0x1F5:0x1:0xE',
};

describe('what a child inherits', () => {
  test('is who and where the user is, the language and the time zone', () => {
    expect(childEnvironment(KEPT)).toEqual({ ...KEPT, PATH: SYSTEM_PATH });
  });

  test('is the PATH of the system, whatever the agent’s is', () => {
    expect(childEnvironment({ PATH: '/tmp/evil' })).toEqual({ PATH: SYSTEM_PATH });
    expect(childEnvironment({})).toEqual({ PATH: SYSTEM_PATH });
  });

  test.each([
    ...['EDGE_SECRET', 'EDGE_TOKEN', 'EDGE_AGENT_CONFIG', 'BACKEND_URL', 'USER_PHONE', 'REGISTRATION_TOKEN'],
    ...[
      'AWS_SESSION_CREDENTIALS',
      'DATABASE_URL',
      'MY_PASSPHRASE',
      'BEARER',
      'GH_PAT',
      'SENTRY_DSN',
      'COOKIE',
    ],
    ...[
      'DYLD_INSERT_LIBRARIES',
      'LD_PRELOAD',
      'NODE_OPTIONS',
      'NODE_TLS_REJECT_UNAUTHORIZED',
      'BASH_ENV',
      'ENV',
    ],
    ...[
      'OSA_LIBRARY_PATH',
      'PERL5OPT',
      'IFS',
      'SSH_AUTH_SOCK',
      'http_proxy',
      'home',
      'LC_',
      'LC_ALL2',
      'XHOME',
    ],
  ])('is never %s', (name) => {
    expect(childEnvironment({ HOME: '/Users/a', [name]: 'x' })).toEqual({
      HOME: '/Users/a',
      PATH: SYSTEM_PATH,
    });
  });
});
