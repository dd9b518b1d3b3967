import { z } from 'zod';
import { type MessageReply, messageReplySchema } from '../../model/backendBodies.js';
import type { Queries, Transaction } from '../storage/GatewayDatabase.js';
import { forgetSome } from './forgetRows.js';
import { jsonColumn, readRows } from './readRows.js';

/**
 * Incoming messages of each agent, each answered once. One that waits for its answer has a deadline, by the clock of the database;
 * after it, any replica may answer it with silence.
 */
export const inboxTables = (): readonly string[] => [
  `CREATE TABLE inbox (
    agent_id TEXT NOT NULL,
    guid TEXT NOT NULL,
    conversation TEXT NOT NULL,
    message TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    answer_until BIGINT NOT NULL,
    answer TEXT,
    answered_at BIGINT,
    PRIMARY KEY (agent_id, guid)
  )`,
  'CREATE INDEX inbox_received ON inbox (received_at)',
];

/** The state of a message. `leftMs`: the remaining wait for its answer; 0 or less: none. */
type InboxEntry =
  | { readonly kind: 'waiting'; readonly leftMs: number }
  | { readonly kind: 'answered'; readonly reply: MessageReply };

/** Nothing is said to the person. */
export const SILENCE: MessageReply = { should_respond: false };

/** What became of an answer; `late`: the message has one, which stays. */
type GivenAnswer =
  | { readonly kind: 'given'; readonly conversation: string }
  | { readonly kind: 'late' | 'unknown' };

/** Keeps a message that comes for the first time. False: it is there. Within the lock of the agent. */
export async function takeMessage(
  transaction: Transaction,
  agentId: string,
  guid: string,
  message: { readonly conversation: string; readonly body: unknown; readonly patienceMs: number },
  now: number,
): Promise<boolean> {
  const added = await transaction.query(
    `INSERT INTO inbox (agent_id, guid, conversation, message, received_at, answer_until)
     VALUES ($1, $2, $3, $4, $5, ${transaction.nowMs} + CAST($6 AS BIGINT))
     ON CONFLICT (agent_id, guid) DO NOTHING RETURNING guid`,
    [agentId, guid, message.conversation, JSON.stringify(message.body), now, message.patienceMs],
  );
  return added.length > 0;
}

/** Undefined: no such message came. */
export async function inboxEntry(
  queries: Queries,
  agentId: string,
  guid: string,
): Promise<InboxEntry | undefined> {
  const rows = await queries.query(
    `SELECT answer, answer_until - ${queries.nowMs} AS left_ms FROM inbox WHERE agent_id = $1 AND guid = $2`,
    [agentId, guid],
  );
  const [row] = readRows(entrySchema, rows);
  if (row === undefined) return undefined;
  return row.answer === null
    ? { kind: 'waiting', leftMs: row.left_ms }
    : { kind: 'answered', reply: row.answer };
}

/**
 * Answers a message that waits for it. `late`: it has an answer, which stays, and what is to be said now has to be sent on its own. Once
 * its time is over the answer is silence, whether or not a request has waited for so long: its agent may never ask again. Takes the lock
 * of the agent.
 */
export async function giveAnswer(
  transaction: Transaction,
  agentId: string,
  guid: string,
  reply: MessageReply,
  now: number,
): Promise<GivenAnswer> {
  void transaction.lock(agentId);
  const answer = JSON.stringify(reply);
  const given = await transaction.query(
    `UPDATE inbox SET answered_at = $5,
       answer = CASE WHEN answer_until > ${transaction.nowMs} THEN CAST($3 AS TEXT) ELSE CAST($4 AS TEXT) END
     WHERE agent_id = $1 AND guid = $2 AND answer IS NULL RETURNING conversation, answer`,
    [agentId, guid, answer, JSON.stringify(SILENCE), now],
  );
  const [row] = readRows(givenSchema, given);
  if (row?.answer === answer) return { kind: 'given', conversation: row.conversation };
  const rows = await transaction.query('SELECT guid FROM inbox WHERE agent_id = $1 AND guid = $2', [
    agentId,
    guid,
  ]);
  return { kind: rows.length > 0 ? 'late' : 'unknown' };
}

/**
 * Deletes some messages that came before that time. A repeat would count as a new one: agents remember for 31 days.
 * True: there may be more of them.
 */
export function forgetInbox(transaction: Transaction, receivedBefore: number): Promise<boolean> {
  const key = ['agent_id', 'guid'];
  return forgetSome(transaction, {
    table: 'inbox',
    key,
    where: 'received_at < $1',
    values: [receivedBefore],
  });
}

const givenSchema = z.object({ conversation: z.string(), answer: z.string() });
const entrySchema = z.object({ answer: jsonColumn(messageReplySchema).nullable(), left_ms: z.number() });
