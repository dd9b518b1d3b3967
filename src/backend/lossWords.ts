import { describeLoss, type Loss } from './linkTypes.js';

/** What the end of a socket, or of the try to get one, means and what to do about it. */
interface LossWords {
  readonly meaning: string;
  readonly remedy: string;
  /** The remedy for whoever says already that the secrets must be the same. */
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
    meaning: 'the backend wants credentials and got none that it knows',
    remedy: 'Check that no proxy removes the Authorization header.',
    isOfCredentials: true,
  },
  403: {
    meaning: 'the backend knows who asks and refuses',
    remedy: 'Check that the backend knows this edge.agent_id and edge.user_phone.',
    isOfCredentials: true,
  },
  404: {
    meaning: 'there is no such endpoint',
    remedy: 'Check that the backend serves /edge/ws, and check backend.url and backend.websocket_url.',
  },
  426: {
    meaning: 'the request for a WebSocket did not arrive as one',
    remedy:
      'Have the proxy in between pass on the headers Upgrade and Connection, and HTTP/1.1; check backend.websocket_url.',
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
    'HTTP takes the same credentials, so the endpoint is not there yet, or a proxy refuses WebSocket upgrades',
  remedy:
    'Check that the backend serves /edge/ws and that no proxy in between refuses WebSockets. The agent dials on by itself, a minute apart at most.',
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
