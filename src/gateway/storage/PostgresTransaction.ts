import type { PoolClient } from 'pg';
import { EdgeError } from '../../errors.js';
import type { Clock } from '../../system/clock.js';
import type { StoredRow, StoredValue, Transaction, Urgency } from './GatewayDatabase.js';
import type { KeyTurns } from './KeyTurns.js';
import { destroy, type PreparedStatements } from './PostgresClient.js';
import { inOneRoundTrip, type SentStatement } from './PostgresRoundTrip.js';
import { type PostgresFault, postgresFault } from './postgresFault.js';
import { storableText } from './storable.js';

/** Each statement sees what was committed before it, whatever the server's own default is. */
const BEGIN: SentStatement = { text: 'BEGIN ISOLATION LEVEL READ COMMITTED', values: [], name: 'BEGIN' };
const COMMIT: SentStatement = { text: 'COMMIT', values: [], name: 'COMMIT' };
const ROLLBACK: SentStatement = { text: 'ROLLBACK', values: [], name: 'ROLLBACK' };

/** Of the keys of the gateway; a hash, because a lock is a number. Two keys of one hash wait for one another, and no more. */
const LOCK = 'SELECT pg_advisory_xact_lock(hashtextextended($1, 0))';

interface TransactionContext {
  /** An exclusive connection until it is released. Rejects with EdgeError. */
  connect(): Promise<PoolClient>;
  release(client: PoolClient, isReusable: boolean): void;
  /** Called once there is a connection. */
  onConnect(): void;
  readonly turns: KeyTurns;
  readonly urgency: Urgency;
  readonly nowMs: string;
  readonly statements: PreparedStatements;
  readonly clock: Clock;
  /** How long to wait for the answer to COMMIT or ROLLBACK, in ms. */
  readonly commitMs: number;
}

/** A statement that was asked for, and is not answered yet. */
interface Asked {
  readonly statement: SentStatement;
  readonly resolve: (rows: readonly StoredRow[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * One attempt of a transaction, on a connection that it has to itself. It begins, and takes the connection, with its first statement; where
 * that is a lock, it waits first for those of this process that want the same one. Statements go in the order in which they were asked for;
 * those that are asked for while none can be sent, or in one turn, go in one round trip, the first with BEGIN and the last with COMMIT.
 */
export class PostgresTransaction implements Transaction {
  readonly dialect = 'postgres';
  /** The first failure of the connection or of a statement: all of the transaction is undone. */
  fault: PostgresFault | undefined;
  private readonly hooks: (() => void)[] = [];
  private readonly locks = new Set<string>();
  private client: PoolClient | undefined;
  private connecting: Promise<PoolClient | undefined> | undefined;
  private endTurn: () => void = () => undefined;
  private hasBegun = false;
  private isOver = false;
  private isReleased = false;
  private asked: Asked[] = [];
  private isSending = false;
  /** Settles when what is asked for next may be queued: a lock waits for its turn first. */
  private queued: Promise<unknown> = Promise.resolve();

  constructor(private readonly context: TransactionContext) {}

  get nowMs(): string {
    return this.context.nowMs;
  }

  query(sql: string, values: readonly StoredValue[] = []): Promise<readonly StoredRow[]> {
    return handled(this.inOrder(() => this.ask(this.context.statements.of(sql, values))));
  }

  lock(key: string): Promise<void> {
    return handled(this.takeLock(key));
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
    await this.queued;
    if (this.fault !== undefined) throw this.fault.error;
    if (!this.hasBegun && this.asked.length === 0) return this.hooks;
    const committed = handled(this.ask(COMMIT));
    // Where nothing of it was waited for there may be none yet, for which it waits as long as any other.
    await this.connected();
    await this.withinCommitTime(committed);
    return this.hooks;
  }

  /** Rolls it back, which the server does on its own if the connection is lost. Never rejects. */
  async undo(): Promise<void> {
    this.isOver = true;
    const fault = this.fail({ error: undone(), mayRepeat: false, connection: 'kept' });
    const { client } = this;
    if (!this.hasBegun || client === undefined || fault.connection === 'gone') return;
    try {
      await this.withinCommitTime(inOneRoundTrip(client, [ROLLBACK]));
    } catch (cause) {
      this.fault = { ...postgresFault(cause), mayRepeat: fault.mayRepeat, connection: 'gone' };
    }
  }

  /** It timed out while it waited for a turn or a connection, which is then given back. */
  private get isGivenUp(): boolean {
    return this.isReleased || this.fault !== undefined;
  }

  private async takeLock(key: string): Promise<void> {
    // It is held until the end of the transaction.
    const isHeld = this.locks.has(key);
    const isFirst = this.locks.size === 0;
    this.locks.add(key);
    if (isHeld) this.mustRun();
    else
      await this.inOrder(
        () => this.ask(this.context.statements.of(LOCK, [storableText(key)])),
        () => (isFirst && !this.hasBegun ? this.takeTurn(key) : undefined),
      );
  }

  private async takeTurn(key: string): Promise<void> {
    this.endTurn = await this.context.turns.take(key, this.context.urgency);
    if (!this.isGivenUp) return;
    this.endTurn();
    throw tookTooLong();
  }

  /** `ask` is called behind what was asked for before it, and behind `before`. */
  private async inOrder<T>(
    ask: () => Promise<T>,
    before: () => Promise<void> | undefined = () => undefined,
  ): Promise<T> {
    this.mustRun();
    const place = this.queued.then(before).then(() => ({ answer: ask() }));
    this.queued = place.then(
      ({ answer }) => void answer.catch(() => undefined),
      (cause: unknown) => this.fail(postgresFault(cause)),
    );
    return place.then(({ answer }) => answer);
  }

  private ask(statement: SentStatement): Promise<readonly StoredRow[]> {
    // What was asked for behind a failed statement has no effect any more.
    if (this.fault !== undefined) return Promise.reject(this.fault.error);
    return new Promise((resolve, reject) => {
      this.asked.push({ statement, resolve, reject });
      if (this.isSending) return;
      this.isSending = true;
      // Behind what else this turn asks for.
      process.nextTick(() => void this.sendAll());
    });
  }

  private async sendAll(): Promise<void> {
    while (this.asked.length > 0 && this.fault === undefined) {
      const client = await this.connected();
      const group = client === undefined ? [] : this.asked.splice(0);
      if (client !== undefined) await this.send(client, group);
    }
    this.isSending = false;
  }

  private async send(client: PoolClient, group: readonly Asked[]): Promise<void> {
    const statements = group.map(({ statement }) => statement);
    const first = this.hasBegun ? [] : [BEGIN];
    this.hasBegun = true;
    const sent = [...first, ...statements];
    let mayBeCommitted = statements.includes(COMMIT);
    // A server that ends the connection may say so at a statement before the COMMIT.
    const refused = (index: number) => {
      mayBeCommitted &&= index >= sent.indexOf(COMMIT);
    };
    try {
      const results = (await inOneRoundTrip(client, sent, refused)).slice(first.length);
      for (const [index, { resolve, reject, statement }] of group.entries()) {
        const { rows = [], command, mistake } = results[index] ?? {};
        // The answer to COMMIT where a statement had failed.
        if (statement === COMMIT && command !== 'COMMIT')
          throw new EdgeError('internal', `The answer to COMMIT was ${command}.`);
        if (mistake === undefined) resolve(rows);
        else {
          if (!statements.includes(COMMIT)) this.fail(postgresFault(mistake));
          reject(mistake);
        }
      }
    } catch (cause) {
      const { error } = this.fail(mayBeCommitted ? commitFault(cause) : postgresFault(cause));
      for (const { reject } of group) reject(error);
    }
  }

  /** The connection, which is acquired for the first statement; undefined if none is available. */
  private connected(): Promise<PoolClient | undefined> {
    this.connecting ??= this.connect();
    return this.connecting;
  }

  private async connect(): Promise<PoolClient | undefined> {
    try {
      const client = await this.context.connect();
      if (this.isGivenUp) {
        this.context.release(client, true);
        throw tookTooLong();
      }
      this.client = client;
      this.context.onConnect();
      return client;
    } catch (cause) {
      this.fail(postgresFault(cause));
      return undefined;
    }
  }

  /** What was not sent is not sent any more. Gives the first fault. */
  private fail(fault: PostgresFault): PostgresFault {
    this.fault ??= fault;
    for (const { reject } of this.asked.splice(0)) reject(this.fault.error);
    return this.fault;
  }

  /** Ends the connection where its answer takes too long: what waits for it rejects. */
  private async withinCommitTime(answer: Promise<unknown>): Promise<void> {
    const { clock, commitMs } = this.context;
    const timer = clock.after(commitMs, () => {
      if (this.client !== undefined) destroy(this.client);
    });
    try {
      await answer;
    } finally {
      timer.cancel();
    }
  }

  private mustRun(): void {
    if (!this.isOver) return;
    throw new EdgeError('internal', 'The transaction is over.');
  }
}

/** If no one waits for it, the commit reports its failure. */
function handled<T>(answer: Promise<T>): Promise<T> {
  answer.catch(() => undefined);
  return answer;
}

const undone = () => new EdgeError('internal', 'The transaction was undone.');

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
