import { z } from 'zod';
import type { GatewayEventType, ReceivedMessage } from '../../model/gatewayEvents.js';
import type { Transaction } from '../storage/GatewayDatabase.js';
import { acknowledge, typeOfCommand } from './commands.js';
import { addToConversation } from './conversations.js';
import { eventId, type NewGatewayEvent, publish } from './eventLog.js';
import { learn, NOTHING_KNOWN, statusOf } from './messageStatus.js';
import { knownMessage, learnOf, statusData } from './messages.js';

/*
 * Turns the reports of agents into events for applications. Each function is called once the report itself is known to
 * be new, in its transaction and within the lock of the agent; a call with the same report again does nothing.
 */

/** An ack as it came, in any documented form. */
interface ReportedAck {
  readonly command_id: string;
  readonly status?: 'completed' | 'failed' | undefined;
  readonly success?: boolean | undefined;
  readonly error?: string | null | undefined;
  readonly revision: number;
  readonly result?: Readonly<Record<string, unknown>> | null | undefined;
  readonly completed_at?: unknown;
  readonly timestamp?: unknown;
}

/** An event as it came. */
interface ReportedEvent {
  readonly event_id: string;
  readonly event_type: string;
  readonly thread_id?: string | null | undefined;
  readonly details?: unknown;
  readonly timestamp?: unknown;
}

/**
 * Stores an ack and publishes its event if it contains anything new: the outcome of a message, or of a command that is
 * not a message.
 */
export async function takeAck(
  transaction: Transaction,
  agentId: string,
  ack: ReportedAck,
  now: number,
): Promise<void> {
  // In one round trip.
  const [isNew, message] = await Promise.all([
    acknowledge(transaction, agentId, ack, now),
    knownMessage(transaction, agentId, ack.command_id),
  ]);
  if (!isNew) return;
  const status = ack.status ?? (ack.success === true ? 'completed' : 'failed');
  const error = ack.error ?? null;
  const at = timeOf(ack.completed_at ?? ack.timestamp, now);
  const evidence = {
    kind: 'ack',
    revision: ack.revision,
    status,
    error,
    at,
    result: ack.result ?? {},
  } as const;
  if (message !== undefined) {
    await learnOf(transaction, message, evidence, now);
    return;
  }
  await publish(
    transaction,
    {
      id: eventId('command.status', agentId, ack.command_id, ack.revision),
      type: 'command.status',
      agentId,
      conversation: null,
      at,
      data: {
        command_id: ack.command_id,
        command_type: await typeOfCommand(transaction, agentId, ack.command_id),
        status,
        revision: ack.revision,
        error,
        result: ack.result === undefined || ack.result === null ? null : { ...ack.result },
      },
    },
    now,
  );
}

/** Publishes an event of the agent. */
export async function publishEvent(
  transaction: Transaction,
  agentId: string,
  event: ReportedEvent,
  now: number,
): Promise<void> {
  const at = timeOf(event.timestamp, now);
  const details = detailsSchema.parse(event.details);
  if (OF_TEXTS.has(event.event_type)) await publishTextEvent(transaction, agentId, event, details, at, now);
  else
    await publish(transaction, { ...translated(event, details), agentId, at, id: idOf(agentId, event) }, now);
}

/** Publishes an incoming message; its conversation shows it from now on. */
export async function publishMessage(
  transaction: Transaction,
  agentId: string,
  guid: string,
  message: ReceivedMessage,
  now: number,
): Promise<void> {
  const conversation = message.thread_id;
  addToConversation(transaction, {
    agentId,
    conversation,
    id: guid,
    direction: 'incoming',
    content: {
      sender: message.sender,
      text: message.filtered_text,
      attachments: (message.attachments ?? []).map(({ filename }) => ({ filename: filename ?? null })),
      in_reply_to: message.reply_to_guid ?? null,
    },
    at: now,
  });
  await publish(
    transaction,
    {
      id: eventId('message.received', agentId, guid),
      type: 'message.received',
      agentId,
      conversation,
      at: timeOf(message.original_timestamp, now),
      data: { conversation, message },
    },
    now,
  );
}

/** Shows in its conversation what was answered to an incoming message within the agent's request. */
export function recordReply(
  transaction: Transaction,
  agentId: string,
  { guid, conversation, texts }: { guid: string; conversation: string; texts: readonly string[] },
  now: number,
): void {
  if (texts.length === 0) return;
  addToConversation(transaction, {
    agentId,
    conversation,
    id: `reply_${guid}`,
    direction: 'outgoing',
    content: { sender: null, text: texts.join('\n'), attachments: [], in_reply_to: guid },
    at: now,
  });
}

const OF_TEXTS: ReadonlySet<string> = new Set([
  'message_sent',
  'message_failed',
  'message_delivered',
  'message_read',
  'schedule_cancelled',
]);

const word = z.string().nullable().catch(null).default(null);
const detailsSchema = z
  .looseObject({ command_id: word, in_reply_to: word })
  .catch({ command_id: null, in_reply_to: null });
type Details = z.infer<typeof detailsSchema>;

/** Of a message that an application sent, its life; of any other text (a bubble of a reply) this one event. */
async function publishTextEvent(
  transaction: Transaction,
  agentId: string,
  event: ReportedEvent,
  details: Details,
  at: number,
  now: number,
): Promise<void> {
  const { event_id: id, event_type: eventType } = event;
  const evidence = { kind: 'event', eventId: id, eventType, at, details } as const;
  const { command_id: commandId } = details;
  const message = commandId === null ? undefined : await knownMessage(transaction, agentId, commandId);
  if (message !== undefined) {
    await learnOf(transaction, message, evidence, now);
    return;
  }
  const conversation = event.thread_id ?? '';
  await publish(
    transaction,
    {
      id: idOf(agentId, event),
      type: 'message.status',
      agentId,
      conversation,
      at,
      data: {
        conversation,
        message_id: null,
        ...statusData(statusOf(learn(NOTHING_KNOWN, evidence)), now),
        in_reply_to: details.in_reply_to,
      },
    },
    now,
  );
}

type Translated = {
  [T in GatewayEventType]: Pick<NewGatewayEvent<T>, 'type' | 'conversation' | 'data'>;
}[GatewayEventType];

/** The event of the gateway that an event of an agent becomes. */
function translated(event: ReportedEvent, { command_id, in_reply_to, ...rest }: Details): Translated {
  const details = {
    ...rest,
    ...(command_id === null ? {} : { command_id }),
    ...(in_reply_to === null ? {} : { in_reply_to }),
  };
  const { event_type: eventType } = event;
  const conversation = event.thread_id ?? null;
  const other: Translated = {
    type: 'agent.event',
    conversation,
    data: { event_type: eventType, conversation, details },
  };
  if (conversation === null) return other;
  const inConversation = { conversation, data: { conversation, details } };
  switch (eventType) {
    case 'reaction_added':
    case 'reaction_removed': {
      const action = eventType === 'reaction_added' ? 'added' : 'removed';
      return { type: 'reaction', conversation, data: { conversation, action, details } };
    }
    case 'group_member_added':
    case 'group_member_removed':
    case 'group_member_left':
    case 'group_renamed':
    case 'group_photo_changed':
      return { type: 'group.changed', conversation, data: { conversation, change: eventType, details } };
    case 'message_edited':
      return { type: 'message.edited', ...inConversation };
    case 'message_unsent':
      return { type: 'message.unsent', ...inConversation };
    case 'message_withdrawn':
      return { type: 'message.withdrawn', ...inConversation };
    case 'message_transcribed':
      return { type: 'message.transcribed', ...inConversation };
    case 'message_attachments':
      return { type: 'message.attachments', ...inConversation };
    case 'message_filtered':
      return { type: 'message.filtered', ...inConversation };
    case 'operator_replied':
      return { type: 'operator.replied', ...inConversation };
    case 'conversation_paused':
      return { type: 'conversation.paused', ...inConversation };
    default:
      return other;
  }
}

function idOf(agentId: string, event: ReportedEvent): string {
  return eventId('agent', agentId, event.event_id);
}

/** A time as agents write it, Unix ms; `now` where it is none. */
function timeOf(value: unknown, now: number): number {
  const at = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) ? now : at;
}
