import type { Problem } from '../model/problem.js';
import type { LinkHistory } from './LinkHistory.js';
import { isLive } from './linkState.js';
import type { LinkState } from './linkTypes.js';
import { describeLoss } from './linkTypes.js';
import type { Reachability } from './Reachability.js';
import type { BackendSettings } from './settings.js';

/** How long the link may be down before that degrades the agent (protocol §7), ms. */
const DOWN_MS = 60_000;

interface ProblemFacts {
  readonly state: LinkState;
  readonly history: LinkHistory;
  readonly reachability: Reachability;
  readonly credentials: Problem<number> | null;
  readonly registration: Problem<number> | null;
  readonly clock: Problem<number> | null;
  /** Syncs that fail one after the other. */
  readonly polling: { readonly since: number; readonly detail: string } | null;
  /** Events and acks that the backend does not take. */
  readonly refused: Problem<number> | null;
  readonly settings: Pick<
    BackendSettings,
    'httpBase' | 'websocketEnabled' | 'reconnectAttempts' | 'syncIntervalSeconds'
  >;
  /** What to do about a refused token. */
  readonly refusalRemedy: string;
}

/** Every fault of the line to the backend that degrades the agent, the cause before its consequences. */
export function linkProblems(facts: ProblemFacts): Problem<number>[] {
  const { state, history, reachability, settings } = facts;
  const problems: Problem<number>[] = [];
  // A clock that is wrong may be why the backend refuses us.
  if (facts.clock) problems.push(facts.clock);
  if (facts.credentials) problems.push(facts.credentials);
  else if (history.refusedFrom !== null || reachability.unauthorisedSince !== null) {
    const cause =
      state.lastLoss && history.refusedFrom !== null ? describeLoss(state.lastLoss) : 'HTTP 401 or 403';
    problems.push({
      code: 'backend_unauthorised',
      since: history.refusedFrom ?? reachability.unauthorisedSince ?? 0,
      message: `The backend refuses our credentials: ${cause}.`,
      remedy: facts.refusalRemedy,
    });
  }
  if (facts.registration) problems.push(facts.registration);
  if (!reachability.reachable) {
    problems.push({
      code: 'backend_unreachable',
      since: reachability.since,
      message: `${new URL(settings.httpBase).host} does not answer: ${reachability.detail}.`,
      remedy: 'Check the network and backend.url; the agent retries on its own.',
    });
  }
  const isRefused = problems.some(({ code }) => code === 'backend_unauthorised');
  if (facts.polling && reachability.reachable && !isRefused && facts.credentials === null) {
    const way = isLive(state) ? 'Commands come by the real-time link alone' : 'No command comes';
    problems.push({
      code: 'sync_failing',
      since: facts.polling.since,
      message: `The backend answers, but takes no sync: ${facts.polling.detail}. ${way}.`,
      remedy:
        'Check that the backend serves POST /edge/sync (edge-agent conformance <url> tests it); the agent retries on its own.',
    });
  }
  if (facts.refused) problems.push(facts.refused);
  const limit = settings.reconnectAttempts;
  const worn = limit > 0 && state.failures >= limit;
  const down = settings.websocketEnabled && !isLive(state) && (worn || history.downMs > DOWN_MS);
  const explained = facts.credentials !== null || history.refusedFrom !== null;
  if (down && !explained && state.name !== 'stopped' && state.name !== 'draining') {
    const cause = state.lastLoss ? `: ${describeLoss(state.lastLoss)}` : '';
    problems.push({
      code: 'websocket_unavailable',
      since: history.downFrom ?? 0,
      message: `The real-time link is down${cause}; commands come by polling every ${settings.syncIntervalSeconds} s.`,
      remedy: 'Check that the backend serves /edge/ws and that no proxy in between refuses WebSockets.',
    });
  }
  return problems;
}
