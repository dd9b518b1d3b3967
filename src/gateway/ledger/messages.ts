import { z } from 'zod';
import {
  evidenceSchema,
  type MessageStatus,
  type OutgoingMessage,
  type StatusChange,
} from '../../model/gatewayMessages.js';
import type { Queries, StoredRow, StoredValue, Transaction } from '../storage/GatewayDatabase.js';
import { addToConversation, type PagePlace } from './conversations.js';
import { eventId, publish } from './eventLog.js';
import { deleteSome, FORGOTTEN_AT_ONCE } from './forgetRows.js';
import {
  knowledgeSchema,
  learn,
  type MessageEvidence,
  type MessageStanding,
  NOTHING_KNOWN,
  statusColumn,
  statusOf,
  takesBack,
} from './messageStatus.js';
import { jsonColumn, readRows } from './readRows.js';

const idsRow = z.object({ agent_id: z.string(), message_id: z.string() });

/** Texts that applications send, and what became of each. */
export const messageTables = (): readonly string[] => [
  `CREATE TABLE messages (
    agent_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    key_id TEXT,
    conversation TEXT NOT NULL,
    request TEXT NOT NULL,
    knowledge TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    cancel_requested_at BIGINT,
    PRIMARY KEY (agent_id, message_id)
  )`,
  'CREATE INDEX messages_newest ON messages (agent_id, created_at, message_id)',
  'CREATE INDEX messages_created ON messages (created_at)',
  // An application asks for a message by its id alone.
  'CREATE INDEX messages_id ON messages (message_id)',
  `CREATE TABLE message_history (
    agent_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    step BIGINT NOT NULL,
    status TEXT NOT NULL,
    at BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    evidence TEXT NOT NULL,
    corrects TEXT,
    PRIMARY KEY (agent_id, message_id, step)
  )`,
];

const requestSchema = z.object({
  text: z.string().nullable(),
  attachments: z.array(z.object({ filename: z.string().nullable(), url: z.string().nullable() })),
  sendAt: z.number().nullable(),
  inReplyTo: z.string().nullable(),
});

/** What was asked for; `attachments` without their content. Times are Unix ms. */
interface MessageRecord {
  readonly agentId: string;
  /** Also the id of its command. */
  readonly id: string;
  /** The API key that asked; null: no key did (a webhook's answer). */
  readonly keyId: string | null;
  readonly conversation: string;
  readonly request: z.infer<typeof requestSchema>;
}

/** A message as the API shows it, and its place in a list. */
interface ListedMessage {
  readonly place: PagePlace;
  readonly message: OutgoingMessage;
}

/** What cannot be read of a message is left out where it is shown: it must not hide the others of a list. */
const rowSchema = z.object({
  agent_id: z.string(),
  message_id: z.string(),
  key_id: z.string().nullable(),
  conversation: z.string(),
  request: jsonColumn(requestSchema).catch({ text: null, attachments: [], sendAt: null, inReplyTo: null }),
  knowledge: jsonColumn(knowledgeSchema).nullable().catch(null),
  status: statusColumn,
  created_at: z.number(),
  cancel_requested_at: z.number().nullable(),
});
type MessageRow = z.infer<typeof rowSchema>;
/** What is read of a message to learn more of it. `steps`: how many its history has. Null: what is stored there cannot be read. */
const knownSchema = z.object({
  agent_id: z.string(),
  message_id: z.string(),
  conversation: z.string(),
  request: jsonColumn(requestSchema).nullable().catch(null),
  knowledge: jsonColumn(knowledgeSchema).nullable().catch(null),
  status: statusColumn,
  steps: z.number(),
});
type KnownMessage = z.infer<typeof knownSchema>;

const historySchema = z.object({
  agent_id: z.string(),
  message_id: z.string(),
  status: statusColumn,
  at: z.number(),
  recorded_at: z.number(),
  evidence: jsonColumn(evidenceSchema).catch({ kind: 'damage' }),
  corrects: statusColumn.nullable(),
});

/**
 * Stores a message with its command, in one transaction. An existing one with that id stays unchanged, and nothing is stored where there is
 * no such agent, so that the answer of its command need not be awaited.
 */
export function addMessage(transaction: Transaction, record: MessageRecord, now: number): void {
  const { agentId, id, keyId, conversation, request } = record;
  void transaction.query(
    `INSERT INTO messages (agent_id, message_id, key_id, conversation, request, knowledge, status, created_at)
     SELECT agent_id, CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS TEXT), CAST($5 AS TEXT), CAST($6 AS TEXT), 'queued', CAST($7 AS BIGINT)
     FROM agents WHERE agent_id = $1 ON CONFLICT (agent_id, message_id) DO NOTHING`,
    [agentId, id, keyId, conversation, JSON.stringify(request), JSON.stringify(NOTHING_KNOWN), now],
  );
  addStep(
    transaction,
    record,
    { step: 0, standing: { ...statusOf(NOTHING_KNOWN), at: now }, corrects: null },
    now,
  );
  addToConversation(transaction, {
    agentId,
    conversation,
    id,
    direction: 'outgoing',
    content: {
      sender: null,
      text: request.text,
      attachments: request.attachments.map(({ filename }) => ({ filename })),
      in_reply_to: request.inReplyTo,
    },
    at: now,
  });
}

/** A message as the API shows it that was just added (`addMessage`): nothing has to be read for that. */
export function freshMessage(record: MessageRecord, now: number): OutgoingMessage {
  const { agentId, id, keyId, conversation, request } = record;
  const { status, evidence } = statusOf(NOTHING_KNOWN);
  const row: MessageRow = {
    agent_id: agentId,
    message_id: id,
    key_id: keyId,
    conversation,
    request,
    knowledge: NOTHING_KNOWN,
    status,
    created_at: now,
    cancel_requested_at: null,
  };
  const at = new Date(now).toISOString();
  return view(row, [{ status, at, recorded_at: at, evidence }]);
}

/** What there is to learn more of (`learnOf`). Within the lock of the agent. Undefined: there is no such message. */
export async function knownMessage(
  transaction: Transaction,
  agentId: string,
  id: string,
): Promise<KnownMessage | undefined> {
  const found = await transaction.query(
    `SELECT agent_id, message_id, conversation, request, knowledge, status, (SELECT count(*) FROM message_history h WHERE h.agent_id = $1 AND h.message_id = $2) AS steps
     FROM messages m WHERE m.agent_id = $1 AND m.message_id = $2`,
    [agentId, id],
  );
  return readRows(knownSchema, found)[0];
}

/**
 * Adds what an agent says of a message, or its removal: the status, a step of its history and the event `message.status`, if that changes anything.
 * `row` is what `knownMessage` gave in this transaction. One that cannot be read has no past: it keeps nothing from its end.
 */
export async function learnOf(
  transaction: Transaction,
  row: KnownMessage,
  evidence: MessageEvidence,
  now: number,
): Promise<void> {
  const { agent_id: agentId, message_id: id } = row;
  // What had an end keeps it, though its past cannot be read: only its agent knows better.
  const isOver = row.status !== 'queued' && row.status !== 'accepted';
  if (row.knowledge === null && isOver && (evidence.kind === 'removal' || evidence.kind === 'damage')) return;
  const known = row.knowledge ?? NOTHING_KNOWN;
  const knowledge = learn(known, row.knowledge === null ? withoutPast(evidence) : evidence);
  if (knowledge === known) return;
  const before = statusOf(known);
  const standing = statusOf(knowledge);
  void transaction.query(
    'UPDATE messages SET knowledge = $3, status = $4 WHERE agent_id = $1 AND message_id = $2',
    [agentId, id, JSON.stringify(knowledge), standing.status],
  );
  if (isSame(before, standing)) return;
  const last = row.knowledge === null ? row.status : before.status;
  const corrects = takesBack(last, standing.status) ? last : null;
  const step = row.steps;
  addStep(transaction, { agentId, id }, { step, standing, corrects }, now);
  await publish(
    transaction,
    {
      id: eventId('message.status', agentId, id, step),
      type: 'message.status',
      agentId,
      conversation: row.conversation,
      at: standing.at ?? now,
      data: {
        conversation: row.conversation,
        message_id: id,
        ...statusData(standing, now),
        ...(corrects === null ? {} : { corrects }),
        in_reply_to: row.request?.inReplyTo ?? null,
      },
    },
    now,
  );
}

/** The fields of an event for a status. */
export function statusData(standing: MessageStanding, now: number) {
  return {
    status: standing.status,
    at: new Date(standing.at ?? now).toISOString(),
    evidence: standing.evidence,
    message_guid: standing.guid,
    service: standing.service,
    error: errorOf(standing),
    retry_safe: standing.retrySafe,
  };
}

/** Notes that a message is to be taken back. */
export async function noteCancelRequest(
  transaction: Transaction,
  agentId: string,
  id: string,
  now: number,
): Promise<void> {
  await transaction.query(
    `UPDATE messages SET cancel_requested_at = $3
     WHERE agent_id = $1 AND message_id = $2 AND cancel_requested_at IS NULL`,
    [agentId, id, now],
  );
}

/** Messages of this id, each with its whole history; ids of commands are unique for one agent only. */
export async function findMessages(queries: Queries, id: string): Promise<OutgoingMessage[]> {
  return withHistory(queries, await rowsOf(queries, 'message_id = $1', [id]));
}

/** A message of an agent, with its whole history. */
export async function findMessage(
  queries: Queries,
  agentId: string,
  id: string,
): Promise<OutgoingMessage | undefined> {
  const rows = await rowsOf(queries, 'agent_id = $1 AND message_id = $2', [agentId, id]);
  return (await withHistory(queries, rows))[0];
}

/** The messages of an agent, the newest first, behind a place. */
export async function listMessages(
  queries: Queries,
  agentId: string,
  filter: { conversation: string | undefined; status: MessageStatus | undefined },
  before: PagePlace | undefined,
  limit: number,
): Promise<ListedMessage[]> {
  const values: StoredValue[] = [agentId, before?.at ?? Number.MAX_SAFE_INTEGER, before?.id ?? ''];
  const also = (column: string, value: string | undefined) => {
    if (value === undefined) return '';
    values.push(value);
    return ` AND ${column} = $${values.length}`;
  };
  const where = `agent_id = $1 AND (created_at < $2 OR (created_at = $2 AND message_id < $3))
    ${also('conversation', filter.conversation)}${also('status', filter.status)}`;
  values.push(limit);
  const rows = await rowsOf(
    queries,
    `${where} ORDER BY created_at DESC, message_id DESC LIMIT CAST($${values.length} AS BIGINT)`,
    values,
  );
  const messages = await withHistory(queries, rows);
  return messages.map((message, index) => ({
    message,
    place: { at: rows[index]?.created_at ?? 0, id: message.id },
  }));
}

/** Forgets some messages of before that time that are over, and their histories. True: there may be more of them. */
export async function forgetMessages(transaction: Transaction, createdBefore: number): Promise<boolean> {
  const gone = await deleteSome(transaction, {
    table: 'messages',
    key: ['agent_id', 'message_id'],
    where: `created_at < $1 AND status NOT IN ('queued', 'accepted')`,
    values: [createdBefore],
  });
  const { pairs, values } = pairsOf(readRows(idsRow, gone));
  if (gone.length > 0)
    await transaction.query(`DELETE FROM message_history WHERE (agent_id, message_id) IN (${pairs})`, values);
  return gone.length >= FORGOTTEN_AT_ONCE;
}

async function rowsOf(
  queries: Queries,
  where: string,
  values: readonly StoredValue[],
): Promise<MessageRow[]> {
  return readRows(rowSchema, await queries.query(`SELECT * FROM messages WHERE ${where}`, values));
}

async function withHistory(queries: Queries, rows: readonly MessageRow[]): Promise<OutgoingMessage[]> {
  if (rows.length === 0) return [];
  const { pairs, values } = pairsOf(rows);
  const steps: readonly StoredRow[] = await queries.query(
    `SELECT * FROM message_history WHERE (agent_id, message_id) IN (${pairs}) ORDER BY step`,
    values,
  );
  const all = readRows(historySchema, steps);
  return rows.map((row) =>
    view(
      row,
      all.filter((step) => step.agent_id === row.agent_id && step.message_id === row.message_id).map(change),
    ),
  );
}

/** What names these messages in a statement. */
function pairsOf(rows: readonly z.infer<typeof idsRow>[]): { pairs: string; values: StoredValue[] } {
  const pairs = rows.map((_, index) => `($${2 * index + 1}, $${2 * index + 2})`);
  const values = rows.flatMap(({ agent_id, message_id }) => [agent_id, message_id]);
  return { pairs: `VALUES ${pairs.join(', ')}`, values };
}

function view(row: MessageRow, history: StatusChange[]): OutgoingMessage {
  const standing = row.knowledge === null ? lastOf(row, history) : statusOf(row.knowledge);
  return {
    id: row.message_id,
    agent: row.agent_id,
    conversation: row.conversation,
    text: row.request.text,
    attachments: row.request.attachments,
    send_at: timeOrNull(row.request.sendAt),
    in_reply_to: row.request.inReplyTo,
    status: standing.status,
    status_at: new Date(standing.at ?? row.created_at).toISOString(),
    error: errorOf(standing),
    retry_safe: standing.retrySafe,
    outcome: standing.outcome,
    message_guid: standing.guid,
    service: standing.service,
    deduplicated: standing.deduplicated,
    cancel_requested_at: timeOrNull(row.cancel_requested_at),
    created_at: new Date(row.created_at).toISOString(),
    history,
  };
}

/** The status of a message of which nothing else can be read. */
function lastOf({ status }: MessageRow, history: readonly StatusChange[]): MessageStanding {
  const last = history.at(-1);
  const at = last === undefined ? null : Date.parse(last.at);
  return { ...statusOf(NOTHING_KNOWN), status, at, evidence: { kind: 'damage' } };
}

function change({
  status,
  at,
  recorded_at,
  evidence,
  corrects,
}: z.infer<typeof historySchema>): StatusChange {
  return {
    status,
    at: new Date(at).toISOString(),
    recorded_at: new Date(recorded_at).toISOString(),
    evidence,
    ...(corrects === null ? {} : { corrects }),
  };
}

/** Where it cannot be read what was known, the agent may have been given the text. */
function withoutPast(evidence: MessageEvidence): MessageEvidence {
  return evidence.kind === 'removal' ? { ...evidence, wasReached: true } : evidence;
}

/** Adds a step of a message that there is, whose number is how many there are before it; one that is there stays as it is. */
function addStep(
  transaction: Transaction,
  { agentId, id }: { readonly agentId: string; readonly id: string },
  { step, standing, corrects }: { step: number; standing: MessageStanding; corrects: MessageStatus | null },
  now: number,
): void {
  void transaction.query(
    `INSERT INTO message_history (agent_id, message_id, step, status, at, recorded_at, evidence, corrects)
     SELECT agent_id, message_id, CAST($3 AS BIGINT), CAST($4 AS TEXT), CAST($5 AS BIGINT), CAST($6 AS BIGINT), CAST($7 AS TEXT), CAST($8 AS TEXT)
     FROM messages WHERE agent_id = $1 AND message_id = $2 ON CONFLICT (agent_id, message_id, step) DO NOTHING`,
    [
      agentId,
      id,
      step,
      standing.status,
      standing.at ?? now,
      now,
      JSON.stringify(standing.evidence),
      corrects,
    ],
  );
}

/** Whether a program would see no difference. */
function isSame(one: MessageStanding, other: MessageStanding): boolean {
  const fields = ['status', 'outcome', 'code', 'retrySafe', 'guid', 'service', 'deduplicated'] as const;
  return fields.every((field) => one[field] === other[field]);
}

function errorOf({ code, error }: MessageStanding) {
  return code === null ? null : { code, message: error ?? '' };
}

function timeOrNull(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}
