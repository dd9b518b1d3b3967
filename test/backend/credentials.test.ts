import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  type CredentialInput,
  credentialsFor,
  isHmacToken,
  mintToken,
  refusalRemedy,
} from '../../src/backend/credentials.js';

const base: CredentialInput = {
  secrets: { edgeSecret: 's3cret' },
  settings: { userPhone: '+13105550100', authMode: 'hmac', allowPlainSecret: false },
  agentId: 'edge_13105550100',
  url: 'https://backend.example.com/edge/sync',
  now: 1_771_200_000_999,
};
const ask = (change: Partial<CredentialInput>) => credentialsFor({ ...base, ...change });

describe('credentials', () => {
  test('makes the token that the configuration reference describes', () => {
    const signed = 'edge_13105550100:+13105550100:1771200000';
    const hex = createHmac('sha256', 's3cret').update(signed).digest('hex');
    expect(mintToken('s3cret', base.agentId, '+13105550100', base.now)).toBe(
      Buffer.from(`${signed}:${hex}`).toString('base64'),
    );
    expect(ask({})).toMatchObject({ kind: 'token', mode: 'hmac', warnings: [] });
    expect(isHmacToken(mintToken('x', 'a', '+1', base.now))).toBe(true);
  });

  test('prefers a pinned token, but not a signed one that would expire', () => {
    expect(ask({ secrets: { edgeSecret: 's3cret', edgeToken: 'pinned' } })).toMatchObject({
      token: 'pinned',
      mode: 'pinned',
    });
    const signed = mintToken('s3cret', base.agentId, '+13105550100', 1_700_000_000_000);
    const ignored = ask({ secrets: { edgeSecret: 's3cret', edgeToken: signed } });
    expect(ignored).toMatchObject({ mode: 'hmac', warnings: [expect.stringContaining('EDGE_TOKEN')] });
    expect(ask({ secrets: { edgeToken: signed } })).toMatchObject({ token: signed, mode: 'pinned' });
  });

  test('refuses to send the plain secret off this machine, whatever the configuration', () => {
    const plain = { ...base.settings, authMode: 'secret' as const };
    expect(ask({ settings: plain })).toMatchObject({ kind: 'none', code: 'plain_secret_refused' });
    expect(ask({ secrets: { edgeSecret: 's', edgeToken: 's' } })).toMatchObject({
      code: 'plain_secret_refused',
    });
    expect(ask({ settings: { ...plain, allowPlainSecret: true } })).toMatchObject({
      token: 's3cret',
      mode: 'secret',
    });
    for (const host of ['127.0.0.1:3000', 'localhost', '[::1]:1'])
      expect(ask({ settings: plain, url: `http://${host}/` })).toMatchObject({
        token: 's3cret',
        mode: 'secret',
      });
  });

  test('gives no token to a host that is not reached by TLS', () => {
    expect(ask({ url: 'http://backend.example.com' })).toMatchObject({
      kind: 'none',
      code: 'backend_insecure',
    });
    expect(ask({ url: 'ws://backend.example.com' })).toMatchObject({
      kind: 'none',
      code: 'backend_insecure',
    });
    expect(ask({ url: 'wss://backend.example.com' }).kind).toBe('token');
  });

  test('trims and reports it, and treats blank as missing', () => {
    const trimmed = ask({ secrets: { edgeSecret: ' s3cret\n' } });
    expect(trimmed).toMatchObject({ warnings: [expect.stringContaining('EDGE_SECRET has whitespace')] });
    expect(trimmed).toMatchObject({ token: (ask({}) as { token: string }).token });
    expect(ask({ secrets: { edgeSecret: '  ' } })).toMatchObject({ kind: 'none', code: 'secret_missing' });
  });

  test('uses the registered token only where nothing else is set', () => {
    expect(ask({ secrets: {}, registeredToken: 'reg' })).toMatchObject({ token: 'reg', mode: 'registered' });
    expect(ask({ registeredToken: 'reg' })).toMatchObject({ mode: 'hmac' });
  });

  test('refuses what a header cannot carry, without showing it', () => {
    const broken = ask({ secrets: { edgeToken: 'sec\nret' } });
    expect(broken).toMatchObject({ kind: 'none' });
    expect(JSON.stringify(broken)).not.toContain('sec\\nret');
  });

  test('names clock skew and plain-secret backends among the remedies', () => {
    expect(refusalRemedy('hmac', 3_600_000)).toMatch(/plain secrets.*3600 s behind/);
    expect(refusalRemedy('hmac', -120_000)).toContain('120 s ahead of');
    expect(refusalRemedy('hmac', 5_000)).not.toContain('clock');
  });
});
