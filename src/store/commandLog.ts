import type { AckBody } from '../model/agentBodies.js';
import { readAck } from './acks.js';
import type { Database, Statement } from './sqlite.js';
import type { StoredRows } from './storedRows.js';

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

const COLUMNS = `seq, command_id AS commandId, command_type AS commandType, via, received_at AS receivedAt, state, ack,
  revision, acked_at AS ackedAt, ack_read_at AS ackReadAt, ack_read_via AS ackReadVia`;

/** The commands for somebody who looks: nothing here changes one. */
export class CommandLog {
  private readonly selectNewest: Statement;
  private readonly selectOpen: Statement;
  private readonly selectOne: Statement;

  constructor(
    database: Database,
    private readonly rows: StoredRows,
  ) {
    this.selectNewest = database.prepare(
      `SELECT ${COLUMNS} FROM commands WHERE seq > 0 ORDER BY seq DESC LIMIT ?`,
    );
    this.selectOpen = database.prepare(
      `SELECT ${COLUMNS} FROM commands WHERE state = 'open' ORDER BY seq DESC LIMIT ?`,
    );
    this.selectOne = database.prepare(`SELECT ${COLUMNS} FROM commands WHERE command_id = ?`);
  }

  /** The newest first; only those without a final ack if `open`. */
  list(limit: number, open: boolean): LoggedCommand[] {
    const rows = (open ? this.selectOpen : this.selectNewest).all(limit) as LoggedRow[];
    return rows.map((row) => this.read(row));
  }

  find(commandId: string): LoggedCommand | undefined {
    const row = this.selectOne.get(commandId) as LoggedRow | undefined;
    return row === undefined ? undefined : this.read(row);
  }

  private read(row: LoggedRow): LoggedCommand {
    const { commandId, revision, receivedAt: at } = row;
    const ack = row.ack === null ? null : readAck(this.rows, row.ack, { commandId, revision, at });
    return { ...row, ack };
  }
}
