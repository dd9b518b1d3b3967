import { basename } from 'node:path';
import type { Logger } from '../logging/Logger.js';
import type { EventType } from '../model/events.js';
import type { SendRecord, TextRequest } from '../model/sending.js';
import type { NewEvent } from '../store/outbox.js';
import type { Store } from '../store/Store.js';
import { LIFE, sendTrace } from '../store/sendRecord.js';
import type { Clock } from '../system/clock.js';
import type { DeliveryEvent } from './DeliveryTracker.js';
import type { SendOutcome } from './OutcomeRecorder.js';
import type { Outgoing } from './Outgoing.js';

/** What begins the id of a text that is our own business: a canary, the selftest. */
const OWN = 'own:';
/** After everything that has a waiting caller. */
const LAST = 4;

/** A text to ourselves. `id` must be fresh. */
export function ownText(
  id: string,
  text: string,
  to: { readonly address: string; readonly conversation: string },
): TextRequest {
  const { address, conversation } = to;
  return {
    id: `${OWN}${id}`,
    conversation,
    threadId: address,
    text,
    role: 'message',
    priority: LAST,
    pauseMs: 0,
  };
}

/** Whether a text is internal, so the backend gets no event. */
function isOwnText({ id }: Pick<SendRecord, 'id'>): boolean {
  return id.startsWith(OWN);
}

/**
 * The event that reports the outcome of a text to the backend; none for a duplicate of a text that was sent.
 */
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

/**
 * Whether it is reported to the backend: a failure and what follows it always, other changes of a text if
 * `delivery` is on.
 */
export function isReported({ reported }: SendRecord, life: DeliveryEvent, delivery: boolean): boolean {
  return delivery || life.kind === 'failed' || (reported & (LIFE.failed | LIFE.recovered)) !== 0;
}

/** The event for a step in the life of a sent text. */
function deliveryEvent(send: SendRecord, life: DeliveryEvent): NewEvent {
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

/** A text of ours as the loop breaker counts it; `text` is a file's name where it is a file. */
type Counted = Pick<SendRecord, 'seq' | 'conversation' | 'text' | 'answers'>;

interface OutcomeSubscribers {
  outgoing: Outgoing;
  /** After a commit: a file's way has ended. */
  fileEnded: () => void;
  loops: { started(send: Counted): void; sent(send: Counted): void };
  store: Store;
  /** What happened last, for the status; Unix ms. */
  activity: { sentAt: number | null; error: string | null; errorAt: number | null };
  /** How a text ended, for who judges whether texts go out; after the commit. */
  ended: (conversation: string, outcome: SendOutcome) => void;
  /** Whether deliveries and reads are reported to the backend. */
  reportsDelivery: () => boolean;
  clock: Clock;
  log: Logger;
}

/**
 * Reports each change of a text, in the write that stores it, to the backend, log, status and loop breaker.
 */
export function publishOutcomes(audience: OutcomeSubscribers): void {
  const { outgoing, fileEnded, loops, store, activity, ended, reportsDelivery, clock, log } = audience;
  outgoing.onOutcome((send, outcome) => {
    if (send.file !== null) store.afterCommit(fileEnded);
    if (outcome.kind === 'sent') {
      // One of ours shows as well as any other that texts go out; that it does not may be its own fault.
      activity.sentAt = clock.now();
      store.afterCommit(() => ended(send.conversation, outcome));
    }
    if (isOwnText(send)) return;
    if (outcome.kind === 'sent' || outcome.kind === 'unknown') loops.sent(counted(send));
    if (outcome.kind !== 'sent') store.afterCommit(() => ended(send.conversation, outcome));
    const event = outcomeEvent(send, outcome);
    if (event !== undefined) store.events.add(event);
    if (outcome.kind === 'sent') store.report(() => log.info('A text was sent', sendTrace(send)));
    if (outcome.kind === 'failed' || outcome.kind === 'unknown') {
      activity.error = outcome.message;
      activity.errorAt = clock.now();
    }
  });
  outgoing.onStarted((send) => {
    if (!isOwnText(send)) loops.started(counted(send));
  });
  outgoing.onDelivery((send, life) => {
    if (isOwnText(send) || !isReported(send, life, reportsDelivery())) return;
    store.events.add(deliveryEvent(send, life));
  });
}

function counted({ seq, conversation, text, file, answers }: SendRecord): Counted {
  return { seq, conversation, answers, text: file === null ? text : basename(file) };
}
