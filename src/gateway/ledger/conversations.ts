import { z } from 'zod';
import type { ConversationMessage } from '../../model/gatewayApi.js';
import type { Queries, Transaction } from '../storage/GatewayDatabase.js';
import { forgetSome } from './forgetRows.js';
import { statusColumn } from './messageStatus.js';
import { jsonColumn, readRows } from './readRows.js';

/** The messages of each conversation, in the order in which the gateway got them. Times are Unix ms. */
export const conversationTables = (): readonly string[] => [
  `CREATE TABLE conversation_messages (
    agent_id TEXT NOT NULL,
    conversation TEXT NOT NULL,
    at BIGINT NOT NULL,
    entry_id TEXT NOT NULL,
    direction TEXT NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (agent_id, conversation, at, entry_id)
  )`,
  'CREATE UNIQUE INDEX conversation_messages_entry ON conversation_messages (agent_id, entry_id)',
  'CREATE INDEX conversation_messages_at ON conversation_messages (at)',
  'CREATE INDEX conversation_messages_newest ON conversation_messages (agent_id, at)',
];

const contentSchema = z.object({
  sender: z.string().nullable(),
  text: z.string().nullable(),
  attachments: z.array(z.object({ filename: z.string().nullable() })),
  in_reply_to: z.string().nullable(),
});

/** What a conversation shows of a message. */
type ConversationContent = z.infer<typeof contentSchema>;

interface ConversationEntry {
  readonly agentId: string;
  readonly conversation: string;
  readonly id: string;
  readonly direction: 'incoming' | 'outgoing';
  readonly content: ConversationContent;
  readonly at: number;
}

/**
 * The name of a conversation as events have it: a guid of chat.db without its service, an address in lower case. `chat` is one in any
 * form of docs/protocol.md, 4, but for phone numbers, which are in E.164.
 */
export function conversationName(chat: string): string {
  const name = chat.trim().replace(/^(?:iMessage|SMS|RCS|any);[-+];/i, '');
  return name.includes('@') ? name.toLowerCase() : name;
}

/** Adds a message to its conversation, if there is such an agent. One that is there stays as it is. */
export function addToConversation(transaction: Transaction, entry: ConversationEntry): void {
  const { agentId, conversation, id, direction, content, at } = entry;
  void transaction.query(
    `INSERT INTO conversation_messages (agent_id, conversation, at, entry_id, direction, content)
     SELECT agent_id, CAST($2 AS TEXT), CAST($3 AS BIGINT), CAST($4 AS TEXT), CAST($5 AS TEXT), CAST($6 AS TEXT)
     FROM agents WHERE agent_id = $1 ON CONFLICT (agent_id, entry_id) DO NOTHING`,
    [agentId, conversation, at, id, direction, JSON.stringify(content)],
  );
}

const rowSchema = z.object({
  at: z.number(),
  entry_id: z.string(),
  direction: z.enum(['incoming', 'outgoing']),
  // What cannot be read of one must not hide the others.
  content: jsonColumn(contentSchema).catch({ sender: null, text: null, attachments: [], in_reply_to: null }),
  status: statusColumn.nullable(),
});

/** Where a page of a conversation begins: behind this message. */
export interface PagePlace {
  readonly at: number;
  readonly id: string;
}

/** The messages of a conversation, the newest first, each with its place. */
export async function messagesOfConversation(
  queries: Queries,
  agentId: string,
  conversation: string,
  before: PagePlace | undefined,
  limit: number,
): Promise<{ place: PagePlace; message: ConversationMessage }[]> {
  const rows = await queries.query(
    `SELECT c.at AS at, c.entry_id AS entry_id, c.direction AS direction, c.content AS content, m.status AS status
     FROM conversation_messages c LEFT JOIN messages m ON m.agent_id = c.agent_id AND m.message_id = c.entry_id
     WHERE c.agent_id = $1 AND c.conversation = $2 AND (c.at < $3 OR (c.at = $3 AND c.entry_id < $4))
     ORDER BY c.at DESC, c.entry_id DESC LIMIT CAST($5 AS BIGINT)`,
    [agentId, conversation, before?.at ?? Number.MAX_SAFE_INTEGER, before?.id ?? '', limit],
  );
  return readRows(rowSchema, rows).map((row) => ({
    place: { at: row.at, id: row.entry_id },
    message: {
      id: row.entry_id,
      direction: row.direction,
      at: new Date(row.at).toISOString(),
      status: row.status,
      ...row.content,
    },
  }));
}

/** Forgets some messages of before that time. True: there may be more of them. */
export function forgetConversations(transaction: Transaction, before: number): Promise<boolean> {
  const key = ['agent_id', 'conversation', 'at', 'entry_id'];
  return forgetSome(transaction, { table: 'conversation_messages', key, where: 'at < $1', values: [before] });
}
