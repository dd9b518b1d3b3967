import { z } from 'zod';
import type { HandlerResult, ReceivedCommand } from '../../model/command.js';
import type { TextQueue } from '../../model/sending.js';
import { type SentTexts, tooLateVerdict } from '../../store/sendRecord.js';
import type { Clock } from '../../system/clock.js';
import { type Handler, handlerOf } from '../Handler.js';
import {
  type CommandLimits,
  type ConversationKeyOf,
  type FileAdmission,
  PRIORITY_RANK,
  type TextSchedule,
} from '../ports.js';
import { admitFiles, attachments, hasAttachments, noAttachments } from './attachments.js';
import {
  instant,
  TEXT_ALIASES,
  THREAD_ALIASES,
  TIME_ALIASES,
  text,
  textBesideFiles,
  threadId,
} from './fields.js';
import { scheduleText } from './scheduleMessage.js';

export interface SendMessagePorts {
  texts: TextQueue & SentTexts;
  schedule: TextSchedule;
  conversationKey: ConversationKeyOf;
  limits: () => CommandLimits;
  files: FileAdmission;
  clock: Clock;
  /** How old, in ms, what the backend made at this instant is; by this machine's clock if left out. */
  ageOf?: (madeAt: number) => number;
}

const schema = z.object({
  thread_id: threadId,
  text,
  bubble_type: z.enum(['reflex', 'burst', 'normal'], '"reflex", "burst" or "normal"').default('normal'),
  in_reply_to: z.string('a message guid').nullish(),
  send_at: instant.optional(),
  attachments: noAttachments,
});
const withFiles = schema.extend({ text: textBesideFiles, attachments });
type Payload = z.output<typeof withFiles>;

/** What `send_message_now` and `send_message` take. */
export const sendMessageContract = {
  types: ['send_message_now', 'send_message'],
  aliases: { ...THREAD_ALIASES, ...TEXT_ALIASES, ...TIME_ALIASES },
  schema: z.union([schema, withFiles]),
};

/** The schema for this payload: with files, the text may be empty. */
export function sendPayload(payload: Record<string, unknown>): typeof withFiles {
  return (hasAttachments(payload) ? withFiles : schema) as typeof withFiles;
}

/** `send_message_now`: the text goes out now; the ack comes with its outcome. `send_message` may be for later. */
export function sendMessage(ports: SendMessagePorts): Handler {
  return handlerOf({
    ...sendMessageContract,
    schema: sendPayload,
    run(command, payload) {
      const isForLater = command.commandType === 'send_message' && payload.send_at !== undefined;
      if (isForLater && (payload.send_at ?? 0) > ports.clock.now()) {
        return scheduleText(ports, command, {
          threadId: payload.thread_id,
          text: payload.text,
          sendAt: payload.send_at ?? 0,
          priority: command.priority,
          attachments: payload.attachments ?? [],
        });
      }
      return tooLate(ports, command, payload) ?? enqueue(ports, command, payload);
    },
  });
}

function enqueue(ports: SendMessagePorts, command: ReceivedCommand, payload: Payload): HandlerResult {
  const admitted = admitFiles(ports.files, payload.attachments ?? []);
  if (admitted.kind === 'refused') return admitted.verdict;
  const { files } = admitted;
  // A blank name names no message.
  const answers = (payload.in_reply_to ?? '').trim();
  ports.texts.enqueue({
    id: `command:${command.commandId}`,
    commandId: command.commandId,
    conversation: ports.conversationKey(payload.thread_id),
    threadId: payload.thread_id,
    text: payload.text,
    role: payload.bubble_type === 'reflex' ? 'reflex' : 'message',
    priority: PRIORITY_RANK[command.priority],
    pauseMs: payload.bubble_type === 'burst' ? ports.limits().bubbleDelayMs : 0,
    ...(answers === '' ? {} : { answers }),
    ...(files.length === 0 ? {} : { files }),
  });
  return { kind: 'deferred' };
}

/** Nobody wants last night's "one sec" in the morning. */
function tooLate(
  ports: SendMessagePorts,
  command: ReceivedCommand,
  payload: Payload,
): HandlerResult | undefined {
  if (command.timestamp === null) return undefined;
  const limits = ports.limits();
  const limitMs = payload.bubble_type === 'reflex' ? limits.reflexMaxAgeMs : limits.maxAgeMs;
  const ageMs = ports.ageOf?.(command.timestamp) ?? ports.clock.now() - command.timestamp;
  if (ageMs <= limitMs) return undefined;
  const conversation = ports.conversationKey(payload.thread_id);
  const since = { at: command.timestamp, clock: 'backend' } as const;
  const goneOut = ports.texts.mayHaveGoneOut({ conversation, text: payload.text }, since);
  if (goneOut === 'maybe') return undefined;
  const message = `The command is ${Math.round(ageMs / 1000)} s old; the limit is ${limitMs / 1000} s.`;
  return tooLateVerdict(message, goneOut);
}
