import type { AckBody } from '../model/agentBodies.js';
import type { Clock } from '../system/clock.js';
import { readAck } from './outbox.js';
import { columns, type Database, type Statement, type StoredRows } from './sqlite.js';

/** The hash of a command whose content is lost. */
export const UNKNOWN_BODY_HASH = '';

/** In `meta`: until when commands were made whose ids may be lost (Unix ms). Earlier versions have another time behind it. */
export const FORGOTTEN_COMMANDS = 'commands_lost';

interface NewCommand {
  commandId: string;
  commandType: string;
  /** The command as it came, in JSON. */
  body: string;
  /** A hash of type and payload, to check whether a repeat is identical. */
  bodyHash: string;
  via: string;
}

/** A command that was ever received. `ack` is the last one, `revision` its number (0: none yet). */
export interface CommandRecord {
  commandId: string;
  commandType: string;
  bodyHash: string;
  via: string;
  state: 'open' | 'done';
  ack: AckBody | null;
  revision: number;
  receivedAt: number;
}

type CommandRow = Omit<CommandRecord, 'ack'> & { ack: string | null };

/** Every command by id, kept so that none is ever executed twice. */
export class CommandTable {
  private readonly insert: Statement;
  private readonly select: Statement;
  private readonly selectBody: Statement;
  private readonly update: Statement;
  private readonly countOpen: Statement;
  private readonly forgottenUntil: number | undefined;

  constructor(
    database: Database,
    private readonly clock: Clock,
    private readonly rows: StoredRows,
  ) {
    this.insert = database.prepare(
      `INSERT INTO commands (command_id, command_type, body, body_hash, via, received_at, state)
       VALUES (?, ?, ?, ?, ?, ?, 'open') ON CONFLICT (command_id) DO NOTHING`,
    );
    this.select = database.prepare(
      `SELECT ${columns<CommandRow>('commandId', 'commandType', 'bodyHash', 'via', 'state', 'ack', 'revision', 'receivedAt')}
       FROM commands WHERE command_id = ?`,
    );
    this.selectBody = database.prepare('SELECT body FROM commands WHERE command_id = ?').pluck();
    this.update = database.prepare(
      "UPDATE commands SET state = 'done', ack = ?, revision = ?, acked_at = ? WHERE command_id = ?",
    );
    const forgotten = database
      .prepare('SELECT value FROM meta WHERE key = ?')
      .pluck()
      .get(FORGOTTEN_COMMANDS);
    if (typeof forgotten === 'string') this.forgottenUntil = Number(forgotten.split(' ')[0]);
    this.countOpen = database.prepare("SELECT count(*) FROM commands WHERE state = 'open'").pluck();
  }

  /** Stores a command; false if its id is known already (then nothing changes). */
  add(command: NewCommand): boolean {
    const { commandId, commandType, body, bodyHash, via } = command;
    return this.insert.run(commandId, commandType, body, bodyHash, via, this.clock.now()).changes > 0;
  }

  find(commandId: string): CommandRecord | undefined {
    const row = this.select.get(commandId) as CommandRow | undefined;
    if (row === undefined) return undefined;
    return withAck(this.rows, row);
  }

  /** When its backend made a command, by the backend's clock (Unix ms); null where it did not say, or that was forgotten. */
  madeAt(commandId: string): number | null {
    const body = this.selectBody.get(commandId) as string | undefined;
    if (body === undefined || body === '') return null;
    const kept = this.rows.object<{ timestamp?: unknown }>('commands', commandId, body);
    return typeof kept?.timestamp === 'number' ? kept.timestamp : null;
  }

  /** Ends a command, or corrects its end: keeps the ack for every later repeat. */
  finish(ack: AckBody): void {
    this.update.run(JSON.stringify(ack), ack.revision, this.clock.now(), ack.command_id);
  }

  /**
   * Whether a command with an unknown id, made then (Unix ms, by our clock) or at any time, may have been received before: its id may be
   * one of those that were lost with a damaged store.
   */
  mayBeForgotten(madeAt = Number.NEGATIVE_INFINITY): boolean {
    return this.forgottenUntil !== undefined && madeAt <= this.forgottenUntil;
  }

  /** How many were received and have no final ack. */
  countWaiting(): number {
    return this.countOpen.get() as number;
  }
}

/** A command with the times of its life. Times are Unix ms; null: not yet, or forgotten. */
export interface LoggedCommand {
  seq: number;
  commandId: string;
  commandType: string;
  via: string;
  receivedAt: number;
  state: 'open' | 'done';
  ack: AckBody | null;
  revision: number;
  ackedAt: number | null;
  /** When the backend provably read the newest ack, and by which channel. */
  ackReadAt: number | null;
  ackReadVia: string | null;
}

type LoggedRow = Omit<LoggedCommand, 'ack'> & { ack: string | null };

const COLUMNS = columns<LoggedRow>(
  'seq',
  'commandId',
  'commandType',
  'via',
  'receivedAt',
  'state',
  'ack',
  'revision',
  'ackedAt',
  'ackReadAt',
  'ackReadVia',
);

/** Read-only queries of commands for operators. */
export class CommandLog {
  private readonly selectNewest: Statement;
  private readonly selectOpen: Statement;
  private readonly selectOne: Statement;

  constructor(
    database: Database,
    private readonly rows: StoredRows,
  ) {
    this.selectNewest = database.prepare(
      `SELECT ${COLUMNS} FROM commands WHERE seq > 0 ORDER BY seq DESC LIMIT +?`,
    );
    this.selectOpen = database.prepare(
      `SELECT ${COLUMNS} FROM commands WHERE state = 'open' ORDER BY seq DESC LIMIT +?`,
    );
    this.selectOne = database.prepare(`SELECT ${COLUMNS} FROM commands WHERE command_id = ?`);
  }

  /** The newest first; only those without a final ack if `open`. */
  list(limit: number, open: boolean): LoggedCommand[] {
    const rows = (open ? this.selectOpen : this.selectNewest).all(limit) as LoggedRow[];
    return rows.map((row) => withAck(this.rows, row));
  }

  find(commandId: string): LoggedCommand | undefined {
    const row = this.selectOne.get(commandId) as LoggedRow | undefined;
    return row === undefined ? undefined : withAck(this.rows, row);
  }
}

function withAck<Row extends { commandId: string; revision: number; receivedAt: number; ack: string | null }>(
  rows: StoredRows,
  row: Row,
): Omit<Row, 'ack'> & { ack: AckBody | null } {
  const { commandId, revision, receivedAt: at } = row;
  return { ...row, ack: row.ack === null ? null : readAck(rows, row.ack, { commandId, revision, at }) };
}
