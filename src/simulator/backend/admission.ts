import type { IncomingMessage } from 'node:http';
import { sameText, verifyCredentials } from './authentication.js';
import type { BackendParts, Endpoint } from './endpoints/endpoint.js';
import { REFUSAL_COST } from './RateLimit.js';
import type { Reply } from './requestBody.js';

/** Who makes a request: `claimedId` as its header says, `tokenId` as its signed token does. Or the answer to a stranger. */
export type Admission =
  | { kind: 'admitted'; claimedId: string | undefined; tokenId: string | undefined }
  | { kind: 'turnedAway'; reply: Reply };

/**
 * Looks at the credentials that an endpoint asks for, and at the caller's rate. An agent is counted by its id, anybody else by
 * address; whoever is over the limit is told 429 before anything is verified.
 */
export function admit(
  request: IncomingMessage,
  path: string,
  endpoint: Endpoint,
  backend: BackendParts,
): Admission {
  const { rateLimit } = backend;
  const address = addressOf(request);
  const header = request.headers['x-edge-agent-id'];
  const claimedId = typeof header === 'string' ? header : undefined;
  const refuse = (code: 401 | 403, reason: string): Admission => {
    rateLimit.spend(address, REFUSAL_COST);
    backend.log(`❌ ${path} refused: ${reason}`);
    backend.journal.record({ kind: 'refused', path, code, reason });
    return { kind: 'turnedAway', reply: refusal(code, reason) };
  };
  const seconds = rateLimit.wait(address);
  if (seconds > 0) return { kind: 'turnedAway', reply: tooMany(seconds) };
  switch (endpoint.access) {
    case 'open':
    case 'own':
      rateLimit.spend(address);
      return { kind: 'admitted', claimedId, tokenId: undefined };
    case 'admin':
      if (!isAdmin(request, backend.adminKey()))
        return refuse(401, 'expected the admin key as bearer token or in X-Admin-Key');
      return { kind: 'admitted', claimedId, tokenId: undefined };
    case 'agent': {
      const verdict = verifyCredentials(
        { authorization: request.headers.authorization, agentId: claimedId },
        { secret: backend.secret(), production: backend.production, now: backend.clock.now() },
      );
      if (verdict.kind === 'missing') return refuse(401, 'expected "Authorization: Bearer <token>"');
      if (verdict.kind === 'refused') return refuse(403, verdict.reason);
      const tokenId = verdict.by === 'hmac' ? verdict.agentId : undefined;
      const caller = `agent ${tokenId ?? claimedId ?? ''}`;
      const agentSeconds = rateLimit.wait(caller);
      if (agentSeconds > 0) return { kind: 'turnedAway', reply: tooMany(agentSeconds) };
      rateLimit.spend(caller);
      return { kind: 'admitted', claimedId, tokenId };
    }
  }
}

/** What strangers are counted by. */
export function addressOf(request: IncomingMessage): string {
  return `address ${request.socket.remoteAddress ?? ''}`;
}

/** The answer to missing (401) or wrong (403) credentials. */
export function refusal(code: 401 | 403, reason: string): Reply {
  return { status: code, body: { error: code === 401 ? 'unauthorized' : 'forbidden', message: reason } };
}

function tooMany(seconds: number): Reply {
  return {
    status: 429,
    body: { error: 'too_many_requests', message: `ask again in ${seconds} s` },
    headers: { 'Retry-After': String(seconds) },
  };
}

function isAdmin(request: IncomingMessage, adminKey: string): boolean {
  const bearer = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1];
  const key = request.headers['x-admin-key'] ?? bearer;
  return typeof key === 'string' && sameText(key, adminKey);
}
