import { type ConformanceCheck, judge, skip } from '../check.js';
import { described } from '../request.js';

/** That the backend is there at all, and in which way it is spoken to. */
export const TRANSPORT: readonly ConformanceCheck[] = [
  {
    id: 'transport.reachable',
    clause: 'P1.5',
    title: 'the backend answers HTTP',
    expected: 'an answer of any status below 500 that is not a redirect',
    run: async (run) => {
      const answer = await run.get('/edge/ws');
      const holds = answer.kind === 'answered' && answer.status < 500 && !isRedirect(answer.status);
      return judge(holds, 'GET /edge/ws', described(answer));
    },
  },
  {
    id: 'transport.tls',
    clause: 'P1.5',
    title: 'the backend uses TLS',
    expected: 'https with a certificate that this machine trusts',
    run: async (run) => {
      const { protocol, host } = new URL(run.target.url);
      if (protocol === 'http:') {
        return skip(
          `${host} is this machine, where TLS is not required; give the https:// address to test it`,
        );
      }
      // Node verifies certificate and name; one that does not hold would have failed the request.
      const answer = await run.get('/edge/ws');
      return judge(answer.kind === 'answered', 'GET /edge/ws by https', described(answer));
    },
  },
];

function isRedirect(status: number): boolean {
  return status >= 300 && status < 400;
}
