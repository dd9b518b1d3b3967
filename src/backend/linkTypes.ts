import { RECONNECT_STEPS_MS } from './HttpClient.js';

/** Every wait of the link, in ms. The defaults are protocol §3; tests shorten them. */
export interface LinkRules {
  /** Between JSON pings; the one rule that an operator sets (`websocket.ping_interval_seconds`). */
  readonly pingIntervalMs: number;
  /** A JSON ping that met no frame for this long ends the socket; the last `suspicionMs` of it are `suspect`. */
  readonly pongTimeoutMs: number;
  readonly suspicionMs: number;
  readonly wsPingIntervalMs: number;
  readonly wsPongTimeoutMs: number;
  /** How soon a ping leaves when something waits for its pong. */
  readonly hurryMs: number;
  /** From the open socket to the first frame. */
  readonly provingMs: number;
  /** The handshake's deadline: this much more with each failure, up to the longest. */
  readonly dialFirstMs: number;
  readonly dialLongestMs: number;
  readonly wakePingMs: number;
  /** A link that was up this long and had a pong restarts at the first backoff step. */
  readonly stableMs: number;
  readonly backoffMs: readonly number[];
  /** Close 4409: another agent has our id. */
  readonly takenOverMs: number;
  readonly blockedFastMs: number;
  readonly blockedFastForMs: number;
  readonly blockedSlowMs: number;
  /** How long the immediate retry waits for the re-registration. */
  readonly reregisterMs: number;
  readonly barrierMs: number;
  readonly closeMs: number;
}

export const PROTOCOL_RULES: LinkRules = {
  pingIntervalMs: 30_000,
  pongTimeoutMs: 10_000,
  suspicionMs: 2_000,
  // A little less than the protocol's 6 s, so that 6 + 4 + 2 s and the dial itself stay within 12 s.
  wsPingIntervalMs: 5_800,
  wsPongTimeoutMs: 4_000,
  hurryMs: 500,
  provingMs: 5_000,
  dialFirstMs: 5_000,
  dialLongestMs: 20_000,
  wakePingMs: 3_000,
  stableMs: 30_000,
  backoffMs: RECONNECT_STEPS_MS,
  takenOverMs: 30_000,
  blockedFastMs: 60_000,
  blockedFastForMs: 600_000,
  blockedSlowMs: 300_000,
  reregisterMs: 5_000,
  barrierMs: 2_000,
  closeMs: 1_000,
};

/** The life signs of one open socket. Times are monotonic ms. */
export interface KeepaliveState {
  readonly openedAt: number;
  /** The JSON ping still without pong; `alive` once any frame came after it. At most one is outstanding. */
  readonly ping: { readonly sentAt: number; readonly alive: boolean } | null;
  readonly nextPingAt: number;
  readonly wsPingAt: number | null;
  readonly nextWsPingAt: number;
  /** `never`: this backend does not answer WebSocket-level pings, so none are sent. */
  readonly wsPings: 'untried' | 'answered' | 'never';
  readonly hadPong: boolean;
  readonly rttMs: number | null;
}

/** Why a socket, or the try to get one, ended. */
export type Loss =
  | { readonly kind: 'closed'; readonly code: number; readonly reason: string }
  | {
      readonly kind: 'refused';
      readonly status: number;
      readonly retryAfterMs?: number;
      readonly detail: string;
      /** HTTP takes the same credentials: the endpoint or a proxy refuses, and not who looks at credentials. */
      readonly httpTakesUs?: true;
    }
  | { readonly kind: 'failed'; readonly detail: string }
  /** The handshake's deadline passed. */
  | { readonly kind: 'hung' }
  /** Opened, then not one frame. */
  | { readonly kind: 'silent' }
  /** A ping met no frame. */
  | { readonly kind: 'unanswered' }
  /** Given up by ourselves for a fresh socket. */
  | { readonly kind: 'replaced'; readonly why: string };

/** What holds in every state. */
interface Carried {
  /** Grows by one at each change of state. */
  readonly transition: number;
  /** Grows by one at each dial; a socket's events carry its epoch and count only while it is the current one. */
  readonly epoch: number;
  /** When this state was entered, monotonic ms. */
  readonly since: number;
  /** Dials in a row that did not become a stable link. */
  readonly failures: number;
  /** The backoff step of the next wait. */
  readonly step: number;
  /** Whether a refusal is answered by one immediate retry. */
  readonly retryEarned: boolean;
  readonly blockedSince: number | null;
  readonly lastLoss: Loss | null;
}

/** The states of docs/link.md. Where a state waits, `until` says for what instant (monotonic ms). */
export type LinkState = Carried &
  (
    | { readonly name: 'idle' /** Started with the WebSocket switched off. */; readonly pollingOnly: boolean }
    | { readonly name: 'dialing'; readonly until: number }
    | { readonly name: 'proving'; readonly until: number; readonly keepalive: KeepaliveState }
    | { readonly name: 'online'; readonly keepalive: KeepaliveState }
    | {
        readonly name: 'suspect';
        readonly until: number;
        readonly keepalive: KeepaliveState;
        readonly cause: 'ping' | 'wake';
      }
    | { readonly name: 'waiting'; readonly until: number }
    | {
        readonly name: 'blocked';
        readonly until: number;
        readonly reason: string;
        /** The one immediate retry: dials as soon as the re-registration has ended. */
        readonly retrying: boolean;
      }
    | {
        readonly name: 'draining';
        readonly part: 'finishing' | 'barrier' | 'closing';
        /** When this part is cut short. */
        readonly until: number;
        readonly deadline: number;
        /** Null when there is no socket to drain. */
        readonly keepalive: KeepaliveState | null;
        /** Whether the ping after the last ack has left. */
        readonly barrierSent: boolean;
      }
    | { readonly name: 'stopped' }
  );

export type StateOf<Name extends LinkState['name']> = Extract<LinkState, { readonly name: Name }>;

/** What happened. `at` is monotonic ms, `chance` in [0, 1): the function that reads them stays pure. */
export type LinkEvent = { readonly at: number; readonly chance: number } & (
  | { readonly type: 'start'; readonly websocket: boolean }
  | { readonly type: 'opened'; readonly epoch: number }
  | { readonly type: 'frame'; readonly epoch: number; readonly pong: boolean }
  | { readonly type: 'wsPong'; readonly epoch: number }
  | { readonly type: 'lost'; readonly epoch: number; readonly loss: Loss }
  /** There was nothing to dial with. */
  | { readonly type: 'uncredentialed'; readonly epoch: number; readonly reason: string }
  | { readonly type: 'timer' }
  | { readonly type: 'wake' }
  | { readonly type: 'kick' }
  /** Something sent waits for the pong of a ping that has not left yet. */
  | { readonly type: 'hurry' }
  /** The backend seems to have lost us; a new socket fixes that. */
  | { readonly type: 'redial'; readonly why: string }
  | { readonly type: 'registered' }
  /** They may be other ones now, or none. */
  | { readonly type: 'credentials' }
  /** HTTP turned from 401/403 to 2xx. */
  | { readonly type: 'authorised' }
  | { readonly type: 'drain'; readonly deadline: number }
  /** Draining: the handlers in flight are done. */
  | { readonly type: 'settled' }
  /** Draining without a socket: the last words went by HTTP. */
  | { readonly type: 'flushed' }
);

/** What the driver has to do, in this order, before it looks at the next event. */
export type LinkEffect =
  | { readonly do: 'dial'; readonly epoch: number }
  | { readonly do: 'terminate'; readonly epoch: number }
  | { readonly do: 'close'; readonly epoch: number }
  | { readonly do: 'ping'; readonly epoch: number }
  | { readonly do: 'wsPing'; readonly epoch: number }
  | { readonly do: 'sync'; readonly why: 'online' | 'dropped' }
  | { readonly do: 'reregister' }
  /** Write acks, events and the final status: to the socket, or by HTTP where there is none. */
  | { readonly do: 'lastWords'; readonly socket: boolean };

export interface Step {
  readonly state: LinkState;
  readonly effects: readonly LinkEffect[];
}

/** What ended a socket or a dial, for a log line and for status. */
export function describeLoss(loss: Loss): string {
  switch (loss.kind) {
    case 'closed':
      return `closed with ${loss.code}${loss.reason ? ` (${loss.reason})` : ''}`;
    case 'refused':
      return `Unexpected server response: ${loss.status}${loss.detail ? ` (${loss.detail})` : ''}`;
    case 'failed':
      return loss.detail;
    case 'hung':
      return 'no answer to the handshake within its deadline';
    case 'silent':
      return 'opened, but no frame arrived';
    case 'unanswered':
      return 'a ping was not answered';
    case 'replaced':
      return loss.why;
  }
}

/** What the end of a socket, or of the try to get one, means and what to do about it. */
interface LossWords {
  readonly meaning: string;
  readonly remedy: string;
  /** The remedy if the text already says that the secrets must be the same. */
  readonly more: string;
}

const CREDENTIALS_REMEDY = 'Check that EDGE_SECRET is the same here and on the backend.';

interface Meaning {
  readonly meaning: string;
  readonly remedy: string;
  /** Wrong secrets are the likeliest cause. */
  readonly isOfCredentials?: true;
}

/** By the status of the answer to the handshake. */
const BY_STATUS: Readonly<Record<number, Meaning>> = {
  401: {
    meaning: 'the backend needs credentials and recognised none',
    remedy: 'Check that no proxy removes the Authorization header.',
    isOfCredentials: true,
  },
  403: {
    meaning: 'the backend recognised the agent and refused it',
    remedy: 'Check that the backend knows this edge.agent_id and edge.user_phone.',
    isOfCredentials: true,
  },
  404: {
    meaning: 'there is no such endpoint',
    remedy: 'Check that the backend serves /edge/ws, and check backend.url and backend.websocket_url.',
  },
  426: {
    meaning: 'the WebSocket request did not arrive as one',
    remedy:
      'Let the proxy in between pass on the headers Upgrade and Connection, and HTTP/1.1; check backend.websocket_url.',
  },
};

/** By the code that the backend closed with (protocol §3). */
const BY_CLOSE_CODE: Readonly<Record<number, Meaning>> = {
  1008: {
    meaning: 'the token does not verify',
    remedy: 'Check edge.user_phone, edge.agent_id and the clock of this machine.',
    isOfCredentials: true,
  },
  4001: {
    meaning: 'the backend saw no Authorization header',
    remedy: 'Check that no proxy removes the Authorization header from WebSocket handshakes.',
  },
  4409: {
    meaning: 'another agent connected with the same id',
    remedy: 'Stop one of the two agents, or give it its own edge.agent_id or edge.user_phone.',
  },
};

const ENDPOINT_ALONE: Meaning = {
  meaning:
    'HTTP accepts the same credentials, so the endpoint does not exist yet, or a proxy refuses WebSocket upgrades',
  remedy:
    'Check that the backend serves /edge/ws and that no proxy in between refuses WebSockets. The agent retries on its own, at least once a minute.',
};

const OTHERWISE = 'Check that the backend serves /edge/ws and that no proxy in between refuses WebSockets.';

/** The loss with what it means, as a clause, and what to do. Every code of protocol §3 has its own words. */
export function lossWords(loss: Loss): LossWords {
  const found = wordsOf(loss);
  const what = describeLoss(loss);
  if (found === undefined) return { meaning: what, remedy: OTHERWISE, more: OTHERWISE };
  const { remedy: more } = found;
  const remedy = found.isOfCredentials === true ? `${CREDENTIALS_REMEDY} ${more}` : more;
  return { meaning: `${what}: ${found.meaning}`, remedy, more };
}

function wordsOf(loss: Loss): Meaning | undefined {
  if (loss.kind === 'closed') return BY_CLOSE_CODE[loss.code];
  if (loss.kind !== 'refused') return undefined;
  return loss.status === 403 && loss.httpTakesUs === true ? ENDPOINT_ALONE : BY_STATUS[loss.status];
}
