import { basename } from 'node:path';
import type { EventType } from '../model/events.js';
import type { SendRecord } from '../model/sending.js';
import type { DeliveryEvent } from '../outgoing/DeliveryTracker.js';
import type { SendOutcome } from '../outgoing/OutcomeRecorder.js';
import type { NewEvent } from '../store/outbox.js';
import { LIFE } from '../store/sendRecord.js';

/** The event that tells the backend how a text ended; none for a duplicate of a text that was sent. */
export function outcomeEvent(send: SendRecord, outcome: SendOutcome): NewEvent | undefined {
  switch (outcome.kind) {
    case 'sent':
      return event('message_sent', send, {
        message_guid: outcome.guid,
        service: outcome.service,
        confirmed: outcome.confirmed,
        ...(outcome.late ? { late: true } : {}),
      });
    case 'failed':
      return event('message_failed', send, {
        outcome: 'not_sent',
        code: outcome.errorCode,
        error: outcome.message,
        retry_safe: outcome.guid === undefined,
        ...(outcome.guid === undefined ? {} : { message_guid: outcome.guid }),
      });
    case 'unknown':
      return event('message_failed', send, {
        outcome: 'unknown',
        code: 'outcome_unknown',
        error: outcome.message,
        retry_safe: false,
      });
    case 'deduplicated':
      return undefined;
  }
}

/** The event for a reply (to the message of that guid) that was stored until its turn and cannot be read any more. */
export function damagedReplyEvent(guid: string, conversation: string): NewEvent {
  return {
    eventType: 'message_failed',
    threadId: conversation,
    details: {
      outcome: 'not_sent',
      code: 'internal',
      error: 'The stored reply is damaged; nothing of it was sent.',
      retry_safe: true,
      in_reply_to: guid,
    },
  };
}

/** Whether the backend is told of it: a failure and what follows it always, what else becomes of a text if `delivery` says so. */
export function isToldOfLife({ told }: SendRecord, life: DeliveryEvent, delivery: boolean): boolean {
  return delivery || life.kind === 'failed' || (told & (LIFE.failed | LIFE.recovered)) !== 0;
}

/** The event for a step in the life of a sent text. */
export function deliveryEvent(send: SendRecord, life: DeliveryEvent): NewEvent {
  switch (life.kind) {
    case 'delivered':
      return event('message_delivered', send, { message_guid: send.guid });
    case 'read':
      return event('message_read', send, { message_guid: send.guid });
    case 'downgraded':
      return event('message_sent', send, {
        message_guid: send.guid,
        service: life.service,
        downgraded: true,
      });
    case 'failed':
      return event('message_failed', send, {
        message_guid: send.guid,
        outcome: 'not_sent',
        code: 'not_delivered',
        error: `Messages reported error ${life.error}: the text was not delivered.`,
        messages_error: life.error,
        retry_safe: false,
      });
  }
}

function event(eventType: EventType, send: SendRecord, details: Record<string, unknown>): NewEvent {
  return {
    eventType,
    threadId: send.conversation,
    details: {
      ...details,
      ...(send.commandId === null ? {} : { command_id: send.commandId }),
      ...(send.scheduleId === null ? {} : { schedule_id: send.scheduleId }),
      ...(send.file === null ? {} : { filename: basename(send.file) }),
      ...(send.answers === null ? {} : { in_reply_to: send.answers }),
    },
  };
}
