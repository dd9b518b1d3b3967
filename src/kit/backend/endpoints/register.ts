import { agentIdOf } from '../../../backend/protocol.js';
import type { RegisterReply } from '../../../model/backendBodies.js';
import { refusal, tooMany } from '../admission.js';
import { mintToken, sameText, verifyCredentials } from '../authentication.js';
import { REFUSAL_COST } from '../CallerRateLimit.js';
import { type HttpReply, withBody } from '../requestBody.js';
import { type RegisterBody, registerSchema } from '../requests.js';
import type { Call, Endpoint, EndpointContext } from './endpoint.js';

/**
 * POST /edge/register: gives an agent its id, see `agentIdOf`. Idempotent. Either the bearer token
 * verifies, or the body holds the registration token under one of its two names; who has only the latter gets a
 * signed token for everything else.
 */
export const register: Endpoint = {
  method: 'POST',
  access: 'own',
  handle: (call, backend) => withBody(registerSchema, call.body, (body) => admit(call, body, backend)),
};

function admit(call: Call, body: RegisterBody, backend: EndpointContext): HttpReply {
  const claimed = call.headers['x-edge-agent-id'];
  const verdict = verifyCredentials(
    {
      authorization: call.headers.authorization,
      agentId: typeof claimed === 'string' ? claimed : undefined,
    },
    { secret: backend.secret(), production: backend.production, now: backend.clock.now() },
  );
  const offered = body.registration_token ?? body.auth_token;
  const { registrationToken } = backend;
  const invited =
    typeof offered === 'string' && registrationToken !== undefined && sameText(offered, registrationToken);
  if (verdict.kind !== 'accepted' && !invited) {
    const code = verdict.kind === 'missing' && !offered ? 401 : 403;
    const reason = verdict.kind === 'refused' ? verdict.reason : 'no valid credentials and no valid token';
    const seconds = backend.rateLimit.take(call.address, REFUSAL_COST);
    if (seconds > 0) return tooMany(seconds);
    backend.journal.record({ kind: 'refused', path: call.path, code, reason });
    return refusal(code, reason);
  }
  const agentId = agentIdOf(body.user_phone);
  const now = backend.clock.now();
  backend.journal.record({ kind: 'registered', agentId, body });
  return {
    status: 200,
    body: {
      edge_agent_id: agentId,
      accepts: [...backend.accepts],
      ...(verdict.kind === 'accepted'
        ? {}
        : { auth_token: mintToken(backend.secret(), agentId, body.user_phone, Math.floor(now / 1000)) }),
    } satisfies RegisterReply,
  };
}
