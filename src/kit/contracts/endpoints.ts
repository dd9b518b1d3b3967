/** Who may call: an agent, an operator, anyone, or the holder of an invitation. */
export type Caller = 'agent' | 'operator' | 'anybody' | 'newcomer';

/** One endpoint of a backend, as in the contract. Schemas are named as in `jsonSchemas`. */
export interface EndpointContract {
  readonly path: string;
  readonly method: 'get' | 'post';
  readonly id: string;
  readonly summary: string;
  readonly description: string;
  readonly caller: Caller;
  readonly request?: { readonly name: string; readonly form?: true; readonly idempotent?: true };
  readonly reply: string;
  /** Answers other than 200. */
  readonly refusals: readonly number[];
}

const OF_AGENTS = [400, 401, 403, 413, 415, 429, 500];

/** The HTTP side of a backend (docs/protocol.md; the last four are not asked for by any agent). */
export const ENDPOINTS: readonly EndpointContract[] = [
  {
    path: '/edge/register',
    method: 'post',
    id: 'register',
    summary: 'Register an agent',
    description: 'Idempotent. 404, 405 or 501: this backend has no registration.',
    caller: 'newcomer',
    request: { name: 'RegisterRequest' },
    reply: 'RegisterReply',
    refusals: [...OF_AGENTS, 404, 405, 409, 501],
  },
  {
    path: '/edge/sync',
    method: 'post',
    id: 'sync',
    summary: 'Fetch commands, deliver acks and events',
    description:
      'Every 15 s without a socket, once on each new one, every 5 minutes while there is one. A 2xx alone clears nothing.',
    caller: 'agent',
    request: { name: 'SyncRequest' },
    reply: 'SyncReply',
    refusals: OF_AGENTS,
  },
  {
    path: '/edge/message',
    method: 'post',
    id: 'message',
    summary: 'One incoming iMessage',
    description:
      'Repeated until it is answered; answer a message_guid once. Messages of one conversation are posted in the order of ' +
      'sequence; do not wait for a missing number. A reflex may be sent immediately over the socket of the agent that ' +
      'X-Edge-Agent-Id names; it is still the first bubble of the reply.',
    caller: 'agent',
    request: { name: 'MessageRequest', idempotent: true },
    reply: 'MessageReply',
    refusals: [...OF_AGENTS, 409, 422, 503],
  },
  {
    path: '/photo/upload',
    method: 'post',
    id: 'uploadPhoto',
    summary: 'An image of an incoming message',
    description: 'Repeated until you accept it, or refuse it permanently (400, 413, 415, 422).',
    caller: 'agent',
    request: { name: 'PhotoFields', form: true, idempotent: true },
    reply: 'PhotoReply',
    refusals: [...OF_AGENTS, 409, 422],
  },
  ...(['/edge/command/ack', '/edge/ack_command'] as const).map(
    (path): EndpointContract => ({
      path,
      method: 'post',
      id: path === '/edge/command/ack' ? 'acknowledge' : 'acknowledgeOlder',
      summary: path === '/edge/command/ack' ? 'One ack' : 'One ack (older name)',
      description:
        'Used when there is no socket, or it did not respond. Harmless to repeat; the highest revision counts.',
      caller: 'agent',
      request: { name: 'Ack' },
      reply: 'AckReply',
      refusals: OF_AGENTS,
    }),
  ),
  {
    path: '/api/send-message',
    method: 'post',
    id: 'sendMessage',
    summary: 'Send a text through an agent',
    description: 'Immediate if its socket is up, else with its next sync. A command_id makes it idempotent.',
    caller: 'operator',
    request: { name: 'SendRequest' },
    reply: 'SendReply',
    refusals: [400, 401, 403, 404, 409, 413, 415, 429, 500],
  },
  {
    path: '/edge/websocket/stats',
    method: 'get',
    id: 'stats',
    summary: 'Connected agents and waiting commands',
    description: 'For operators.',
    caller: 'operator',
    reply: 'Stats',
    refusals: [401, 429, 500],
  },
  ...(['/health', '/edge/health'] as const).map(
    (path): EndpointContract => ({
      path,
      method: 'get',
      id: path === '/health' ? 'health' : 'edgeHealth',
      summary: 'Liveness',
      description: 'Reveals nothing about agents.',
      caller: 'anybody',
      reply: 'Health',
      refusals: [429, 500],
    }),
  ),
];
