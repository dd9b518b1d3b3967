import { isLoopback } from '../../../system/network.js';
import type { ConformanceRun, PlayedCredentials } from '../ConformanceRun.js';
import { type ConformanceCheck, type ConformanceOutcome, judge, missing, skip } from '../check.js';
import { type Dial, describeDial } from '../ProbeSocket.js';
import { described, isRefusal, type RequestAnswer, statusOf, succeeded } from '../request.js';
import { postMessage } from './bodies.js';
import { ENDPOINTS, type PostedEndpoint } from './endpoints.js';

/** Close codes that the agent reads as refused credentials (protocol §3). */
const REFUSING_CODES = [1008, 4001, 4401, 4403];

const IS_IT_ITS_SECRET = '. Is it the secret of this backend?';

interface Wrong {
  readonly name: string;
  readonly title: string;
  readonly sent: string;
  readonly clause: string;
  /** Whether it is about the time or the name in a token, which the plain secret has not. */
  readonly isOfToken?: boolean;
  readonly credentials: (run: ConformanceRun) => PlayedCredentials;
}

/**
 * PlayedCredentials that must be refused by HTTP and by the socket alike. That they are says something only of a backend that lets the
 * right ones in.
 */
const WRONG: readonly Wrong[] = [
  {
    name: 'missing',
    title: 'no credentials',
    sent: 'no Authorization header',
    clause: 'P1.3',
    credentials: () => ({ kind: 'missing' }),
  },
  {
    name: 'forged',
    title: 'a token that was signed with another secret',
    sent: 'a token signed with another secret',
    clause: 'P1.3',
    credentials: () => ({ kind: 'forged' }),
  },
  {
    name: 'expired',
    title: 'a token from 26 hours ago',
    sent: 'a correctly signed token made 26 hours ago',
    clause: 'P1.2',
    isOfToken: true,
    credentials: () => ({ kind: 'expired' }),
  },
  {
    name: 'foreign',
    title: "another agent's token",
    sent: 'a correctly signed token for another agent than in X-Edge-Agent-Id',
    clause: 'P1.2',
    isOfToken: true,
    credentials: ({ target }) => ({ kind: 'signed', tokenFor: target.other.id }),
  },
];

const NOT_IN_A_SECRET = 'the plain secret has neither a time nor an agent in it (--auth secret)';

const byHttp = (endpoint: PostedEndpoint, wrong: Wrong): ConformanceCheck => ({
  id: `auth.${endpoint.name}.${wrong.name}`,
  clause: wrong.clause,
  title: `POST ${endpoint.path} with ${wrong.title} is refused`,
  expected: '401 or 403',
  needs: [endpoint.signed],
  run: async (run) => {
    if (wrong.isOfToken && run.target.auth === 'secret') return skip(NOT_IN_A_SECRET);
    const answer = await endpoint.post(run, wrong.credentials(run));
    return judge(isRefusal(answer), `POST ${endpoint.path} with ${wrong.sent}`, described(answer));
  },
});

/** Whether it is there, and accepts an agent; what it then answers is for other checks to judge. */
const letsIn = ({ signed, path, without, post }: PostedEndpoint): ConformanceCheck => ({
  id: signed,
  clause: 'P1.1',
  title: `POST ${path} accepts an agent`,
  expected: 'an answer below 500 except 401 and 403',
  run: async (run) => {
    const answer = await post(run);
    const sent = `POST ${path} with ${credentialsOf(run)}`;
    if (await run.isAbsent(answer)) return missing(sent, described(answer), without);
    const isIn = !isRefusal(answer) && (statusOf(answer) ?? 500) < 500;
    return judge(isIn, sent, `${described(answer)}${await hint(run, answer)}`);
  },
});

/** What a refusal may be about. The plain secret is tried on this machine alone. */
async function hint(run: ConformanceRun, answer: RequestAnswer): Promise<string> {
  if (!isRefusal(answer)) return '';
  if (run.target.auth === 'token' && isLoopback(new URL(run.target.url).hostname)) {
    const plain = await run.post('/edge/message', {}, { credentials: { kind: 'plain' } });
    if (!isRefusal(plain)) return '. It accepts the plain secret: use --auth secret';
  }
  return IS_IT_ITS_SECRET;
}

function credentialsOf({ target }: ConformanceRun): string {
  return target.auth === 'secret' ? 'the plain secret' : 'a signed token';
}

const bySocket = ({ name, title, sent, clause, isOfToken, credentials }: Wrong): ConformanceCheck => ({
  id: `auth.socket.${name}`,
  clause,
  title: `a socket with ${title} is refused`,
  expected: `401 or 403 to the handshake, or closed with ${REFUSING_CODES.join(', ')}`,
  needs: ['auth.socket.signed'],
  run: async (run) => {
    if (isOfToken && run.target.auth === 'secret') return skip(NOT_IN_A_SECRET);
    return refusedSocket(run, { credentials: credentials(run) }, sent);
  },
});

/** Which endpoints there are: without one, the checks of it have nothing to judge. */
export const PRESENCE: readonly ConformanceCheck[] = [
  {
    id: 'auth.socket.signed',
    clause: 'P3.1',
    title: 'the socket accepts an agent',
    expected: 'an upgrade, and a socket that stays open',
    run: async (run) => {
      const dial = await run.dial();
      if (dial.kind === 'open') await run.settle(dial.socket);
      const sent = `a dial of /edge/ws with ${credentialsOf(run)}, the id in header and query`;
      const came = describeDial(dial);
      if (dial.kind === 'refused' && NO_SUCH_SOCKET.includes(dial.status))
        return missing(sent, came, 'commands are delivered only when the agent polls, every 15 s');
      return judge(
        dial.kind === 'open' && dial.socket.open,
        sent,
        `${came}${isRefused(dial) ? IS_IT_ITS_SECRET : ''}`,
      );
    },
  },
  ...ENDPOINTS.filter(({ name }) => name !== 'register').map(letsIn),
];

/** How servers answer a handshake for a path that they have not, or upgrade not: ws itself with 400. */
const NO_SUCH_SOCKET = [200, 400, 404, 405, 426, 501];

/** Who may not come in. */
export const AUTHENTICATION: readonly ConformanceCheck[] = [
  {
    id: 'auth.http.ahead',
    clause: 'P1.2',
    title: 'a request of an agent whose clock is two minutes ahead is accepted',
    expected: '2xx',
    needs: ['auth.http.signed'],
    run: async (run) => {
      if (run.target.auth === 'secret') return skip(NOT_IN_A_SECRET);
      const answer = await run.sync({ credentials: { kind: 'ahead' } });
      return judge(
        succeeded(answer),
        'POST /edge/sync with a signed token dated two minutes in the future',
        described(answer),
      );
    },
  },
  ...ENDPOINTS.flatMap((endpoint) => WRONG.map((wrong) => byHttp(endpoint, wrong))),
  ...WRONG.map(bySocket),
  {
    id: 'auth.socket.query',
    clause: 'P1.2',
    title: "a socket for another agent's id is refused",
    expected: `401 or 403 to the handshake, or closed with ${REFUSING_CODES.join(', ')}`,
    needs: ['auth.socket.signed'],
    run: (run) =>
      refusedSocket(run, { query: run.target.other.id }, 'the id of another agent only in the query'),
  },
  {
    id: 'auth.plain',
    clause: 'P1.4',
    title: 'the plain secret is accepted by both HTTP and socket, or by neither',
    expected: 'both accepted, or both refused',
    needs: ['auth.message.signed', 'auth.socket.signed'],
    run: async (run) => {
      if (!isLoopback(new URL(run.target.url).hostname)) {
        return skip('the plain secret is never sent to a backend that is not on this machine');
      }
      const credentials = { kind: 'plain' } as const;
      const answer = await postMessage(run, run.fresh(), 1, { credentials });
      const dial = await run.dial({ credentials });
      if (dial.kind === 'open') await run.settle(dial.socket);
      const socketIn = dial.kind === 'open' && dial.socket.open;
      const words = succeeded(answer) ? 'let in' : described(answer);
      return judge(
        succeeded(answer) === socketIn,
        'the plain secret as the token',
        `HTTP: ${words}; socket: ${describeDial(dial)}`,
      );
    },
  },
];

async function refusedSocket(
  run: ConformanceRun,
  options: { credentials?: PlayedCredentials; query?: string },
  sent: string,
): Promise<ConformanceOutcome> {
  const dial = await run.dial(options);
  const closed = dial.kind === 'open' ? await dial.socket.untilClosed(run.patience.answerMs) : undefined;
  const came = dial.kind === 'open' && closed === undefined ? 'opened, and stayed open' : describeDial(dial);
  return judge(isRefused(dial), `a dial with ${sent}`, came);
}

/** By the answer to the handshake, or by a close that has come. */
function isRefused(dial: Dial): boolean {
  if (dial.kind === 'refused') return dial.status === 401 || dial.status === 403;
  return dial.kind === 'open' && REFUSING_CODES.includes(dial.socket.closed?.code ?? 0);
}
