import { z } from 'zod';
import type { HandlerResult, ReceivedCommand, Verdict } from '../../model/command.js';
import type { ErrorCode } from '../../model/errorCodes.js';
import type { TextQueue } from '../../model/sending.js';
import { type SentTexts, tooLateVerdict } from '../../store/sendRecord.js';
import type { Clock } from '../../system/clock.js';
import { sendableText } from '../../system/utf8.js';
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
import { admitFiles, attachments, hasAttachments, noAttachments } from './attachments.js';
import { scheduleText } from './scheduleMessage.js';

/** The text that has the place of a duplicate: of a command, or the first bubble of the reply to `answers`. */
interface CounterpartText {
  commandId: string | null;
  answers: string | null;
  /** Its row in chat.db; null while there is none. */
  guid: string | null;
}

/** How a text ended, as the outgoing room says it. */
export type TextOutcome =
  | { kind: 'sent'; confirmed: boolean; guid: string | null; service: string | null; late: boolean }
  | { kind: 'deduplicated'; duplicateOf?: CounterpartText; late?: boolean }
  | { kind: 'failed'; errorCode: ErrorCode; message: string; guid?: string; duplicateOf?: CounterpartText }
  | { kind: 'unknown'; message: string; duplicateOf?: CounterpartText };

/** How one part of a request ended; `file` is the name of its file, null for a text. */
interface EndedPart {
  file: string | null;
  outcome: TextOutcome;
}

/**
 * The ack of a request: that of its only send, or of all its parts, of which the worst decides. `partly_sent`: some
 * parts were sent and others provably not, so the whole must not be sent again.
 */
export function requestVerdict(ended: readonly EndedPart[]): Verdict {
  const [only, another] = ended;
  if (only !== undefined && another === undefined) return sendVerdict(only.outcome);
  const verdicts = ended.map(({ outcome }) => sendVerdict(outcome));
  const parts = ended.map(({ file, outcome }, index) => partResult(file, outcome, verdicts[index]));
  const at = (kind: TextOutcome['kind']) => ended.findIndex(({ outcome }) => outcome.kind === kind);
  const isLate = ({ outcome }: EndedPart) => 'late' in outcome && outcome.late === true;
  const late = ended.some(isLate) ? { late: true } : {};
  const worst = at('unknown') >= 0 ? at('unknown') : at('failed');
  const verdict = verdicts[worst];
  if (verdict === undefined || verdict.kind === 'completed') {
    const result = verdicts.find(({ result }) => result?.message_guid !== undefined)?.result;
    const confirmed = ended.every(({ outcome }) => outcome.kind !== 'sent' || outcome.confirmed);
    const whole = { outcome: 'sent', retry_safe: false, ...result, confirmed, ...late };
    return { kind: 'completed', result: { ...whole, parts } };
  }
  const isPartly =
    verdict.code !== 'outcome_unknown' && ended.some(({ outcome }) => outcome.kind !== 'failed');
  const isSafe = verdicts.every(({ result }) => result?.retry_safe === true);
  const result = isPartly
    ? { outcome: 'partly_sent', retry_safe: false }
    : { ...verdict.result, retry_safe: isSafe };
  const message = `Part ${worst + 1} of ${ended.length}: ${verdict.message}`;
  return { ...verdict, message, result: { ...result, ...late, parts } };
}

function partResult(file: string | null, outcome: TextOutcome, verdict: Verdict | undefined) {
  const { retry_safe: _, ...result } = verdict?.result ?? {};
  const error = outcome.kind === 'failed' ? { error: `${outcome.errorCode}: ${outcome.message}` } : {};
  return {
    kind: file === null ? 'text' : 'file',
    ...(file === null ? {} : { filename: file }),
    ...result,
    ...error,
  };
}

/**
 * The ack of a send. `retry_safe` is true only if sending again cannot give the person two texts: Messages may still
 * send a text with a row on its own, whatever error the row has.
 */
export function sendVerdict(outcome: TextOutcome): Verdict {
  switch (outcome.kind) {
    case 'sent':
      return {
        kind: 'completed',
        result: {
          outcome: 'sent',
          retry_safe: false,
          confirmed: outcome.confirmed,
          ...(outcome.guid === null ? {} : { message_guid: outcome.guid }),
          ...(outcome.service === null ? {} : { service: outcome.service }),
          ...(outcome.late ? { late: true } : {}),
        },
      };
    case 'deduplicated':
      return {
        kind: 'completed',
        result: {
          outcome: 'sent',
          retry_safe: false,
          ...(outcome.late === true ? { late: true } : {}),
          deduplicated: true,
          ...duplicateMarks(outcome.duplicateOf),
        },
      };
    case 'failed':
      return {
        kind: 'failed',
        code: outcome.errorCode,
        message: outcome.message,
        result: {
          outcome: 'not_sent',
          retry_safe: outcome.guid === undefined,
          ...(outcome.guid === undefined ? {} : { message_guid: outcome.guid }),
          ...duplicateMarks(outcome.duplicateOf),
        },
      };
    case 'unknown':
      return {
        kind: 'failed',
        code: 'outcome_unknown',
        message: `${outcome.message} It may still arrive; it is not sent again.`,
        result: { outcome: 'unknown', retry_safe: false, ...duplicateMarks(outcome.duplicateOf) },
      };
  }
}

function duplicateMarks(duplicateOf: CounterpartText | undefined) {
  return duplicateOf === undefined ? {} : { deduplicated: true, duplicate_of: counterpart(duplicateOf) };
}

function counterpart({ commandId, answers, guid }: CounterpartText) {
  return {
    ...(commandId === null ? { bubble: 1 } : { command_id: commandId }),
    ...(answers === null ? {} : { in_reply_to: answers }),
    ...(guid === null ? {} : { message_guid: guid }),
  };
}

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

/** A phone number as a thread id that needs no look-up. */
const NUMBER = /^\+\d{1,20}$/;
const PLAIN_FIELDS: ReadonlySet<string> = new Set(['thread_id', 'text', 'bubble_type']);

/** A text to a number with nothing else about it, as the schema reads it; undefined for anything else. */
export function plainText(payload: Record<string, unknown>): Payload | undefined {
  for (const field of Object.keys(payload)) if (!PLAIN_FIELDS.has(field)) return undefined;
  const { thread_id, text, bubble_type = 'normal' } = payload;
  if (bubble_type !== 'normal') return undefined;
  if (typeof thread_id !== 'string' || typeof text !== 'string') return undefined;
  if (!NUMBER.test(thread_id) || sendableText(text).trim() === '') return undefined;
  return { thread_id, text, bubble_type, attachments: [] };
}

/** `send_message_now`: the text is sent now; the ack has its outcome. `send_message` may be scheduled. */
export function sendMessage(ports: SendMessagePorts): Handler {
  return handlerOf({
    ...sendMessageContract,
    schema: sendPayload,
    plain: plainText,
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
