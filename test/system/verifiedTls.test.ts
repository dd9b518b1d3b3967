import { describe, expect, test } from 'vitest';
import { weakenedTls } from '../../src/system/verifiedTls.js';

const dotenv = (entries: Record<string, string>) =>
  new Map(Object.entries(entries).map(([name, value], index) => [name, { value, line: index + 1 }]));

describe('every option for less than verified TLS is named', () => {
  test.each<[string, NodeJS.ProcessEnv, Record<string, string>, string[], string[]]>([
    [
      'the variable',
      { NODE_TLS_REJECT_UNAUTHORIZED: '0' },
      {},
      [],
      ['NODE_TLS_REJECT_UNAUTHORIZED (environment)'],
    ],
    [
      'in .env',
      {},
      { A: '1', NODE_TLS_REJECT_UNAUTHORIZED: '0' },
      [],
      ['NODE_TLS_REJECT_UNAUTHORIZED (.env:2)'],
    ],
    [
      'an old TLS',
      { NODE_OPTIONS: '--max-old-space-size=100 --tls-min-v1.0' },
      {},
      [],
      ['--tls-min-v1.0 (NODE_OPTIONS, environment)'],
    ],
    [
      'written with _',
      { NODE_OPTIONS: '--tls_min_v1.1' },
      {},
      [],
      ['--tls-min-v1.1 (NODE_OPTIONS, environment)'],
    ],
    [
      'lenient HTTP',
      {},
      { NODE_OPTIONS: '--insecure-http-parser' },
      [],
      ['--insecure-http-parser (NODE_OPTIONS, .env:1)'],
    ],
    ['on the command line', {}, {}, ['--insecure-http-parser'], ['--insecure-http-parser (command line)']],
    [
      'nothing',
      { NODE_OPTIONS: '--tls-min-v1.3', NODE_TLS_REJECT_UNAUTHORIZED: '1' },
      {},
      ['--enable-source-maps'],
      [],
    ],
  ])('%s', (_, env, inFile, execArgv, names) => {
    expect(weakenedTls(env, dotenv(inFile), execArgv)).toEqual(names);
  });
});
