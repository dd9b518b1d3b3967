import { ability, ack, command, event, message, payload, status } from './bodies.js';
import { each, type Fields, list, object, type Place, words } from './place.js';

/** The body of a request or of its answer. */
interface Exchange {
  readonly request: Place;
  readonly answer: Place;
}

/** What an answer may have besides its own: whether it went well, and why not. */
const common: Fields = {
  success: 'flag',
  error: 'error',
  ...each('message detail', 'text'),
  ...each('command_id message_guid attachment_guid', 'id'),
  timestamp: 'time',
};

const acknowledge: Exchange = { request: object(ack), answer: object(common) };

/** By the path of the request. */
export const EXCHANGES: ReadonlyMap<string, Exchange> = new Map([
  [
    '/edge/register',
    {
      request: object({
        ...each('user_phone apple_id', 'handle'),
        version: 'version',
        capabilities: list(ability),
        ...each('auth_token registration_token', 'secret'),
      }),
      answer: object({ ...common, edge_agent_id: 'handle', auth_token: 'secret', accepts: list(ability) }),
    },
  ],
  [
    '/edge/sync',
    {
      request: object({
        edge_agent_id: 'handle',
        last_command_id: 'id',
        pending_events: list(object(event)),
        command_acks: list(object(ack)),
        status,
      }),
      answer: object({
        ...common,
        commands: list(object(command)),
        ...each('ack_events ack_commands', list('id')),
        ...each('config_update config_updates', 'free'),
      }),
    },
  ],
  [
    '/edge/message',
    {
      request: message,
      answer: object({
        ...common,
        should_respond: 'flag',
        ...each('reflex_message reply_text', 'text'),
        ...each('reply_bubbles burst_messages', list('text')),
        burst_delay_ms: 'number',
      }),
    },
  ],
  ['/edge/command/ack', acknowledge],
  ['/edge/ack_command', acknowledge],
  ['/photo/upload', { request: 'free', answer: object(common) }],
  [
    '/api/send-message',
    {
      request: object({ edge_agent_id: 'handle', command_id: 'id', ...payload.fields }),
      answer: object({ ...common, instant: 'flag', delivery: words('websocket polling') }),
    },
  ],
]);

const notice = object({
  ...each('message error reason', 'text'),
  status: words('authenticated'),
  level: words('info success warning error'),
});

/** By the `type` of the frame: the contents of `data`, of `payload`, or of the frame itself. */
export const FRAMES: ReadonlyMap<string, Place> = new Map<string, Place>([
  ['ping', object({})],
  ['pong', object({})],
  ['connected', object({ accepts: list(ability), edge_agent_id: 'handle', agent_id: 'handle' })],
  ['command', object(command)],
  ['config_update', 'free'],
  ...(['auth', 'notification', 'error'] as const).map((type): [string, Place] => [type, notice]),
  ['command_ack', object(ack)],
  ['event', object(event)],
  ['status', status],
]);

/** The words of which the paths of a backend are made. */
export const PATH_WORDS: ReadonlySet<string> = new Set(
  'edge api register sync message photo upload command ack ack_command send-message websocket ws stats health'.split(
    ' ',
  ),
);
