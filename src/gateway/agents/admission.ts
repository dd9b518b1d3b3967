import type { IncomingMessage } from 'node:http';
import { type CredentialsVerdict, claimedAgent, verifyCredentials } from './authentication.js';
import { REFUSAL_COST } from './CallerRateLimit.js';
import type { AdminRights } from './EdgeBackend.js';
import type { Endpoint, EndpointContext } from './endpoints/endpoint.js';
import type { HttpReply } from './requestBody.js';

/**
 * Who makes a request: `claimedId` as its header says, `tokenId` as its signed token does, `operator` where an admin key was
 * shown. Or the answer to a stranger.
 */
type Admission = Admitted | { kind: 'turnedAway'; reply: HttpReply };

export interface Admitted {
  readonly kind: 'admitted';
  readonly claimedId: string | undefined;
  readonly tokenId?: string;
  readonly operator?: AdminRights;
}

/**
 * Checks the credentials that an endpoint requires, and then the caller's rate: an agent's by its id, an operator's by
 * the key, all others by address. A stranger over the limit gets 429, whatever is wrong with the credentials.
 */
export async function admit(
  request: IncomingMessage,
  path: string,
  endpoint: Endpoint,
  context: EndpointContext,
): Promise<Admission> {
  const { rateLimit, backend } = context;
  const address = addressOf(request);
  const header = request.headers['x-edge-agent-id'];
  const claimedId = typeof header === 'string' ? header : undefined;
  const refuse = (code: 401 | 403, reason: string): Admission => {
    const seconds = rateLimit.take(address, REFUSAL_COST);
    if (seconds > 0) return { kind: 'turnedAway', reply: tooMany(seconds) };
    context.log(`❌ ${path} refused: ${reason}`);
    backend.saw({ kind: 'refused', path, code, reason });
    return { kind: 'turnedAway', reply: refusal(code, reason) };
  };
  const letIn = (caller: string, tokenId?: string): Admission => {
    const seconds = rateLimit.take(caller);
    if (seconds > 0) return { kind: 'turnedAway', reply: tooMany(seconds) };
    return { kind: 'admitted', claimedId, tokenId };
  };
  if (endpoint.access === 'open') return letIn(address);
  if (endpoint.access === 'admin') {
    const key = adminKeyOf(request);
    const operator = key === undefined ? undefined : await backend.operatorOf(key);
    if (operator === undefined)
      return refuse(401, 'expected the admin key as bearer token or in X-Admin-Key');
    const seconds = rateLimit.take(`key ${operator.name ?? ''}`);
    if (seconds > 0) return { kind: 'turnedAway', reply: tooMany(seconds) };
    return { kind: 'admitted', claimedId, operator };
  }
  const verdict = await judge(request.headers.authorization, claimedId, context);
  if (verdict.kind === 'accepted') {
    const tokenId = verdict.by === 'hmac' ? verdict.agentId : undefined;
    return letIn(callerName(tokenId ?? claimedId), tokenId);
  }
  // What else there is to let it in is in the body: until that is read, it is a stranger.
  if (endpoint.access === 'own') return letIn(address);
  return verdict.kind === 'missing'
    ? refuse(401, 'expected "Authorization: Bearer <token>"')
    : refuse(403, verdict.reason);
}

/** Whether credentials verify by the secrets of the agent that a request claims to come from, or that its token names. */
export async function judge(
  authorization: string | undefined,
  claimedId: string | undefined,
  { backend, clock, plainSecrets }: EndpointContext,
): Promise<CredentialsVerdict> {
  const secret = await backend.secretsOf(claimedAgent(authorization, claimedId));
  return verifyCredentials(
    { authorization, agentId: claimedId },
    { secret, production: !plainSecrets, now: clock.now() },
  );
}

/** What an agent is counted by whose credentials verify. */
export function callerName(agentId: string | undefined): string {
  return `agent ${agentId ?? ''}`;
}

/** What strangers are counted by. */
export function addressOf(request: IncomingMessage): string {
  return `address ${request.socket.remoteAddress ?? ''}`;
}

/** The answer to missing (401) or wrong (403) credentials. */
export function refusal(code: 401 | 403, reason: string): HttpReply {
  return { status: code, body: { error: code === 401 ? 'unauthorized' : 'forbidden', message: reason } };
}

/** The answer to a caller over the limit. */
export function tooMany(seconds: number): HttpReply {
  return {
    status: 429,
    body: { error: 'too_many_requests', message: `ask again in ${seconds} s` },
    headers: { 'Retry-After': String(seconds) },
  };
}

function adminKeyOf(request: IncomingMessage): string | undefined {
  const bearer = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1];
  const key = request.headers['x-admin-key'] ?? bearer;
  return typeof key === 'string' ? key : undefined;
}
