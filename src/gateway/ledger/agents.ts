import { z } from 'zod';
import { randomHex } from '../../system/random.js';
import type { GatewayDatabase, Queries, StoredRow, Transaction } from '../storage/GatewayDatabase.js';
import { readRows } from './readRows.js';
import { endOrders, noteRemoval } from './removedAgents.js';
import type { SecretBox } from './SecretBox.js';

const sealedRow = z.object({ sealed: z.string() });
const sealedSecretRow = z.object({ agent_id: z.string(), secret_id: z.string(), sealed: z.string() });
const problemsRow = z.object({ problems: z.string() });

/** An agent as it is kept. Times are Unix ms. */
interface AgentRecord {
  readonly id: string;
  /** For people. */
  readonly name: string | null;
  /** True: it came by a registration token, false: an operator added it. */
  readonly isInvited: boolean;
  readonly createdAt: number;
  /** What it said of itself when it last registered; null: it never did. */
  readonly registration: Readonly<Record<string, unknown>> | null;
  readonly registeredAt: number | null;
  /** Its newest status (protocol §9); null: it sent none yet. */
  readonly status: Readonly<Record<string, unknown>> | null;
  readonly statusAt: number | null;
}

/** So many secrets of an agent count at once: while they are rotated, the one before too. */
const SECRETS_AT_ONCE = 2;
const SECRET_BYTES = 32;

export const agentTables = (): readonly string[] => [
  `CREATE TABLE agents (
    agent_id TEXT PRIMARY KEY,
    name TEXT,
    is_invited BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    registration TEXT,
    registered_at BIGINT,
    handed_out_at BIGINT
  )`,
  `CREATE TABLE agent_secrets (
    agent_id TEXT NOT NULL,
    secret_id TEXT NOT NULL,
    sealed TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    valid_until BIGINT,
    PRIMARY KEY (agent_id, secret_id)
  )`,
  // Apart from the agent itself, because it changes every few minutes.
  `CREATE TABLE agent_statuses (
    agent_id TEXT PRIMARY KEY,
    status TEXT NOT NULL,
    problems TEXT NOT NULL,
    at BIGINT NOT NULL
  )`,
];

/** An agent that is to be added. */
interface NewAgent {
  readonly id: string;
  readonly name: string | null;
  readonly isInvited: boolean;
}

/** The owner for which an agent's secrets are sealed. */
export const ownerOf = (agentId: string) => `agent:${agentId}`;

/**
 * Adds an agent and gives its secret, which is shown this once: the database has it sealed. It is a fresh one of 256 random bits,
 * unless the agent has one already (`secret`). Undefined: there is an agent of that id, and nothing changed.
 */
export async function addAgent(
  transaction: Transaction,
  box: SecretBox,
  agent: NewAgent & { secret?: string },
  now: number,
): Promise<string | undefined> {
  if (!(await enterAgent(transaction, agent, now))) return undefined;
  return addSecret(transaction, box, agent.id, agent.secret ?? randomHex(SECRET_BYTES), now);
}

/** Adds an agent without its own secret. False: there is already an agent with that id, and nothing changed. */
export async function enterAgent(transaction: Transaction, agent: NewAgent, now: number): Promise<boolean> {
  await transaction.lock(agent.id);
  // One that was removed and is added again is offered nothing from before.
  await endOrders(transaction, agent.id, now);
  const added = await transaction.query(
    `INSERT INTO agents (agent_id, name, is_invited, created_at) VALUES ($1, $2, $3, $4)
     ON CONFLICT (agent_id) DO NOTHING RETURNING agent_id`,
    [agent.id, agent.name, agent.isInvited ? 1 : 0, now],
  );
  if (added.length === 0) return false;
  // Their positions continue after the existing ones.
  await transaction.query(
    'INSERT INTO command_positions (agent_id, last_position) VALUES ($1, 0) ON CONFLICT (agent_id) DO NOTHING',
    [agent.id],
  );
  return true;
}

/**
 * Gives an agent a new secret. The one before counts until `overlapMs` from now, and none before that. Undefined: there is no such
 * agent.
 */
export async function rotateSecret(
  transaction: Transaction,
  box: SecretBox,
  agentId: string,
  overlapMs: number,
  now: number,
): Promise<string | undefined> {
  await transaction.lock(agentId);
  if ((await findAgent(transaction, agentId)) === undefined) return undefined;
  await transaction.query(
    'UPDATE agent_secrets SET valid_until = $2 WHERE agent_id = $1 AND (valid_until IS NULL OR valid_until > $2)',
    [agentId, now + overlapMs],
  );
  const secret = await addSecret(transaction, box, agentId, randomHex(SECRET_BYTES), now);
  await transaction.query(
    `DELETE FROM agent_secrets WHERE agent_id = $1 AND secret_id NOT IN (
       SELECT secret_id FROM agent_secrets WHERE agent_id = $1 ORDER BY valid_until IS NULL DESC, created_at DESC LIMIT CAST($2 AS BIGINT))`,
    [agentId, SECRETS_AT_ONCE],
  );
  return secret;
}

/** Ends the secrets that were rotated out, before their time. */
export async function endOldSecrets(transaction: Transaction, agentId: string): Promise<void> {
  await transaction.query('DELETE FROM agent_secrets WHERE agent_id = $1 AND valid_until IS NOT NULL', [
    agentId,
  ]);
}

/** The secrets of an agent that count now, the newest first; none of an agent that is unknown. Throws as `SecretBox.open` does. */
export async function secretsOf(
  queries: Queries,
  box: SecretBox,
  agentId: string,
  now: number,
): Promise<string[]> {
  const rows = await queries.query(
    `SELECT sealed FROM agent_secrets WHERE agent_id = $1 AND (valid_until IS NULL OR valid_until > $2)
     ORDER BY created_at DESC`,
    [agentId, now],
  );
  return readRows(sealedRow, rows).map(({ sealed }) => box.open(sealed, ownerOf(agentId)));
}

/** So many rows are looked at at once. */
const RESEALED_AT_ONCE = 500;

/** Seals each secret under the key that the box seals with now; gives how many were not. */
export async function resealAgents(database: GatewayDatabase, box: SecretBox): Promise<number> {
  let count = 0;
  let after = { agent_id: '', secret_id: '' };
  for (;;) {
    const rows = readRows(
      sealedSecretRow,
      await database.query(
        `SELECT agent_id, secret_id, sealed FROM agent_secrets
         WHERE agent_id > $1 OR (agent_id = $1 AND secret_id > $2) ORDER BY agent_id, secret_id LIMIT CAST($3 AS BIGINT)`,
        [after.agent_id, after.secret_id, RESEALED_AT_ONCE],
      ),
    );
    const old = rows.flatMap((row) => {
      const again = box.resealed(row.sealed, ownerOf(row.agent_id));
      return again === undefined ? [] : [{ ...row, again }];
    });
    count += old.length;
    if (old.length > 0)
      await database.transaction(async (transaction) => {
        for (const { agent_id, secret_id, sealed, again } of old)
          await transaction.query(
            'UPDATE agent_secrets SET sealed = $3 WHERE agent_id = $1 AND secret_id = $2 AND sealed = $4',
            [agent_id, secret_id, again, sealed],
          );
      });
    const last = rows.at(-1);
    if (last === undefined) return count;
    after = last;
  }
}

/**
 * Forgets an agent's secrets and the agent itself: from now on it is refused. What it did is kept as long as that of any other; what was
 * ordered from it is to be ended behind that (`endOrdersOf`). False: there is none.
 */
export async function removeAgent(transaction: Transaction, agentId: string, now: number): Promise<boolean> {
  await transaction.lock(agentId);
  noteRemoval(transaction, agentId, now);
  await transaction.query('DELETE FROM agent_secrets WHERE agent_id = $1', [agentId]);
  const removed = await transaction.query('DELETE FROM agents WHERE agent_id = $1 RETURNING agent_id', [
    agentId,
  ]);
  return removed.length > 0;
}

/** Notes that an agent registered, and what it said of itself; what is secret in it must have been left out. */
export async function noteRegistration(
  transaction: Transaction,
  agentId: string,
  registration: Readonly<Record<string, unknown>>,
  now: number,
): Promise<void> {
  await transaction.query('UPDATE agents SET registration = $2, registered_at = $3 WHERE agent_id = $1', [
    agentId,
    JSON.stringify(registration),
    now,
  ]);
}

/**
 * Notes that an agent is handed commands, before it is: from then on it may do what they say. False: there is no such agent any more, and
 * it is to be handed none.
 */
export async function noteHandOut(database: GatewayDatabase, agentId: string, now: number): Promise<boolean> {
  const seen = 'SELECT 1 AS one FROM agents WHERE agent_id = $1 AND handed_out_at IS NOT NULL';
  if ((await database.soon.query(seen, [agentId])).length > 0) return true;
  const noted = await database.transaction((transaction) => {
    // Who removes it sees this note, or it is not there any more.
    void transaction.lock(agentId);
    const note = 'UPDATE agents SET handed_out_at = $2 WHERE agent_id = $1 RETURNING agent_id';
    return transaction.query(note, [agentId, now]);
  }, 'soon');
  return noted.length > 0;
}

/** Keeps an agent's status. Gives the codes of its problems that the status before did not name, and whether it named any. */
export async function keepStatus(
  transaction: Transaction,
  agentId: string,
  status: Readonly<Record<string, unknown>>,
  now: number,
): Promise<{ problems: readonly StatusProblem[]; newCodes: readonly string[]; hadProblems: boolean }> {
  const problems = problemsSchema.parse(status.problems);
  const rows = await transaction.query('SELECT problems FROM agent_statuses WHERE agent_id = $1', [agentId]);
  const [before] = readRows(problemsRow, rows);
  const known = before === undefined ? [] : z.array(z.string()).parse(JSON.parse(before.problems));
  const codes = [...new Set(problems.map(({ code }) => code))];
  void transaction.query(
    `INSERT INTO agent_statuses (agent_id, status, problems, at) VALUES ($1, $2, $3, $4)
     ON CONFLICT (agent_id) DO UPDATE SET status = excluded.status, problems = excluded.problems, at = excluded.at`,
    [agentId, JSON.stringify(status), JSON.stringify(codes), now],
  );
  return {
    problems,
    newCodes: codes.filter((code) => !known.includes(code)),
    hadProblems: known.length > 0,
  };
}

const problemsSchema = z.array(z.looseObject({ code: z.string() })).catch([]);
type StatusProblem = z.infer<typeof problemsSchema>[number];

export async function findAgent(queries: Queries, agentId: string): Promise<AgentRecord | undefined> {
  return recordsOf(await queries.query(`${SELECT} WHERE a.agent_id = $1`, [agentId]))[0];
}

/** Agents, in the order in which they were added, behind a place in it. */
export async function listAgents(
  queries: Queries,
  after: { createdAt: number; id: string } | undefined,
  limit: number,
): Promise<AgentRecord[]> {
  const rows = await queries.query(
    `${SELECT} WHERE a.created_at > $1 OR (a.created_at = $1 AND a.agent_id > $2)
     ORDER BY a.created_at, a.agent_id LIMIT CAST($3 AS BIGINT)`,
    [after?.createdAt ?? -1, after?.id ?? '', limit],
  );
  return recordsOf(rows);
}

const SELECT = `SELECT a.agent_id AS agent_id, name, is_invited, created_at, registration, registered_at, status, s.at AS status_at
  FROM agents a LEFT JOIN agent_statuses s ON s.agent_id = a.agent_id`;

const jsonObject = z
  .string()
  .nullable()
  .transform((text) => (text === null ? null : z.record(z.string(), z.unknown()).parse(JSON.parse(text))));

const rowSchema = z
  .object({
    agent_id: z.string(),
    name: z.string().nullable(),
    is_invited: z.number(),
    created_at: z.number(),
    registration: jsonObject,
    registered_at: z.number().nullable(),
    status: jsonObject,
    status_at: z.number().nullable(),
  })
  .transform(
    (row): AgentRecord => ({
      id: row.agent_id,
      name: row.name,
      isInvited: row.is_invited === 1,
      createdAt: row.created_at,
      registration: row.registration,
      registeredAt: row.registered_at,
      status: row.status,
      statusAt: row.status_at,
    }),
  );

const recordsOf = (rows: readonly StoredRow[]) => readRows(rowSchema, rows);

async function addSecret(
  transaction: Transaction,
  box: SecretBox,
  agentId: string,
  secret: string,
  now: number,
): Promise<string> {
  await transaction.query(
    'INSERT INTO agent_secrets (agent_id, secret_id, sealed, created_at) VALUES ($1, $2, $3, $4)',
    [agentId, randomHex(8), box.seal(secret, ownerOf(agentId)), now],
  );
  return secret;
}
