import { createHmac, timingSafeEqual } from 'node:crypto';
import { randomHex } from '../../system/random.js';

/** How long a signed token is good for after it was made, in seconds (24 h). */
const TOKEN_VALIDITY_SECONDS = 86_400;

/** How far the agent's clock may be off from ours, either way, in seconds. */
const CLOCK_SKEW_SECONDS = 300;

/** What was found in an Authorization header. `refused.reason` is for a person and holds no secret. */
export type CredentialsVerdict =
  | { kind: 'accepted'; by: 'hmac'; agentId: string }
  | { kind: 'accepted'; by: 'secret' }
  /** No header, or not of the form `Bearer <token>`: 401, or close code 4001. */
  | { kind: 'missing' }
  /** A token that does not verify: 403, or close code 1008. */
  | { kind: 'refused'; reason: string };

interface Credentials {
  /** The Authorization header as it came. */
  authorization: string | undefined;
  /** The id that the caller claims (query or X-Edge-Agent-Id); a signed token must name the same one. */
  agentId: string | undefined;
}

interface Verification {
  secret: string;
  /** In production a plain secret is refused: only signed tokens count. */
  production: boolean;
  /** Unix ms. */
  now: number;
}

/** Names that can be an agent's: printable, without spaces, at most 128 characters. */
export function isAgentId(text: string): boolean {
  return /^[\x21-\x7e]{1,128}$/.test(text);
}

/** The id in a request's header, its signed token, or its body, in this order; undefined where none is usable. */
export function callerId(
  header: string | undefined,
  tokenId: string | undefined,
  body: unknown,
): string | undefined {
  const inBody =
    typeof body === 'object' && body !== null && 'edge_agent_id' in body ? body.edge_agent_id : undefined;
  const id = header ?? tokenId ?? inBody;
  return typeof id === 'string' && isAgentId(id) ? id : undefined;
}

/**
 * Makes the token that an agent sends:
 * base64("<agent id>:<phone>:<unix s>:" + hex(hmac_sha256(secret, "<agent id>:<phone>:<unix s>"))).
 */
export function mintToken(secret: string, agentId: string, userPhone: string, unixSeconds: number): string {
  const claim = `${agentId}:${userPhone}:${unixSeconds}`;
  return Buffer.from(`${claim}:${sign(secret, claim)}`).toString('base64');
}

/**
 * Verifies a bearer token, signed or plain. Pure but for a random key; never throws. The comparisons take the
 * same time wherever the difference lies, so that a secret cannot be guessed letter by letter.
 */
export function verifyCredentials(credentials: Credentials, against: Verification): CredentialsVerdict {
  const token = /^Bearer +(\S+) *$/i.exec(credentials.authorization ?? '')?.[1];
  if (token === undefined) return { kind: 'missing' };
  if (sameText(token, against.secret)) {
    return against.production
      ? { kind: 'refused', reason: 'a plain secret is not accepted in production; send a signed token' }
      : { kind: 'accepted', by: 'secret' };
  }
  return verifySigned(token, credentials.agentId, against);
}

/** True when both are equal; the time taken does not depend on where they differ, nor on their lengths. */
export function sameText(a: string, b: string): boolean {
  const key = randomHex(16);
  const digest = (text: string) => createHmac('sha256', key).update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

function verifySigned(
  token: string,
  claimedId: string | undefined,
  against: Verification,
): CredentialsVerdict {
  // From the right, because an agent id may hold a colon and the other parts cannot.
  const parts = /^(.+):([^:]*):(\d{1,12}):([0-9a-f]{64})$/.exec(
    Buffer.from(token, 'base64').toString('utf8'),
  );
  if (parts === null)
    return { kind: 'refused', reason: 'the token is neither the shared secret nor a signed token' };
  const [, agentId = '', userPhone = '', madeAt = '', signature = ''] = parts;
  // The signature comes first: nothing about an unsigned claim is told to whoever sent it.
  if (!sameText(signature, sign(against.secret, `${agentId}:${userPhone}:${madeAt}`))) {
    return { kind: 'refused', reason: 'the signature does not verify: another secret was used' };
  }
  const age = against.now / 1000 - Number(madeAt);
  if (age > TOKEN_VALIDITY_SECONDS + CLOCK_SKEW_SECONDS) {
    return {
      kind: 'refused',
      reason: `the token expired (made ${Math.round(age)} s ago by the agent's clock)`,
    };
  }
  if (age < -CLOCK_SKEW_SECONDS) {
    return {
      kind: 'refused',
      reason: `the token is from the future: the clocks differ by ${Math.round(-age)} s`,
    };
  }
  if (claimedId !== undefined && claimedId !== agentId) {
    return { kind: 'refused', reason: `the token was made for ${agentId}, not for ${claimedId}` };
  }
  return { kind: 'accepted', by: 'hmac', agentId };
}

function sign(secret: string, claim: string): string {
  return createHmac('sha256', secret).update(claim).digest('hex');
}
