import { isLoopback } from '../../../config/backendUrls.js';
import type { ConformanceRun, PlayedCredentials } from '../ConformanceRun.js';
import { type ConformanceCheck, type ConformanceOutcome, judge, skip } from '../check.js';
import { type Dial, describeDial } from '../ProbeSocket.js';
import { described, isRefusal, succeeded } from '../request.js';

/** Close codes that the agent reads as refused credentials (protocol §3). */
const REFUSING_CODES = [1008, 4001, 4401, 4403];

const IS_IT_ITS_SECRET = '. Is the secret that was given really that of this backend?';

interface Wrong {
  readonly name: string;
  readonly title: string;
  readonly sent: string;
  readonly clause: string;
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
    credentials: () => ({ kind: 'expired' }),
  },
  {
    name: 'foreign',
    title: "another agent's token",
    sent: 'a correctly signed token for another agent than in X-Edge-Agent-Id',
    clause: 'P1.2',
    credentials: ({ target }) => ({ kind: 'signed', tokenFor: target.other.id }),
  },
];

const byHttp = ({ name, title, sent, clause, credentials }: Wrong): ConformanceCheck => ({
  id: `auth.http.${name}`,
  clause,
  title: `a request with ${title} is refused`,
  expected: '401 or 403',
  needs: ['auth.http.signed'],
  run: async (run) => {
    const answer = await run.post('/edge/sync', {}, { credentials: credentials(run) });
    return judge(isRefusal(answer), `POST /edge/sync with ${sent}`, described(answer));
  },
});

const bySocket = ({ name, title, sent, clause, credentials }: Wrong): ConformanceCheck => ({
  id: `auth.socket.${name}`,
  clause,
  title: `a socket with ${title} is refused`,
  expected: `401 or 403 to the handshake, or closed with ${REFUSING_CODES.join(', ')}`,
  needs: ['auth.socket.signed'],
  run: (run) => refusedSocket(run, { credentials: credentials(run) }, sent),
});

/** Who may come in, and who may not. */
export const AUTHENTICATION: readonly ConformanceCheck[] = [
  {
    id: 'auth.http.signed',
    clause: 'P1.1',
    title: 'a request with a signed token is let in',
    expected: '2xx',
    run: async (run) => {
      const answer = await run.sync();
      const came = `${described(answer)}${isRefusal(answer) ? IS_IT_ITS_SECRET : ''}`;
      return judge(succeeded(answer), 'POST /edge/sync with a signed token', came);
    },
  },
  {
    id: 'auth.http.ahead',
    clause: 'P1.2',
    title: 'a request of an agent whose clock is two minutes ahead is let in',
    expected: '2xx',
    needs: ['auth.http.signed'],
    run: async (run) => {
      const answer = await run.post('/edge/sync', {}, { credentials: { kind: 'ahead' } });
      return judge(
        succeeded(answer),
        'POST /edge/sync with a signed token of the time in two minutes',
        described(answer),
      );
    },
  },
  ...WRONG.map(byHttp),
  {
    id: 'auth.socket.signed',
    clause: 'P3.1',
    title: 'a socket with a signed token is let in',
    expected: 'an upgrade, and a socket that stays open',
    run: async (run) => {
      const dial = await run.dial();
      if (dial.kind === 'open') await run.settle(dial.socket);
      const hint = isRefused(dial) ? IS_IT_ITS_SECRET : '';
      return judge(
        dial.kind === 'open' && dial.socket.open,
        'a dial with header and query',
        `${describeDial(dial)}${hint}`,
      );
    },
  },
  ...WRONG.map(bySocket),
  {
    id: 'auth.socket.query',
    clause: 'P1.2',
    title: "a socket for another agent's id is refused",
    expected: `401 or 403 to the handshake, or closed with ${REFUSING_CODES.join(', ')}`,
    needs: ['auth.socket.signed'],
    run: (run) =>
      refusedSocket(run, { query: run.target.other.id }, 'the id of another agent in the query alone'),
  },
  {
    id: 'auth.plain',
    clause: 'P1.4',
    title: 'the plain secret is accepted by both HTTP and socket, or by neither',
    expected: 'both let in, or both refused',
    needs: ['auth.http.signed', 'auth.socket.signed'],
    run: async (run) => {
      if (!isLoopback(new URL(run.target.url).hostname)) {
        return skip('the plain secret is never sent to a backend that is not on this machine');
      }
      const credentials = { kind: 'plain' } as const;
      const answer = await run.post('/edge/sync', {}, { credentials });
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
  const came = dial.kind === 'open' && closed === undefined ? 'opened, and left open' : describeDial(dial);
  return judge(isRefused(dial), `a dial with ${sent}`, came);
}

/** By the answer to the handshake, or by a close that has come. */
function isRefused(dial: Dial): boolean {
  if (dial.kind === 'refused') return dial.status === 401 || dial.status === 403;
  return dial.kind === 'open' && REFUSING_CODES.includes(dial.socket.closed?.code ?? 0);
}
