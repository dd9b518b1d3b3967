import type { PoolClient } from 'pg';
import { EdgeError } from '../../errors.js';
import type { Clock } from '../../system/clock.js';
import type { StoredRow, StoredValue, Transaction } from './GatewayDatabase.js';
import { destroy, literal, type PreparedStatements } from './PostgresClient.js';
import { type PostgresFault, postgresFault } from './postgresFault.js';
import { storableText } from './storable.js';
import { withinDeadline } from './withinDeadline.js';

/** Each statement sees what was committed before it, whatever the server's own default is. */
const BEGIN = 'BEGIN ISOLATION LEVEL READ COMMITTED';

interface TransactionContext {
  readonly nowMs: string;
  readonly statements: PreparedStatements;
  readonly clock: Clock;
  /** How long to wait for the answer to COMMIT or ROLLBACK, in ms. */
  readonly commitMs: number;
}

/** One attempt of a transaction, on a connection that it has to itself. It begins with its first statement. */
export class PostgresTransaction implements Transaction {
  readonly dialect = 'postgres';
  /** The first failure of the connection or of a statement: all of the transaction is undone. */
  fault: PostgresFault | undefined;
  private readonly hooks: (() => void)[] = [];
  private hasBegun = false;
  private isOver = false;
  /** Settles when everything that was sent is answered. Statements go one after the other. */
  private answered: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly client: PoolClient,
    private readonly context: TransactionContext,
  ) {}

  get nowMs(): string {
    return this.context.nowMs;
  }

  async query(sql: string, values: readonly StoredValue[] = []): Promise<readonly StoredRow[]> {
    this.mustRun();
    return this.inOrder(async () => {
      if (!this.hasBegun) await this.begin(BEGIN);
      const { rows } = await this.client.query<StoredRow>(this.context.statements.of(sql, values));
      return rows;
    });
  }

  async lock(key: string): Promise<void> {
    this.mustRun();
    await this.inOrder(async () => {
      // Begun and locked in one round trip.
      if (!this.hasBegun) return this.begin(`${BEGIN}; ${lockOf(literal(key))}`);
      return void (await this.client.query(this.context.statements.of(lockOf('$1'), [storableText(key)])));
    });
  }

  afterCommit(run: () => void): void {
    this.mustRun();
    this.hooks.push(run);
  }

  /** Whether the connection may serve another transaction. */
  get isReusable(): boolean {
    return this.fault === undefined || this.fault.connection === 'kept';
  }

  /** Ends the connection at once, because its work took too long: its statements reject. */
  abandon(): void {
    this.isOver = true;
    const error = new EdgeError('storage_unavailable', 'The work of a transaction took too long.');
    this.fault ??= { error, mayRepeat: false, connection: 'gone' };
    destroy(this.client);
  }

  /** Makes it durable; gives what is to be called then. Rejects with EdgeError, `commit_unknown` if there was no answer. */
  async commit(): Promise<readonly (() => void)[]> {
    this.isOver = true;
    await this.answered;
    if (this.fault !== undefined) throw this.fault.error;
    if (!this.hasBegun) return this.hooks;
    let command: string;
    try {
      command = await this.finish('COMMIT');
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
    if (!this.hasBegun || this.fault?.connection === 'gone') return;
    try {
      await this.finish('ROLLBACK');
    } catch (cause) {
      this.fault = { ...postgresFault(cause), mayRepeat: this.fault?.mayRepeat ?? false, connection: 'gone' };
    }
  }

  private async begin(text: string): Promise<void> {
    this.hasBegun = true;
    await this.client.query(text);
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

  private async finish(statement: 'COMMIT' | 'ROLLBACK'): Promise<string> {
    const { clock, commitMs } = this.context;
    const { command } = await withinDeadline(clock, commitMs, this.client.query(statement), () => {
      destroy(this.client);
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
