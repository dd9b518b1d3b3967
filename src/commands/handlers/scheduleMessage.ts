import { z } from 'zod';
import type { HandlerResult, Priority, ReceivedCommand } from '../../model/command.js';
import { tooLateVerdict } from '../../store/sendRecord.js';
import {
  type Handler,
  handlerOf,
  instant,
  TEXT_ALIASES,
  THREAD_ALIASES,
  TIME_ALIASES,
  text,
  textBesideFiles,
  threadId,
} from '../Handler.js';
import {
  type CommandLimits,
  type ConversationKeyOf,
  type FileAdmission,
  PRIORITY_RANK,
  type TextSchedule,
} from '../ports.js';
import { admitFiles, attachments, discardFiles, hasAttachments, noAttachments } from './attachments.js';

interface SchedulePorts {
  schedule: TextSchedule;
  conversationKey: ConversationKeyOf;
  limits: () => Pick<CommandLimits, 'maxTextLength' | 'splitLongTexts'>;
  files: FileAdmission;
}

const PRIORITIES = ['immediate', 'high', 'normal', 'low', 'deferred'] as const;

const schema = z.object({
  thread_id: threadId,
  text,
  send_at: instant,
  priority: z.enum(PRIORITIES, `one of ${PRIORITIES.join(', ')}`).optional(),
  attachments: noAttachments,
});
const withFiles = schema.extend({ text: textBesideFiles, attachments });

/** What `schedule_message` takes. */
export const scheduleMessageContract = {
  types: ['schedule_message'],
  aliases: { ...THREAD_ALIASES, ...TEXT_ALIASES, ...TIME_ALIASES },
  schema: z.union([schema, withFiles]),
};

/** The schema for this payload: with files, the text may be empty. */
export function schedulePayload(payload: Record<string, unknown>): typeof withFiles {
  return (hasAttachments(payload) ? withFiles : schema) as typeof withFiles;
}

/** `schedule_message`: stored, to be sent at its time; acked now with its schedule id, and again when it ended. */
export function scheduleMessage(ports: SchedulePorts): Handler {
  return handlerOf({
    ...scheduleMessageContract,
    schema: schedulePayload,
    run: (command, payload) =>
      scheduleText(ports, command, {
        threadId: payload.thread_id,
        text: payload.text,
        sendAt: payload.send_at,
        priority: payload.priority ?? command.priority,
        attachments: payload.attachments ?? [],
      }),
  });
}

/** Stores a text for later, for whichever command asked for it. */
export function scheduleText(
  ports: SchedulePorts,
  command: ReceivedCommand,
  later: {
    threadId: string;
    text: string;
    sendAt: number;
    priority: Priority;
    attachments: z.output<typeof attachments>;
  },
): HandlerResult {
  const { maxTextLength, splitLongTexts = false } = ports.limits();
  if (!splitLongTexts && [...later.text].length > maxTextLength) {
    const message = `The text is longer than ${maxTextLength} characters (outgoing.max_text_length).`;
    const result = { outcome: 'not_sent', retry_safe: true };
    return { kind: 'failed', code: 'text_too_long', message, result };
  }
  const admitted = admitFiles(ports.files, later.attachments);
  if (admitted.kind === 'refused') return admitted.verdict;
  const { files } = admitted;
  const added = ports.schedule.add({
    commandId: command.commandId,
    conversation: ports.conversationKey(later.threadId),
    threadId: later.threadId,
    text: later.text,
    priority: PRIORITY_RANK[later.priority],
    sendAt: later.sendAt,
    ...(files.length === 0 ? {} : { files }),
  });
  if (added.kind === 'scheduled') return { kind: 'deferred' };
  discardFiles(ports.files, files);
  const message = `The text was due ${Math.round(added.byMs / 1000)} s ago (schedule.max_lateness_seconds).`;
  return tooLateVerdict(message, added.goneOut);
}
