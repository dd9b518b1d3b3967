import { z } from 'zod';
import { type ReceivedMessage, receivedMessageSchema } from '../../model/gatewayEvents.js';
import type { AnswerPorts } from '../application.js';
import { audit } from '../ledger/auditLog.js';
import { eventId } from '../ledger/eventLog.js';
import { addMessage } from '../ledger/messages.js';
import {
  type AnswerFate,
  type AttemptRecord,
  currentDelivery,
  isAwaitedElsewhere,
  recordAttempt,
  setAsideAll,
  type WebhookDelivery,
} from '../ledger/webhookDeliveries.js';
import { disableGone, type WebhookEndpoint } from '../ledger/webhookEndpoints.js';
import { holdsLane, hurryLane, type LaneLease, releaseLane } from '../ledger/webhookLanes.js';
import type { Transaction } from '../storage/GatewayDatabase.js';
import { type ReadAnswer, readWebhookAnswer } from './webhookAnswer.js';

/** An attempt that has ended: `answer` is the body of a 2xx, null for one that was longer than is read. */
interface EndedAttempt {
  readonly lease: LaneLease;
  readonly delivery: WebhookDelivery;
  readonly body: string;
  readonly record: Omit<AttemptRecord, 'answer'>;
  readonly answer: string | null;
}

/**
 * Notes what came of an attempt and gives the lane back; what a webhook answered to a message is stored in the same transaction, as the
 * reply that the agent waits for, or as commands where it waits no more. A repeat of the attempt changes nothing; nor does a failure of
 * which word comes after the lane was given to another attempt.
 */
export async function settleAttempt(
  transaction: Transaction,
  { lease, delivery, body, record, answer }: EndedAttempt,
  ports: AnswerPorts,
  now: number,
): Promise<void> {
  void transaction.lock(delivery.agentId);
  if (record.state !== 'delivered' && !(await holdsLane(transaction, lease))) return;
  const current = await currentDelivery(transaction, delivery);
  if (current?.state === 'waiting') {
    // One that is replayed may have been answered before: nothing is said twice.
    const isSaid = current.answer === 'given' || current.answer === 'sent_later';
    const isAnswer = record.state === 'delivered' && delivery.eventType === 'message.received';
    const fate =
      isSaid || !isAnswer
        ? current.answer
        : await takeAnswer(
            transaction,
            delivery,
            { message: messageOf(body), read: readWebhookAnswer(answer) },
            ports,
            now,
          );
    recordAttempt(transaction, delivery, { ...record, answer: fate }, now);
    if (fate === 'none' || fate === 'invalid') await endWait(transaction, delivery, messageOf(body), ports);
  }
  if (!(await releaseLane(transaction, lease)) && record.state === 'delivered')
    await hurryLane(transaction, lease);
}

/**
 * Disables a webhook that says that it is gone (410), and sets aside what waits for it; `retry` is noted where the webhook was given another
 * URL meanwhile.
 */
export async function settleGone(
  transaction: Transaction,
  { lease, delivery, record }: Omit<EndedAttempt, 'answer' | 'body'>,
  endpoint: WebhookEndpoint,
  now: number,
): Promise<void> {
  void transaction.lock(delivery.agentId);
  if (!(await holdsLane(transaction, lease))) return;
  if (!(await disableGone(transaction, endpoint))) {
    recordAttempt(transaction, delivery, { ...record, answer: null }, now);
    await releaseLane(transaction, lease);
    return;
  }
  const aside = { ...record, state: 'set_aside', nextAt: null, answer: null } as const;
  recordAttempt(transaction, delivery, aside, now);
  await setAsideAll(transaction, endpoint.id);
  await releaseLane(transaction, lease);
  await audit(transaction, {
    actor: 'gateway',
    action: 'webhook.gone',
    subject: endpoint.id,
    details: {},
    at: now,
  });
}

/** What came of the answer to a message. */
async function takeAnswer(
  transaction: Transaction,
  delivery: WebhookDelivery,
  { message, read }: { message: ReceivedMessage | undefined; read: ReadAnswer },
  ports: AnswerPorts,
  now: number,
): Promise<AnswerFate> {
  if (read.kind !== 'reply') return read.kind;
  return message === undefined ? 'invalid' : giveAnswer(transaction, delivery, message, read, ports, now);
}

/** Where every webhook has a message and none gave an answer that can be read, the agent need not wait any longer. */
async function endWait(
  transaction: Transaction,
  { agentId, eventId: id }: WebhookDelivery,
  message: ReceivedMessage | undefined,
  { replies }: AnswerPorts,
): Promise<void> {
  if (message === undefined || (await isAwaitedElsewhere(transaction, agentId, id))) return;
  await replies.answer(transaction, agentId, message.message_guid, { should_respond: false });
}

async function giveAnswer(
  transaction: Transaction,
  { agentId, eventId: cause, webhookId }: WebhookDelivery,
  message: ReceivedMessage,
  { reply, texts, answer }: ReadAnswer & { kind: 'reply' },
  { commands, replies }: AnswerPorts,
  now: number,
): Promise<AnswerFate> {
  const guid = message.message_guid;
  if ((await replies.answer(transaction, agentId, guid, reply)) === 'given') return 'given';
  for (const [index, text] of texts.entries()) {
    // Made of its cause: a repeat of the same answer adds nothing.
    const id = eventId('answer', cause, webhookId, index).replace('evt_', 'msg_');
    const request = { text, attachments: [], sendAt: null, inReplyTo: guid };
    const bubble = index === 0 && answer.reflex !== undefined ? 'reflex' : index === 0 ? 'normal' : 'burst';
    const payload = { thread_id: message.thread_id, text, bubble_type: bubble, in_reply_to: guid };
    const command = { commandId: id, type: 'send_message_now', payload };
    // If the agent was removed meanwhile, there is nothing to record.
    if (!(await commands.add(transaction, agentId, command, now))) return 'none';
    addMessage(transaction, { agentId, id, keyId: null, conversation: message.thread_id, request }, now);
  }
  return 'sent_later';
}

function messageOf(body: string): ReceivedMessage | undefined {
  const event = z.object({ data: z.object({ message: receivedMessageSchema }) }).safeParse(JSON.parse(body));
  return event.data?.data.message;
}
