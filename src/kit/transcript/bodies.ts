import { EVENT_TYPES } from '../../model/events.js';
import { statusSchema } from '../../model/status.js';
import { COMMANDS } from '../contracts/commands.js';
import { fieldsOf } from './fieldsOf.js';
import { each, type Fields, list, object, words } from './place.js';

const priority = words('immediate high normal low deferred');
const service = words('iMessage SMS RCS any');
const commandType = words(
  Object.values(COMMANDS)
    .flatMap(({ types }) => types)
    .join(' '),
);
const eventType = words(EVENT_TYPES.join(' '));
/** What an agent can do, and what frames a backend reads. */
export const ability = words('event status websocket http_sync', [...commandType.words].join(' '));
const outcome = words('sent not_sent unknown partly_sent');
const mimeType = words(
  'image/jpeg image/png image/gif image/heic image/heif image/webp image/tiff video/mp4 video/quicktime audio/mpeg',
  'audio/mp4 audio/aac audio/amr audio/x-caf audio/x-m4a application/pdf application/zip text/plain text/csv text/vcard',
  'text/x-vcard text/calendar',
);

const conversation: Fields = each('thread_id chat_guid', 'handle');
const said: Fields = each('text message message_text notify_text filename caption transcription', 'text');

/** The fields of every command type. Settings have their own keys, so they are not among the fields. */
export const payload = object({
  ...conversation,
  ...said,
  ...each('in_reply_to schedule_id message_id attachment_guid', 'id'),
  ...each('send_at schedule_time', 'time'),
  bubble_type: words('reflex burst normal'),
  priority,
  is_group: 'flag',
  status: words('pending sending sent failed cancelled'),
  state: words('active completed'),
  app_id: 'text',
  room_id: 'text',
  reason: 'text',
  event_type: 'text',
  metadata: 'free',
  event_data: 'free',
  attachments: list(object(each('data_base64 url path filename', 'text'))),
});

/** A command, however it came. */
export const command: Fields = {
  command_id: 'id',
  command_type: commandType,
  payload,
  parameters: payload,
  params: payload,
  priority,
  timestamp: 'time',
};

/** The text that was sent instead of a duplicate. */
const counterpart = object({ ...each('command_id in_reply_to message_guid', 'id'), bubble: 'number' });
const part = object({
  kind: words('text file'),
  filename: 'text',
  outcome,
  message_guid: 'id',
  service,
  error: 'error',
  deduplicated: 'flag',
  duplicate_of: counterpart,
});
const scheduled = object({
  ...each('schedule_id command_id', 'id'),
  ...conversation,
  ...said,
  send_at: 'time',
  status: words('pending sending sent failed cancelled'),
  error: 'error',
});

/** What became of a command. */
export const ack: Fields = {
  command_id: 'id',
  status: words('completed failed'),
  success: 'flag',
  error: 'error',
  ...each('completed_at timestamp', 'time'),
  revision: 'number',
  result: object({
    outcome,
    ...each('retry_safe confirmed late deduplicated repeated had_context downgraded', 'flag'),
    ...each('message_guid schedule_id', 'id'),
    service,
    duplicate_of: counterpart,
    state: words('pending sending sent failed cancelled'),
    parts: list(part),
    scheduled: list(scheduled),
    count: 'number',
  }),
};

/** `details` may be what a backend made up (`emit_event`). */
export const event: Fields = {
  event_id: 'id',
  event_type: eventType,
  thread_id: 'handle',
  details: 'free',
  timestamp: 'time',
};

/** What the texts in a status are; what is not named here is replaced as a text. */
const STATUS_TEXTS: Fields = {
  version: 'version',
  agent_id: 'handle',
  state: words('idle dialing proving online suspect waiting blocked draining stopped'),
  conversation: 'handle',
  last_error: 'error',
};

/** The status of the agent. */
export const status = object({ ...fieldsOf(statusSchema, STATUS_TEXTS), active_rules: 'number' });

/** One incoming message. */
export const message = object({
  ...each('message_guid reply_to_guid', 'id'),
  ...conversation,
  sender: 'handle',
  ...each('filtered_text text', 'text'),
  parts: list(object({ type: words('text attachment'), text: 'text', guid: 'id' })),
  ...each('original_timestamp timestamp', 'time'),
  ...each('is_group was_redacted', 'flag'),
  mode: words('direct group'),
  participants: list('handle'),
  service,
  redacted_fields: list(words('phone ssn credit_card email')),
  attachments: list(
    object({
      guid: 'id',
      mime_type: mimeType,
      size_bytes: 'number',
      ...each('filename transcription', 'text'),
    }),
  ),
  context: 'free',
});
