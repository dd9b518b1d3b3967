import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mintToken, verifyCredentials } from '../../../src/gateway/agents/authentication.js';
import { anyText } from '../../support/anyText.js';

const secret = 's3cret';
const agentId = 'edge_13106781670';
const phone = '+13106781670';
const madeAt = 1_770_000_000;

function verify(token: string, more: { now?: number; agentId?: string; production?: boolean } = {}) {
  return verifyCredentials(
    { authorization: `Bearer ${token}`, agentId: more.agentId ?? agentId },
    { secret, production: more.production ?? true, now: (more.now ?? madeAt) * 1000 },
  );
}

describe('a signed token', () => {
  test('is the one that the configuration reference computes', () => {
    const claim = `${agentId}:${phone}:${madeAt}`;
    const signature = createHmac('sha256', secret).update(claim).digest('hex');
    expect(mintToken(secret, agentId, phone, madeAt)).toBe(
      Buffer.from(`${claim}:${signature}`).toString('base64'),
    );
  });

  test('is valid from the skew before it was made to the skew after its 24 hours, and not a second longer', () => {
    const token = mintToken(secret, agentId, phone, madeAt);
    const last = madeAt + 86_400 + 300;
    const first = madeAt - 300;
    expect(verify(token, { now: first })).toEqual({ kind: 'accepted', by: 'hmac', agentId });
    expect(verify(token, { now: last })).toEqual({ kind: 'accepted', by: 'hmac', agentId });
    expect(verify(token, { now: first - 1 })).toMatchObject({ kind: 'refused', reason: /clocks differ/ });
    expect(verify(token, { now: last + 1 })).toMatchObject({ kind: 'refused', reason: /expired/ });
  });

  test('is refused for another agent than the one it was made for', () => {
    const token = mintToken(secret, agentId, phone, madeAt);
    expect(verify(token, { agentId: 'edge_1999' })).toMatchObject({ kind: 'refused' });
  });

  test('is refused when made with another secret, with no further detail', () => {
    const token = mintToken('other', agentId, phone, 1);
    expect(verify(token)).toEqual({
      kind: 'refused',
      reason: 'the signature does not verify: another secret was used',
    });
  });

  test('is invalidated by a change of any single character', () => {
    const token = Buffer.from(mintToken(secret, agentId, phone, madeAt), 'base64').toString();
    fc.assert(
      fc.property(fc.nat(token.length - 1), fc.constantFrom('0', '1', 'a', ':'), (index, character) => {
        fc.pre(token[index] !== character);
        const changed = token.slice(0, index) + character + token.slice(index + 1);
        expect(verify(Buffer.from(changed).toString('base64')).kind).toBe('refused');
      }),
    );
  });
});

describe('the Authorization header', () => {
  test('is missing when it is absent or no bearer token, which is reported differently from refused', () => {
    const against = { secret, production: false, now: 0 };
    for (const authorization of [undefined, '', secret, `Basic ${secret}`, 'Bearer', 'Bearer ']) {
      expect(verifyCredentials({ authorization, agentId }, against)).toEqual({ kind: 'missing' });
    }
  });

  test('may hold the plain secret, but not in production', () => {
    expect(verify(secret, { production: false })).toEqual({ kind: 'accepted', by: 'secret' });
    expect(verify(secret, { production: true })).toMatchObject({ kind: 'refused', reason: /production/ });
    expect(verify('s3cres', { production: false })).toMatchObject({ kind: 'refused' });
  });

  test('never makes the verification throw', () => {
    fc.assert(
      fc.property(anyText(), (header) => {
        verifyCredentials({ authorization: header, agentId }, { secret, production: false, now: 0 });
        expect(verify(header).kind).not.toBe('accepted');
      }),
    );
  });
});
