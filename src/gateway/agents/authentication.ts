import { createHmac, timingSafeEqual } from 'node:crypto';
import { isAgentId } from '../../model/agentId.js';
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
  /** One, or each of those that count while secrets are rotated; with none nothing verifies. */
  secret: string | readonly string[];
  /** In production a plain secret is refused: only signed tokens count. */
  production: boolean;
  /** Unix ms. */
  now: number;
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

/** The agent whose secrets a request is judged by: the one that it claims to be, else the one that its token names. */
export function claimedAgent(
  authorization: string | undefined,
  claimedId: string | undefined,
): string | undefined {
  const id = claimedId ?? tokenParts(bearerOf(authorization) ?? '')?.agentId;
  return id !== undefined && isAgentId(id) ? id : undefined;
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
 * Verifies a bearer token, signed or plain. Pure except for a random key; never throws. The comparisons take the same
 * time wherever the difference is, so that a secret cannot be guessed letter by letter.
 */
export function verifyCredentials(credentials: Credentials, against: Verification): CredentialsVerdict {
  const token = bearerOf(credentials.authorization);
  if (token === undefined) return { kind: 'missing' };
  const secrets = typeof against.secret === 'string' ? [against.secret] : against.secret;
  if (secrets.filter((secret) => sameText(token, secret)).length > 0) {
    return against.production
      ? { kind: 'refused', reason: 'a plain secret is not accepted in production; send a signed token' }
      : { kind: 'accepted', by: 'secret' };
  }
  return verifySigned(token, credentials.agentId, secrets, against.now);
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
  secrets: readonly string[],
  now: number,
): CredentialsVerdict {
  const parts = tokenParts(token);
  if (parts === undefined)
    return { kind: 'refused', reason: 'the token is neither the shared secret nor a signed token' };
  const { agentId, claim, madeAt, signature } = parts;
  // The signature is checked first: the sender of an unsigned claim learns nothing about it.
  if (secrets.filter((secret) => sameText(signature, sign(secret, claim))).length === 0) {
    return { kind: 'refused', reason: 'the signature does not verify: another secret was used' };
  }
  const age = now / 1000 - madeAt;
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

/** The parts of a signed token, which is not verified yet; undefined where it is none. */
function tokenParts(token: string) {
  // From the right, because an agent id may hold a colon and the other parts cannot.
  const parts = /^((.+):[^:]*:(\d{1,12})):([0-9a-f]{64})$/.exec(
    Buffer.from(token, 'base64').toString('utf8'),
  );
  if (parts === null) return undefined;
  const [, claim = '', agentId = '', madeAt = '', signature = ''] = parts;
  return { agentId, claim, madeAt: Number(madeAt), signature };
}

function bearerOf(authorization: string | undefined): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
}

function sign(secret: string, claim: string): string {
  return createHmac('sha256', secret).update(claim).digest('hex');
}
