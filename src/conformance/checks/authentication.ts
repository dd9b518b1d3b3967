import { isLoopback } from '../../config/backendUrls.js';
import type { Bench, Credentials } from '../Bench.js';
import { type Check, judge, type Outcome, skip } from '../check.js';
import { describeDial } from '../ProbeSocket.js';
import { described, isRefusal, succeeded } from '../request.js';

/** Close codes that the agent reads as refused credentials (protocol §3). */
const REFUSING_CODES = [1008, 4001, 4401, 4403];

interface Wrong {
  readonly name: string;
  readonly title: string;
  readonly sent: string;
  readonly clause: string;
  readonly credentials: (bench: Bench) => Credentials;
}

/** Credentials that must be refused by HTTP and by the socket alike. */
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
    title: 'a token from ten days ago',
    sent: 'a well signed token that was made ten days ago',
    clause: 'P1.2',
    credentials: () => ({ kind: 'expired' }),
  },
  {
    name: 'foreign',
    title: "another agent's token",
    sent: 'a well signed token for another agent than X-Edge-Agent-Id names',
    clause: 'P1.2',
    credentials: ({ target }) => ({ kind: 'signed', tokenFor: target.other.id }),
  },
];

const byHttp = ({ name, title, sent, clause, credentials }: Wrong): Check => ({
  id: `auth.http.${name}`,
  clause,
  title: `a request with ${title} is refused`,
  expected: '401 or 403',
  run: async (bench) => {
    const answer = await bench.post('/edge/sync', {}, { credentials: credentials(bench) });
    return judge(isRefusal(answer), `POST /edge/sync with ${sent}`, described(answer));
  },
});

const bySocket = ({ name, title, sent, clause, credentials }: Wrong): Check => ({
  id: `auth.socket.${name}`,
  clause,
  title: `a socket with ${title} is refused`,
  expected: `401 or 403 to the handshake, or closed with ${REFUSING_CODES.join(', ')}`,
  run: (bench) => refusedSocket(bench, { credentials: credentials(bench) }, sent),
});

/** Who may come in, and who may not. */
export const AUTHENTICATION: readonly Check[] = [
  {
    id: 'auth.http.signed',
    clause: 'P1.1',
    title: 'a request with a signed token is let in',
    expected: '2xx',
    run: async (bench) => {
      const answer = await bench.sync();
      return judge(succeeded(answer), 'POST /edge/sync with a signed token', described(answer));
    },
  },
  ...WRONG.map(byHttp),
  {
    id: 'auth.socket.signed',
    clause: 'P3.1',
    title: 'a socket with a signed token is let in',
    expected: 'an upgrade, and a socket that stays open',
    run: async (bench) => {
      const dial = await bench.dial();
      if (dial.kind === 'open') await bench.settle(dial.socket);
      return judge(
        dial.kind === 'open' && dial.socket.open,
        'a dial with header and query',
        describeDial(dial),
      );
    },
  },
  ...WRONG.map(bySocket),
  {
    id: 'auth.socket.query',
    clause: 'P1.2',
    title: "a socket for another agent's id is refused",
    expected: `401 or 403 to the handshake, or closed with ${REFUSING_CODES.join(', ')}`,
    run: (bench) =>
      refusedSocket(bench, { query: bench.target.other.id }, 'the id of another agent in the query alone'),
  },
  {
    id: 'auth.plain',
    clause: 'P1.4',
    title: 'the plain secret counts by HTTP and by socket alike, or by neither',
    expected: 'both let in, or both refused',
    run: async (bench) => {
      if (!isLoopback(new URL(bench.target.url).hostname)) {
        return skip('the plain secret is never sent to a backend that is not on this machine');
      }
      const credentials = { kind: 'plain' } as const;
      const answer = await bench.post('/edge/sync', {}, { credentials });
      const dial = await bench.dial({ credentials });
      if (dial.kind === 'open') await bench.settle(dial.socket);
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
  bench: Bench,
  options: { credentials?: Credentials; query?: string },
  sent: string,
): Promise<Outcome> {
  const dial = await bench.dial(options);
  const closed = dial.kind === 'open' ? await dial.socket.untilClosed(bench.patience.answerMs) : undefined;
  const refused =
    (dial.kind === 'refused' && (dial.status === 401 || dial.status === 403)) ||
    (closed !== undefined && REFUSING_CODES.includes(closed.code));
  const came = dial.kind === 'open' && closed === undefined ? 'opened, and left open' : describeDial(dial);
  return judge(refused, `a dial with ${sent}`, came);
}
