import { asObject } from '../../../backend/protocol.js';
import type { ConformanceRun, PlayedCredentials } from '../ConformanceRun.js';
import { type ConformanceCheck, type ConformanceOutcome, judge, missing } from '../check.js';
import { described, isRefusal, type RequestAnswer, succeeded } from '../request.js';

const SENT = 'POST /edge/register for the test agent';

/** Registration, as every agent does it first. */
export const REGISTRATION: readonly ConformanceCheck[] = [
  {
    id: 'register.answer',
    clause: 'P2.1',
    title: 'an agent can register',
    expected: '2xx with a JSON object whose edge_agent_id, if there is one, is a text; or 409',
    run: async (run) => {
      const answer = await register(run);
      if (await run.isAbsent(answer))
        return missing(SENT, described(answer), 'this backend has no registration, which is allowed');
      return judged(SENT, answer, run.target.registrationToken !== undefined);
    },
  },
  {
    id: 'register.repeat',
    clause: 'P0.1',
    title: 'registering again is harmless',
    expected: 'the same edge_agent_id again, or 409',
    needs: ['register.answer'],
    run: async (run) => {
      const [first, second] = [await register(run), await register(run)];
      const outcome = judged(`${SENT}, twice`, second, true);
      if (outcome.verdict !== 'PASS' || !succeeded(first) || !succeeded(second)) return outcome;
      const ids = [first, second].map(({ json }) => asObject(json)?.edge_agent_id);
      return judge(ids[0] === ids[1], outcome.sent, `first ${String(ids[0])}, then ${String(ids[1])}`);
    },
  },
];

/** What is said at each registration. */
export function registration({ target }: ConformanceRun): Record<string, unknown> {
  const { agent, registrationToken: token } = target;
  return {
    user_phone: agent.phone,
    version: 'conformance',
    capabilities: ['send_message_now', 'websocket', 'http_sync'],
    ...(token === undefined ? {} : { auth_token: token, registration_token: token }),
  };
}

/** Registers the test agent; with credentials that must be refused, without a registration token as well. */
export function register(run: ConformanceRun, credentials?: PlayedCredentials): Promise<RequestAnswer> {
  const { auth_token: _, registration_token: __, ...alone } = registration(run);
  if (credentials === undefined) return run.post('/edge/register', registration(run));
  return run.post('/edge/register', alone, { credentials });
}

function judged(sent: string, answer: RequestAnswer, hasToken: boolean): ConformanceOutcome {
  const conflict = answer.kind === 'answered' && answer.status === 409;
  const body = succeeded(answer) ? asObject(answer.json) : undefined;
  const id = body?.edge_agent_id;
  const readable = body !== undefined && (id === undefined || (typeof id === 'string' && id !== ''));
  const hint =
    isRefusal(answer) && !hasToken
      ? '. If the backend needs a registration token: --registration-token-file'
      : '';
  return judge(conflict || readable, sent, `${described(answer)}${hint}`);
}
