import type { CheckResult } from './check.js';
import { PRESENCE } from './checks/authentication.js';

/** In the order in which they are worth building, and what each is for. The others of the protocol may be left out. */
const WANTED: readonly { readonly check: string; readonly build: string; readonly why: string }[] = [
  {
    check: 'auth.socket.signed',
    build: 'the WebSocket at /edge/ws (docs/protocol.md §3)',
    why: 'without it commands are delivered only when the agent polls, every 15 s',
  },
  {
    check: 'auth.message.signed',
    build: 'POST /edge/message (docs/protocol.md §7)',
    why: 'without it messages of people are not answered',
  },
  {
    check: 'auth.http.signed',
    build: 'POST /edge/sync (docs/protocol.md §6)',
    why: 'without it nothing reaches an agent without a socket',
  },
];

/** What the author of the backend should do first, by all that is known of its endpoints. */
export function headline(results: readonly CheckResult[]): string {
  const next = nextToBuild(results);
  if (next !== undefined) return next;
  const isThere = ({ check }: { check: string }) =>
    results.some(({ id, verdict }) => id === check && verdict === 'PASS');
  if (WANTED.every(isThere)) return 'All required endpoints exist.';
  const failed = results.find(({ verdict }) => verdict === 'FAIL');
  return failed ? `Fix first: ${failed.id}.` : 'It could not be determined which endpoints exist.';
}

/** The last check that says which endpoints there are: after it `headline` knows. */
export const LAST_OF_PRESENCE = PRESENCE.at(-1)?.id;

/** What the author of the backend should build next, by the endpoints that were not found; undefined: those that matter are there. */
export function nextToBuild(results: readonly CheckResult[]): string | undefined {
  const isMissing = ({ check }: { check: string }) =>
    results.some(({ id, verdict }) => id === check && verdict === 'MISSING');
  const next = WANTED.find(isMissing);
  return next && `Build next: ${next.build}; ${next.why}.`;
}
