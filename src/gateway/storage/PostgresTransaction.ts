import type { PoolClient } from 'pg';
import { EdgeError } from '../../errors.js';
import type { Clock } from '../../system/clock.js';
import type { StoredRow, StoredValue, Transaction } from './GatewayDatabase.js';
import type { KeyTurns } from './KeyTurns.js';
import { destroy, literal, type PreparedStatements } from './PostgresClient.js';
import { type PostgresFault, postgresFault } from './postgresFault.js';
import { storableText } from './storable.js';
import { withinDeadline } from './withinDeadline.js';

/** Each statement sees what was committed before it, whatever the server's own default is. */
const BEGIN = 'BEGIN ISOLATION LEVEL READ COMMITTED';

interface TransactionContext {
  /** A connection that nobody else uses until it is released. Rejects with EdgeError. */
  connect(): Promise<PoolClient>;
  release(client: PoolClient, isReusable: boolean): void;
  /** Called once there is a connection. */
  onConnect(): void;
  readonly turns: KeyTurns;
  readonly nowMs: string;
  readonly statements: PreparedStatements;
  readonly clock: Clock;
  /** How long to wait for the answer to COMMIT or ROLLBACK, in ms. */
  readonly commitMs: number;
}

/**
 * One attempt of a transaction, on a connection that it has to itself. It begins, and takes the connection, with its first statement; where
 * that is a lock, it waits first for those of this process that want the same one.
 */
export class PostgresTransaction implements Transaction {
  readonly dialect = 'postgres';
  /** The first failure of the connection or of a statement: all of the transaction is undone. */
  fault: PostgresFault | undefined;
  private readonly hooks: (() => void)[] = [];
  private readonly locks = new Set<string>();
  private client: PoolClient | undefined;
  private endTurn: () => void = () => undefined;
  private hasBegun = false;
  private isOver = false;
  private isReleased = false;
  /** Settles when everything that was sent is answered. Statements go one after the other. */
  private answered: Promise<unknown> = Promise.resolve();

  constructor(private readonly context: TransactionContext) {}

  get nowMs(): string {
    return this.context.nowMs;
  }

  async query(sql: string, values: readonly StoredValue[] = []): Promise<readonly StoredRow[]> {
    this.mustRun();
    return this.inOrder(async () => {
      const client = await this.begun(BEGIN);
      const { rows } = await client.query<StoredRow>(this.context.statements.of(sql, values));
      return rows;
    });
  }

  async lock(key: string): Promise<void> {
    this.mustRun();
    await this.inOrder(async () => {
      // It is held until the end of the transaction.
      if (this.locks.has(key)) return;
      if (this.client === undefined) {
        await this.takeTurn(key);
        // Begun and locked in one round trip.
        await this.begun(`${BEGIN}; ${lockOf(literal(key))}`);
      } else await this.client.query(this.context.statements.of(lockOf('$1'), [storableText(key)]));
      this.locks.add(key);
    });
  }

  afterCommit(run: () => void): void {
    this.mustRun();
    this.hooks.push(run);
  }

  /** Gives back its connection and its turn. Idempotent. */
  release(): void {
    this.isReleased = true;
    const { client } = this;
    this.client = undefined;
    if (client !== undefined)
      this.context.release(client, this.fault === undefined || this.fault.connection === 'kept');
    this.endTurn();
  }

  /** Ends the connection at once, because its work took too long: its statements reject. */
  abandon(): void {
    this.isOver = true;
    this.fault ??= { error: tookTooLong(), mayRepeat: false, connection: 'gone' };
    if (this.client !== undefined) destroy(this.client);
  }

  /** Makes it durable; gives what is to be called then. Rejects with EdgeError, `commit_unknown` if there was no answer. */
  async commit(): Promise<readonly (() => void)[]> {
    this.isOver = true;
    await this.answered;
    if (this.fault !== undefined) throw this.fault.error;
    if (!this.hasBegun || this.client === undefined) return this.hooks;
    let command: string;
    try {
      command = await this.finish(this.client, 'COMMIT');
    } catch (cause) {
      this.fault = commitFault(cause);
      throw this.fault.error;
    }
    // The answer to COMMIT where a statement had failed.
    if (command !== 'COMMIT') throw new EdgeError('internal', `The answer to COMMIT was ${command}.`);
    return this.hooks;
  }

  /** Undoes all of it, which the server does by itself where the connection is gone. Never rejects. */
  async undo(): Promise<void> {
    this.isOver = true;
    if (!this.hasBegun || this.client === undefined || this.fault?.connection === 'gone') return;
    try {
      await this.finish(this.client, 'ROLLBACK');
    } catch (cause) {
      this.fault = { ...postgresFault(cause), mayRepeat: this.fault?.mayRepeat ?? false, connection: 'gone' };
    }
  }

  /** It took too long while a turn or a connection was waited for: that comes for nobody. */
  private get isGivenUp(): boolean {
    return this.isReleased || this.fault !== undefined;
  }

  /** The connection, once the transaction has begun on it by this statement, unless it had. */
  private async begun(text: string): Promise<PoolClient> {
    if (this.client !== undefined) return this.client;
    const client = await this.context.connect();
    if (this.isGivenUp) {
      this.context.release(client, true);
      throw tookTooLong();
    }
    this.client = client;
    this.context.onConnect();
    this.hasBegun = true;
    await client.query(text);
    return client;
  }

  private async takeTurn(key: string): Promise<void> {
    this.endTurn = await this.context.turns.take(key);
    if (!this.isGivenUp) return;
    this.endTurn();
    throw tookTooLong();
  }

  private async inOrder<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.answered.then(() => {
      // What was sent behind a failed statement has no effect any more.
      if (this.fault !== undefined) throw this.fault.error;
      return run();
    });
    const noted = turn.catch((cause: unknown) => {
      this.fault ??= postgresFault(cause);
      throw this.fault.error;
    });
    this.answered = noted.catch(() => undefined);
    return noted;
  }

  private async finish(client: PoolClient, statement: 'COMMIT' | 'ROLLBACK'): Promise<string> {
    const { clock, commitMs } = this.context;
    const { command } = await withinDeadline(clock, commitMs, client.query(statement), () => {
      destroy(client);
      return new Error(`no answer to ${statement} within ${commitMs} ms`);
    });
    return command;
  }

  private mustRun(): void {
    if (!this.isOver) return;
    throw new EdgeError('internal', 'The transaction is over.');
  }
}

/** Of the keys of the gateway; a hash, because a lock is a number. Two keys of one hash wait for one another, and no more. */
const lockOf = (key: string) => `SELECT pg_advisory_xact_lock(hashtextextended(${key}, 0))`;

const tookTooLong = () => new EdgeError('storage_unavailable', 'The work of a transaction took too long.');

function commitFault(cause: unknown): PostgresFault {
  const fault = postgresFault(cause);
  if (fault.connection !== 'gone') return fault;
  const error = new EdgeError(
    'commit_unknown',
    'The connection to the database was lost in a commit: all of it was written or nothing.',
    'Ask again under the same id: what was done is not done again.',
    { cause },
  );
  return { error, mayRepeat: false, connection: 'gone' };
}
