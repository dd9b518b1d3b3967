import { errors, jwtVerify, SignJWT } from 'jose';
import { randomHex } from '../system/random.js';

/** A session token opens the channel; a link token is part of an address and is exchanged for a session token once. */
export type TokenUse = 'session' | 'link';

/** Of a link token; session tokens have no audience, so that any JWT with `sub` and `exp` signed by the secret is one. */
const LINK_AUDIENCE = 'edge-agent/monitor-link';
const ALGORITHM = 'HS256';
/** A user's name in tokens, frames and log lines. */
export const USER_PATTERN = /^[\w.@+-]{1,64}$/;

export const SESSION_MS = 12 * 3600_000;
export const LINK_MS = 120_000;
/** No token is made for longer. */
export const LONGEST_SESSION_MS = 30 * 86_400_000;

interface TokenOptions {
  use: TokenUse;
  user: string;
  ttlMs: number;
  /** Unix ms. */
  now: number;
}

/** `expiresAt` is Unix ms, as is `madeAt`, 0 if the token does not have it; `id` is the token's id, if any. */
export type JudgedToken =
  | { kind: 'valid'; userId: string; madeAt: number; expiresAt: number; id: string | undefined }
  | { kind: 'refused'; why: string };

/** Makes a token (JWT, HS256). `user` must fit USER_PATTERN. */
export function makeToken(key: Uint8Array, { use, user, ttlMs, now }: TokenOptions): Promise<string> {
  const token = new SignJWT()
    .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT' })
    .setSubject(user)
    .setIssuedAt(now / 1000)
    .setExpirationTime(Math.ceil((now + ttlMs) / 1000))
    .setJti(randomHex(12));
  return (use === 'link' ? token.setAudience(LINK_AUDIENCE) : token).sign(key);
}

/**
 * Checks signature (only HS256), `exp`, `sub` and the purpose of the token. Never rejects; `why` is for the sender and
 * reveals nothing of the token.
 */
export async function judgeToken(
  key: Uint8Array,
  token: string,
  { use, now }: { use: TokenUse; now: number },
): Promise<JudgedToken> {
  try {
    const { payload } = await jwtVerify(token, key, {
      algorithms: [ALGORITHM],
      requiredClaims: ['exp', 'sub'],
      currentDate: new Date(now),
      ...(use === 'link' ? { audience: LINK_AUDIENCE } : {}),
    });
    const { sub, exp = 0, iat = 0, aud, jti } = payload;
    if (use === 'session' && aud !== undefined) return refused('This token is for another use');
    // The library does not look at its type.
    if (typeof sub !== 'string' || !USER_PATTERN.test(sub)) return refused('The token names no user');
    return { kind: 'valid', userId: sub, madeAt: iat * 1000, expiresAt: exp * 1000, id: jti };
  } catch (error) {
    return refused(error instanceof errors.JWTExpired ? 'The token has expired' : 'Invalid token');
  }
}

function refused(why: string): JudgedToken {
  return { kind: 'refused', why };
}
