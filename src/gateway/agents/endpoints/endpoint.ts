import type { IncomingHttpHeaders } from 'node:http';
import type { Clock } from '../../../system/clock.js';
import type { AckLatencies } from '../AckLatencies.js';
import type { BodyRoom } from '../BodyRoom.js';
import type { CallerRateLimit } from '../CallerRateLimit.js';
import type { ConnectionRegistry } from '../ConnectionRegistry.js';
import type { AdminRights, EdgeBackend } from '../EdgeBackend.js';
import type { LoadGate, LoadKind } from '../LoadGate.js';
import type { HttpReply } from '../requestBody.js';

/** What the endpoints work on. */
export interface EndpointContext {
  readonly backend: EdgeBackend;
  readonly clock: Clock;
  /** Who is connected here. */
  readonly registry: ConnectionRegistry;
  readonly latencies: AckLatencies;
  readonly rateLimit: CallerRateLimit;
  readonly bodies: BodyRoom;
  readonly load: LoadGate;
  /** Frame types beyond the documents that we read. */
  readonly accepts: readonly string[];
  /** Whether the secret itself is accepted as a token. */
  readonly plainSecrets: boolean;
  /** How wrong credentials are answered on the socket: by a close code after the upgrade, or by 401 and 403 instead of it. */
  readonly refuseBy: 'close' | 'status';
  /** Unix ms. */
  readonly startedAt: number;
  readonly log: (line: string) => void;
}

/** A request whose caller may make it. */
export interface Call {
  path: string;
  /** What a stranger is counted by. */
  address: string;
  headers: IncomingHttpHeaders;
  body: unknown;
  /** Aborted once the caller has hung up: nothing has to be answered any more. */
  hungUp: AbortSignal;
  /** Who calls; empty where `access` does not ask for an agent. */
  agentId: string;
  /** Who calls, where `access` asks for an admin key. */
  operator: AdminRights | undefined;
}

/**
 * One endpoint. `access`: `agent` needs an agent's credentials, `admin` an admin key, `open` nothing, and `own` looks for
 * itself. A reply of undefined means that there is none to give: the backend is stopping.
 */
export interface Endpoint {
  method: 'GET' | 'POST';
  /** Its class under overload; without one it is always admitted. */
  load?: LoadKind;
  /** What its body is; JSON unless given. */
  takes?: 'form';
  access: 'agent' | 'admin' | 'open' | 'own';
  handle(call: Call, context: EndpointContext): HttpReply | undefined | Promise<HttpReply | undefined>;
}
