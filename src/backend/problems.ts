import type { Problem } from '../model/problem.js';
import { ALLOW_LOCAL_NETWORK, isKeptFromLocalNetwork } from '../system/network.js';
import { iso } from '../system/time.js';
import type { LinkHistory } from './Link.js';
import { isLive } from './linkState.js';
import { type LinkState, lossWords } from './linkTypes.js';
import type { Reachability } from './Reachability.js';
import type { BackendSettings } from './settings.js';

/** How long the link may be down before that degrades the agent (protocol §7), ms. */
const DOWN_MS = 60_000;
/** Links in a row that dropped soon: fewer happen when a backend is deployed. */
const UNSTABLE_FROM = 3;
/** One may be a replaced Mac; the second proves that both are running. */
const DUPLICATED_FROM = 2;

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
  /** When the pinned token expired, Unix ms; null: it has not, or does not say. */
  readonly expiredAt: number | null;
  /** What to do about a refused token. */
  readonly refusalRemedy: string;
  readonly platform: NodeJS.Platform;
}

/** Every fault of the connection to the backend that degrades the agent, the cause before its consequences. */
export function linkProblems(facts: ProblemFacts): Problem<number>[] {
  const { reachability, settings } = facts;
  const problems: Problem<number>[] = [];
  // A clock that is wrong may be why the backend refuses us.
  if (facts.clock) problems.push(facts.clock);
  const refusal = facts.credentials ?? refusalProblem(facts);
  if (refusal) problems.push(refusal);
  if (facts.registration) problems.push(facts.registration);
  if (!reachability.reachable) {
    const { host, hostname } = new URL(settings.httpBase);
    problems.push({
      code: 'backend_unreachable',
      since: reachability.since,
      message: `${host} does not answer: ${reachability.detail}.`,
      remedy: isKeptFromLocalNetwork(facts.platform, hostname, reachability.detail)
        ? ALLOW_LOCAL_NETWORK
        : 'Check the network and backend.url; the agent retries on its own.',
    });
  }
  if (facts.polling && reachability.reachable && (refusal === null || refusal.code === 'websocket_refused')) {
    const way = isLive(facts.state) ? 'Commands arrive only by the real-time link' : 'No commands arrive';
    problems.push({
      code: 'sync_failing',
      since: facts.polling.since,
      message: `The backend answers, but accepts no sync: ${facts.polling.detail}. ${way}.`,
      remedy:
        'Check that the backend serves POST /edge/sync (edge-agent conformance <url> tests it); the agent retries on its own.',
    });
  }
  if (facts.refused) problems.push(facts.refused);
  return [...problems, ...socketProblems(facts)];
}

/** Why the backend does not let us in; by the socket alone where HTTP takes the same credentials. */
function refusalProblem(facts: ProblemFacts): Problem<number> | null {
  const { state, history, reachability, expiredAt } = facts;
  const since = history.refusedFrom ?? reachability.unauthorisedSince;
  if (since === null) return null;
  const words =
    state.lastLoss && history.refusedFrom !== null
      ? lossWords(state.lastLoss)
      : { meaning: 'HTTP 401 or 403', remedy: '', more: '' };
  if (expiredAt !== null) {
    return {
      code: 'token_expired',
      since,
      message: `EDGE_TOKEN expired at ${iso(expiredAt)}, and the backend refuses it: ${words.meaning}.`,
      remedy:
        'Put a new EDGE_TOKEN into .env, or EDGE_SECRET in its place, from which the agent makes tokens itself.',
    };
  }
  if (reachability.takesUs) {
    return {
      code: 'websocket_refused',
      since,
      message: `The backend refuses the real-time link, although HTTP accepts the same credentials: ${words.meaning}.`,
      remedy: words.remedy,
    };
  }
  return {
    code: 'backend_unauthorised',
    since,
    message: `The backend refuses our credentials: ${words.meaning}.`,
    remedy: [facts.refusalRemedy, words.more].filter((one) => one !== '').join(' '),
  };
}

function socketProblems(facts: ProblemFacts): Problem<number>[] {
  const { state, history, settings } = facts;
  if (!settings.websocketEnabled || state.name === 'stopped' || state.name === 'draining') return [];
  const { takeovers } = history;
  const isRefused = facts.credentials !== null || history.refusedFrom !== null;
  if (takeovers !== null && takeovers.count >= DUPLICATED_FROM) {
    const { remedy } = lossWords({ kind: 'closed', code: 4409, reason: '' });
    return [
      {
        code: 'agent_duplicated',
        since: takeovers.since,
        message: `Another agent uses the same id: it has taken the real-time link over ${takeovers.count} times (close code 4409). Commands go to whichever is connected.`,
        remedy,
      },
      ...(isRefused ? [] : unavailable(facts, true)),
    ];
  }
  if (isRefused) return [];
  const drops = unstable(facts);
  return [...drops, ...unavailable(facts, drops.length > 0)];
}

function unstable({ state, history: { shortLinks } }: ProblemFacts): Problem<number>[] {
  if (shortLinks === null || shortLinks.count < UNSTABLE_FROM) return [];
  const cause = state.lastLoss === null ? '' : `, the last one: ${lossWords(state.lastLoss).meaning}`;
  return [
    {
      code: 'link_unstable',
      since: shortLinks.since,
      message: `The real-time link drops soon after each connect: ${shortLinks.count} times in a row${cause}.`,
      remedy:
        'Check the log of the backend and the proxies in between for the reason. This notice ends once the link has been up for 90 s.',
    },
  ];
}

/** `opens`: it opens now and then and is lost again, so that failures in a row do not say that it is down. */
function unavailable({ state, history, settings }: ProblemFacts, opens: boolean): Problem<number>[] {
  const limit = settings.reconnectAttempts;
  const isWorn = !opens && limit > 0 && state.failures >= limit;
  if (isLive(state) || !(isWorn || history.downMs > DOWN_MS)) return [];
  const words = state.lastLoss === null ? null : lossWords(state.lastLoss);
  return [
    {
      code: 'websocket_unavailable',
      since: history.downFrom ?? 0,
      message: `The real-time link is down${words === null ? '' : `: ${words.meaning}`}; commands come by polling every ${settings.syncIntervalSeconds} s.`,
      remedy:
        words?.remedy ??
        'Check that the backend serves /edge/ws and that no proxy in between refuses WebSockets.',
    },
  ];
}
