import { z } from 'zod';
import type { Queries, Transaction } from '../storage/GatewayDatabase.js';
import { forgetSome } from './forgetRows.js';
import { jsonColumn, readRows } from './readRows.js';

const commandRow = z.object({ command: z.string() });
const ackRow = z.object({ ack: z.string().nullable() });
const positionRow = z.object({ position: z.number() });
const waitingRow = z.object({ position: z.number(), command: z.string() });
const aheadRow = z.object({
  last_position: z.number(),
  position: z.number().nullable(),
  command: z.string().nullable(),
});
const newestRow = z.object({ agent_id: z.string(), position: z.number() });

/** Of so many agents the commands are counted in one statement: an engine takes some ten thousand parameters, and others wait behind it. */
const COUNTED_AT_ONCE = 1_000;

/** A command as it is asked for. */
export interface NewCommand {
  readonly commandId: string;
  readonly type: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly priority?: string | undefined;
  /** Further fields, which travel along: its `timestamp` where it is not now, and what no document names. */
  readonly more?: Readonly<Record<string, unknown>>;
}

/** A command as it travels (protocol §4), with whatever else it was given. */
export const commandSchema = z.looseObject({
  command_id: z.string(),
  command_type: z.string(),
  payload: z.record(z.string(), z.unknown()),
  priority: z.string(),
  timestamp: z.string(),
});
export type StoredCommand = z.infer<typeof commandSchema>;
const storedSchema = jsonColumn(commandSchema);
const typeSchema = jsonColumn(commandSchema.pick({ command_type: true }));

/** `position`: its place among all commands of its agent, from 1, without gaps. `isSame`: the known one has this type and payload. */
export type AddedCommand =
  | { readonly kind: 'added'; readonly position: number; readonly command: StoredCommand }
  | { readonly kind: 'known'; readonly isSame: boolean }
  | { readonly kind: 'unknown_agent' };

/** An unacked command, and its place. `command` undefined: what is stored there cannot be read (`setAsideUnreadable`). */
interface WaitingAt {
  readonly position: number;
  readonly command: StoredCommand | undefined;
}

/** Commands of each agent, in their order, kept until long after they were acked. */
export const commandTables = (): readonly string[] => [
  'CREATE TABLE command_positions (agent_id TEXT PRIMARY KEY, last_position BIGINT NOT NULL)',
  `CREATE TABLE commands (
    agent_id TEXT NOT NULL,
    position BIGINT NOT NULL,
    command_id TEXT NOT NULL,
    command TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    ack TEXT,
    ack_revision BIGINT,
    acked_at BIGINT,
    PRIMARY KEY (agent_id, position)
  )`,
  'CREATE UNIQUE INDEX commands_id ON commands (agent_id, command_id)',
  'CREATE INDEX commands_waiting ON commands (agent_id, position) WHERE acked_at IS NULL',
  'CREATE INDEX commands_acked ON commands (acked_at) WHERE acked_at IS NOT NULL',
];

/** Keeps a command behind all others of its agent. Idempotent by its id. Takes the lock of the agent. */
export async function addCommand(
  transaction: Transaction,
  agentId: string,
  wanted: NewCommand,
  now: number,
): Promise<AddedCommand> {
  const added = await addFreshCommand(transaction, agentId, wanted, now);
  return added ?? knownCommand(transaction, agentId, wanted);
}

/**
 * The same. All that it asks of the transaction is asked for when it returns, so its answer need not be awaited before the commit.
 * Undefined: there is no such agent, or a command of this id; nothing was written.
 */
export async function addFreshCommand(
  transaction: Transaction,
  agentId: string,
  { commandId, type, payload, priority = 'normal', more = {} }: NewCommand,
  now: number,
): Promise<(AddedCommand & { kind: 'added' }) | undefined> {
  void transaction.lock(agentId);
  const command: StoredCommand = {
    ...more,
    command_id: commandId,
    command_type: type,
    payload,
    priority,
    timestamp: typeof more.timestamp === 'string' ? more.timestamp : new Date(now).toISOString(),
  };
  // One round trip where it is new, which is nearly always. The positions of an agent that was removed are kept.
  const added = transaction.query(
    `INSERT INTO commands (agent_id, position, command_id, command, made_at)
     SELECT agent_id, last_position + 1, CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS BIGINT) FROM command_positions
     WHERE agent_id = $1 AND EXISTS (SELECT 1 FROM agents a WHERE a.agent_id = $1)
     ON CONFLICT (agent_id, command_id) DO NOTHING RETURNING position`,
    [agentId, commandId, JSON.stringify(command), now],
  );
  // The next position is taken where this command was added, and no other way.
  void transaction.query(
    `UPDATE command_positions SET last_position = last_position + 1
     WHERE agent_id = $1 AND EXISTS (SELECT 1 FROM commands c
       WHERE c.agent_id = $1 AND c.position = command_positions.last_position + 1)`,
    [agentId],
  );
  const [place] = readRows(positionRow, await added);
  return place && { kind: 'added', position: place.position, command };
}

async function knownCommand(
  queries: Queries,
  agentId: string,
  { commandId, type, payload }: NewCommand,
): Promise<AddedCommand> {
  const known = await storedCommand(queries, agentId, commandId);
  if (known === undefined) return { kind: 'unknown_agent' };
  return { kind: 'known', isSame: isSame(known, type, payload) };
}

/**
 * Keeps an ack: the highest revision counts. False: it says nothing new (a repeat, an older revision) or is for none of ours. Within the
 * lock of the agent.
 */
export async function acknowledge(
  transaction: Transaction,
  agentId: string,
  ack: { readonly command_id: string; readonly revision: number },
  now: number,
): Promise<boolean> {
  // Not the command itself, which may have a file of 8 MiB in it.
  const taken = await transaction.query(
    `UPDATE commands SET ack = $3, ack_revision = $4, acked_at = $5
     WHERE agent_id = $1 AND command_id = $2 AND (ack_revision IS NULL OR ack_revision < $4) RETURNING position`,
    [agentId, ack.command_id, JSON.stringify(ack), ack.revision, now],
  );
  return taken.length > 0;
}

/** The type of a command. One that cannot be read is `unknown`. */
export async function typeOfCommand(queries: Queries, agentId: string, commandId: string): Promise<string> {
  return commandTypeOf((await storedCommand(queries, agentId, commandId)) ?? '');
}

/** As it is stored; undefined: there is none with this id. */
async function storedCommand(
  queries: Queries,
  agentId: string,
  commandId: string,
): Promise<string | undefined> {
  const found = await queries.query('SELECT command FROM commands WHERE agent_id = $1 AND command_id = $2', [
    agentId,
    commandId,
  ]);
  return readRows(commandRow, found)[0]?.command;
}

/** A command as it is stored; undefined: it cannot be read. */
export function readCommand(stored: string): StoredCommand | undefined {
  const { data } = storedSchema.safeParse(stored);
  return data;
}

/** The type of a command as it is stored. One that cannot be read is `unknown`, and keeps none of the others from its end. */
export function commandTypeOf(stored: string): string {
  return typeSchema.safeParse(stored).data?.command_type ?? 'unknown';
}

/** The ack that counts for a command, as it came; undefined: there is none yet. */
export async function ackOf(queries: Queries, agentId: string, commandId: string): Promise<unknown> {
  const found = await queries.query('SELECT ack FROM commands WHERE agent_id = $1 AND command_id = $2', [
    agentId,
    commandId,
  ]);
  const ack = readRows(ackRow, found)[0]?.ack ?? null;
  return ack === null ? undefined : JSON.parse(ack);
}

/** The unacked commands of an agent behind a position, oldest first. */
export async function waitingCommands(
  queries: Queries,
  agentId: string,
  after: number,
  limit: number,
): Promise<WaitingAt[]> {
  const rows = await queries.query(
    `SELECT position, command FROM commands
     WHERE agent_id = $1 AND acked_at IS NULL AND position > $2 ORDER BY position LIMIT CAST($3 AS BIGINT)`,
    [agentId, after, limit],
  );
  return readRows(waitingRow, rows).map((row) => ({
    position: row.position,
    command: readCommand(row.command),
  }));
}

/**
 * The same, with the position up to which every command was made that is read or acked: that of the newest one of the agent. 0: it has
 * none.
 */
export async function commandsAhead(
  queries: Queries,
  agentId: string,
  after: number,
  limit: number,
): Promise<{ last: number; page: readonly WaitingAt[] }> {
  const rows = await queries.query(
    `SELECT p.last_position AS last_position, c.position AS position, c.command AS command
     FROM command_positions p LEFT JOIN (SELECT position, command FROM commands
       WHERE agent_id = $1 AND acked_at IS NULL AND position > $2 ORDER BY position LIMIT CAST($3 AS BIGINT)) c ON 1 = 1
     WHERE p.agent_id = $1 ORDER BY c.position`,
    [agentId, after, limit],
  );
  const found = readRows(aheadRow, rows);
  const page = found.flatMap(({ position, command }) =>
    position === null || command === null ? [] : [{ position, command: readCommand(command) }],
  );
  return { last: found[0]?.last_position ?? 0, page };
}

/** The newest unacked command of each of these agents that has one. */
export async function newestWaiting(
  queries: Queries,
  agentIds: readonly string[],
): Promise<{ agentId: string; position: number }[]> {
  if (agentIds.length === 0) return [];
  const rows = await queries.query(
    `SELECT agent_id, max(position) AS position FROM commands
     WHERE acked_at IS NULL AND agent_id IN (${placeholders(agentIds)}) GROUP BY agent_id`,
    agentIds,
  );
  return readRows(newestRow, rows).map((row) => ({
    agentId: row.agent_id,
    position: row.position,
  }));
}

/** How many commands of each of these agents wait, and how many were ever acked. */
export async function countCommands(
  queries: Queries,
  agentIds: readonly string[],
): Promise<Map<string, { pending: number; acked: number }>> {
  const counts = new Map<string, { pending: number; acked: number }>();
  for (let from = 0; from < agentIds.length; from += COUNTED_AT_ONCE) {
    const some = agentIds.slice(from, from + COUNTED_AT_ONCE);
    const rows = await queries.query(`${COUNTS} WHERE p.agent_id IN (${placeholders(some)})`, some);
    for (const { agent_id, made, pending } of readRows(countSchema, rows))
      counts.set(agent_id, { pending, acked: made - pending });
  }
  return counts;
}

/** The same over all agents. */
export async function countAllCommands(queries: Queries): Promise<{ pending: number; acked: number }> {
  const rows = await queries.query(
    `SELECT CAST(coalesce(sum(last_position), 0) AS BIGINT) AS made,
       (SELECT count(*) FROM commands WHERE acked_at IS NULL) AS pending FROM command_positions`,
  );
  const [{ made, pending } = { made: 0, pending: 0 }] = readRows(
    z.object({ made: z.number(), pending: z.number() }),
    rows,
  );
  return { pending, acked: made - pending };
}

/**
 * Deletes some commands that were acked before that time, except those whose text has no final outcome yet: a later ack
 * reports it. A repeat of their ids would count as a new command. True: there may be more of them.
 */
export function forgetCommands(transaction: Transaction, ackedBefore: number): Promise<boolean> {
  const where = `acked_at < $1 AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.agent_id = commands.agent_id
    AND m.message_id = commands.command_id AND m.status IN ('queued', 'accepted'))`;
  return forgetSome(transaction, {
    table: 'commands',
    key: ['agent_id', 'position'],
    where,
    values: [ackedBefore],
  });
}

// Positions have no gaps and only acked commands are forgotten: what was acked is the rest.
const COUNTS = `SELECT p.agent_id AS agent_id, p.last_position AS made,
  (SELECT count(*) FROM commands c WHERE c.agent_id = p.agent_id AND c.acked_at IS NULL) AS pending
  FROM command_positions p`;

const countSchema = z.object({ agent_id: z.string(), made: z.number(), pending: z.number() });

const placeholders = (values: readonly unknown[]) => values.map((_, index) => `$${index + 1}`).join(', ');

function isSame(stored: string, type: string, payload: Readonly<Record<string, unknown>>): boolean {
  // One that cannot be read may be another one, and is not stored twice.
  const known = readCommand(stored);
  return known?.command_type === type && JSON.stringify(known.payload) === JSON.stringify(payload);
}
