import type { RegisterReply } from '../../../model/backendBodies.js';
import { judge, refusal, tooMany } from '../admission.js';
import { REFUSAL_COST } from '../CallerRateLimit.js';
import type { RegisteredAgent } from '../EdgeBackend.js';
import { type HttpReply, withBody } from '../requestBody.js';
import { type RegisterBody, registerSchema } from '../requests.js';
import type { Call, Endpoint, EndpointContext } from './endpoint.js';

/**
 * POST /edge/register: gives an agent its id. Idempotent. Either the bearer token verifies, or the body holds a registration
 * token under one of its two names; an agent that has only the latter gets a token for everything else.
 */
export const register: Endpoint = {
  method: 'POST',
  load: 'life',
  access: 'own',
  handle: (call, context) => withBody(registerSchema, call.body, (body) => admit(call, body, context)),
};

async function admit(call: Call, body: RegisterBody, context: EndpointContext): Promise<HttpReply> {
  const { backend, rateLimit } = context;
  const header = call.headers['x-edge-agent-id'];
  const claimedId = typeof header === 'string' ? header : undefined;
  const verdict = await judge(call.headers.authorization, claimedId, context);
  const offered = body.registration_token ?? body.auth_token;
  let registered: RegisteredAgent | undefined;
  if (verdict.kind === 'accepted') {
    const agentId = verdict.by === 'hmac' ? verdict.agentId : claimedId;
    registered = await backend.register(body, { kind: 'credentials', agentId });
  } else if (typeof offered === 'string') {
    registered = await backend.register(body, { kind: 'invitation', token: offered });
  }
  if (registered === undefined) {
    const code = verdict.kind === 'missing' && !offered ? 401 : 403;
    const reason = verdict.kind === 'refused' ? verdict.reason : 'no valid credentials and no valid token';
    const seconds = rateLimit.take(call.address, REFUSAL_COST);
    if (seconds > 0) return tooMany(seconds);
    backend.saw({ kind: 'refused', path: call.path, code, reason });
    return refusal(code, reason);
  }
  return {
    status: 200,
    body: {
      edge_agent_id: registered.agentId,
      accepts: [...context.accepts],
      ...(registered.authToken === undefined ? {} : { auth_token: registered.authToken }),
    } satisfies RegisterReply,
  };
}
