import type { IncomingHttpHeaders } from 'node:http';
import type { Clock } from '../../../system/clock.js';
import type { CallerRateLimit } from '../CallerRateLimit.js';
import type { CommandDelivery } from '../CommandDelivery.js';
import type { CommandQueue } from '../CommandQueue.js';
import type { ConfigUpdates } from '../ConfigUpdates.js';
import type { ConnectionRegistry } from '../ConnectionRegistry.js';
import type { Journal } from '../Journal.js';
import type { MessageAnswers } from '../MessageAnswers.js';
import type { HttpReply } from '../requestBody.js';

/** What the endpoints work on: the backend without its doors. */
export interface EndpointContext {
  clock: Clock;
  registry: ConnectionRegistry;
  queue: CommandQueue;
  delivery: CommandDelivery;
  desk: MessageAnswers;
  journal: Journal;
  configUpdates: ConfigUpdates;
  /** Frame types beyond the documents that we read. */
  accepts: readonly string[];
  /** The secret at this moment. */
  secret: () => string;
  production: boolean;
  /** The token that a new agent may register with; undefined: an agent needs the secret. */
  registrationToken: string | undefined;
  adminKey: () => string;
  rateLimit: CallerRateLimit;
  /** How wrong credentials are answered on the socket: by a close code after the upgrade, or by 401 and 403 instead of it. */
  refuseBy: 'close' | 'status';
  /** Unix ms. */
  startedAt: number;
  log: (line: string) => void;
}

/** A request whose caller may make it. */
export interface Call {
  path: string;
  /** What a stranger is counted by. */
  address: string;
  headers: IncomingHttpHeaders;
  body: unknown;
  /** Who calls; empty where `access` does not ask for an agent. */
  agentId: string;
}

/**
 * One endpoint. `access`: `agent` needs an agent's credentials, `admin` the admin key, `open` nothing, and `own` looks for
 * itself. A reply of undefined means that there is none to give: the backend is stopping.
 */
export interface Endpoint {
  method: 'GET' | 'POST';
  /** What its body is; JSON unless given. */
  takes?: 'form';
  access: 'agent' | 'admin' | 'open' | 'own';
  handle(call: Call, backend: EndpointContext): HttpReply | undefined | Promise<HttpReply | undefined>;
}
