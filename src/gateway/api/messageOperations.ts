import { z } from 'zod';
import { type NewMessage, type OutgoingMessage, outgoingMessageSchema } from '../../model/gatewayMessages.js';
import { freshId } from '../../system/random.js';
import { mayUseAgent } from '../ledger/apiKeys.js';
import { audit } from '../ledger/auditLog.js';
import { conversationName, messagesOfConversation } from '../ledger/conversations.js';
import { messageHours } from '../ledger/messageHours.js';
import {
  addMessage,
  findMessage,
  findMessages,
  freshMessage,
  listMessages as messagesOf,
  noteCancelRequest,
} from '../ledger/messages.js';
import type { Transaction } from '../storage/GatewayDatabase.js';
import { ApiError } from './ApiError.js';
import {
  type ApiCall,
  type ApiContext,
  agentOf,
  decodePlace,
  json,
  type OperationHandler,
  pageOf,
  param,
  parsed,
  unknownAgent,
} from './apiCall.js';
import { OPERATIONS } from './apiContract.js';
import { type Done, repeatable } from './repeatable.js';

const placeSchema = z.object({ at: z.int(), id: z.string() });

/** GET /v1/statistics */
export const getStatistics: OperationHandler = async ({ key, query }, { database, clock }) => {
  const { agent } = parsed(OPERATIONS.getStatistics.query, query);
  const agents = agent === undefined ? key.agents : [await agentOf(database, key, agent)];
  return json(await messageHours(database, agents, clock.now()));
};

/** POST /v1/messages: the message, its command and the idempotency key are stored in one transaction. */
export const sendMessage: OperationHandler = async (call, context) => {
  const wanted = parsed(OPERATIONS.sendMessage.body, call.body);
  const now = context.clock.now();
  const effect = async (tx: Transaction, agentId: string) => add(tx, agentId, wanted, call, context, now);
  return repeatable(call, context, wanted.agent, outgoingMessageSchema, effect, now);
};

/** Nothing is awaited: all of it goes to the database at once. */
function add(
  transaction: Transaction,
  agentId: string,
  wanted: NewMessage,
  { key }: ApiCall,
  { commands }: ApiContext,
  now: number,
): Done<OutgoingMessage> {
  const id = freshId('msg');
  const conversation = conversationName(wanted.to ?? wanted.chat ?? '');
  const request = {
    text: wanted.text ?? null,
    attachments: (wanted.attachments ?? []).map((file) => ({
      filename: file.filename ?? null,
      url: 'url' in file ? file.url : null,
    })),
    sendAt: wanted.send_at === undefined ? null : Date.parse(wanted.send_at),
    inReplyTo: wanted.in_reply_to ?? null,
  };
  const { type, payload } = commandOf(wanted, conversation);
  const command = { commandId: id, type, payload, priority: wanted.priority };
  const isStored = commands.addFresh(transaction, agentId, command, now);
  const record = { agentId, id, keyId: key.id, conversation, request };
  addMessage(transaction, record, now);
  return { answer: freshMessage(record, now), isStored };
}

/** The command that sends a message (protocol §4). */
function commandOf(wanted: NewMessage, conversation: string) {
  const { text, attachments, send_at, in_reply_to, bubble_type } = wanted;
  const files = attachments === undefined ? {} : { attachments };
  if (send_at !== undefined) {
    const words = text === undefined ? {} : { message_text: text };
    return { type: 'schedule_message', payload: { thread_id: conversation, ...words, send_at, ...files } };
  }
  return {
    type: 'send_message_now',
    payload: {
      thread_id: conversation,
      ...(text === undefined ? {} : { text }),
      ...files,
      ...(bubble_type === undefined ? {} : { bubble_type }),
      ...(in_reply_to === undefined ? {} : { in_reply_to }),
    },
  };
}

/** GET /v1/messages */
export const listMessages: OperationHandler = async ({ key, query }, { database }) => {
  const { agent, conversation, status, limit, cursor } = parsed(OPERATIONS.listMessages.query, query);
  const agentId = await agentOf(database, key, agent);
  const filter = {
    conversation: conversation === undefined ? undefined : conversationName(conversation),
    status,
  };
  const found = await messagesOf(database, agentId, filter, decodePlace(placeSchema, cursor), limit + 1);
  const message = (listed: (typeof found)[number]) => listed.message;
  return json(pageOf(found, limit, message, ({ place }) => place));
};

/** GET /v1/messages/{id} */
export const getMessage: OperationHandler = async (call, context) => json(await messageOf(call, context));

/** DELETE /v1/messages/{id}: asks the agent to take back a scheduled text. */
export const cancelMessage: OperationHandler = async (call, context) => {
  const { database, clock, commands } = context;
  const { agent, id } = await messageOf(call, context);
  const now = clock.now();
  return database.transaction(async (tx) => {
    await tx.lock(agent);
    const message = stored(await findMessage(tx, agent, id));
    if (message.send_at === null) {
      throw new ApiError('conflict', 'not_scheduled', 'Only a message with send_at can be cancelled.');
    }
    if (message.status !== 'queued' && message.status !== 'accepted') {
      throw new ApiError(
        'conflict',
        'not_cancellable',
        `It can no longer be cancelled: it is ${message.status}.`,
      );
    }
    if (message.cancel_requested_at !== null) return json(message);
    await noteCancelRequest(tx, agent, id, now);
    const command = { commandId: freshId('cmd'), type: 'cancel_scheduled', payload: { schedule_id: id } };
    if (!(await commands.add(tx, agent, command, now))) throw unknownAgent();
    await audit(tx, { actor: call.key.id, action: 'message.cancel', subject: id, details: {}, at: now });
    return json(stored(await findMessage(tx, agent, id)));
  });
};

/** GET /v1/conversations/{id}/messages */
export const listConversation: OperationHandler = async (call, { database }) => {
  const { agent, limit, cursor } = parsed(OPERATIONS.listConversation.query, call.query);
  const agentId = await agentOf(database, call.key, agent);
  const conversation = conversationName(param(call, 'id'));
  const before = decodePlace(placeSchema, cursor);
  const found = await messagesOfConversation(database, agentId, conversation, before, limit + 1);
  const message = (entry: (typeof found)[number]) => entry.message;
  return json(pageOf(found, limit, message, ({ place }) => place));
};

/** The message of an id that the key may see. One of another key's agents is as unknown as one that there is not. */
async function messageOf(call: ApiCall, { database }: ApiContext): Promise<OutgoingMessage> {
  const { agent } = parsed(OPERATIONS.getMessage.query, call.query);
  const [message, another] = (await findMessages(database, param(call, 'id'))).filter(
    (found) => mayUseAgent(call.key, found.agent) && (agent === undefined || found.agent === agent),
  );
  if (another === undefined) return stored(message);
  throw new ApiError('conflict', 'agent_required', 'Several agents have a message of this id: name one.', {
    field: 'agent',
  });
}

function stored(message: OutgoingMessage | undefined): OutgoingMessage {
  if (message !== undefined) return message;
  throw new ApiError('not_found', 'message_unknown', 'There is no such message.');
}
