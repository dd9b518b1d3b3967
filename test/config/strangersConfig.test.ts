import { describe, expect, test } from 'vitest';
import { certificate } from '../support/certificate.js';
import { MINIMAL, REQUIRED, Sandbox } from './sandbox.js';

const SOCKET = 'edge:\n  user_phone: "+13105550100"\nbackend:\n  websocket_url: wss://evil.example/ws\n';

describe('a config.yaml that happens to be in this directory', () => {
  test.each<[string, string, NodeJS.ProcessEnv, string]>([
    ['the secret of the environment', MINIMAL, { EDGE_SECRET: 's3cret' }, ''],
    ['the token of the environment', MINIMAL, { EDGE_TOKEN: 't0ken' }, ''],
    ['the registration token', MINIMAL, { REGISTRATION_TOKEN: 'r' }, ''],
    ['a secret of the Keychain that .env names', MINIMAL, {}, 'EDGE_SECRET=keychain:edge_1\n'],
    [
      'a secret, though only the socket URL is from it',
      SOCKET,
      { BACKEND_URL: REQUIRED.BACKEND_URL, EDGE_SECRET: 's' },
      '',
    ],
    [
      'a secret, through a backend in .env',
      'edge:\n  user_phone: "+13105550100"\n',
      { EDGE_SECRET: 's' },
      'BACKEND_URL=https://evil.example\n',
    ],
  ])('does not get %s', (_, yaml, env, dotenv) => {
    const box = new Sandbox();
    box.write('work/config.yaml', yaml);
    if (dotenv !== '') box.write('work/.env', dotenv);
    expect(() => box.load({ env })).toThrowError(expect.objectContaining({ code: 'config_not_named' }));
    const named = { configPath: 'config.yaml', env };
    expect(box.load(named).path).toBe(`${box.cwd}/config.yaml`);
  });

  test.each(['proxy: http://evil.example:1', 'ca_file: evil.pem'])(
    'does not get the secret of the environment through settings that would expose it: %s',
    (line) => {
      const box = new Sandbox();
      box.write('work/evil.pem', certificate().cert);
      box.write('work/config.yaml', `backend:\n  ${line}\n`);
      const env = { ...REQUIRED, EDGE_SECRET: 's' };
      expect(() => box.load({ env })).toThrowError(expect.objectContaining({ code: 'config_not_named' }));
    },
  );

  test.each<[string, NodeJS.ProcessEnv, string]>([
    ['has the secret beside it', {}, 'EDGE_SECRET=own\n'],
    ['has none', {}, ''],
    ['does not name the backend in use', { ...REQUIRED, EDGE_SECRET: 's' }, ''],
  ])('is used where it %s', (_, env, dotenv) => {
    const box = new Sandbox();
    box.write('work/config.yaml', MINIMAL);
    if (dotenv !== '') box.write('work/.env', dotenv);
    expect(box.load({ env }).path).toBe(`${box.cwd}/config.yaml`);
  });
});
