/**
 * What a statement is given and what a row consists of. Numbers are integers up to 2^53 - 1 (BIGINT) or finite fractions; anything else is
 * refused. A boolean is 0 or 1. In a text, U+0000 and lone surrogates become U+FFFD on the way in (`storable`): PostgreSQL keeps neither,
 * and what one engine finds again the other has to find too. Text whose every character matters is stored as JSON, which escapes them.
 */
export type StoredValue = string | number | null | Buffer;

/** A row by the names of its columns. What is in it is checked by the reader (zod), like everything from outside. */
export type StoredRow = Readonly<Record<string, unknown>>;

export type Dialect = 'sqlite' | 'postgres';

/**
 * Statements in the SQL that SQLite (3.45 and newer) and PostgreSQL (14 and newer) both take, one at a time, with parameters `$1` … `$n`.
 * Names of columns are lower case. What differs:
 * - a parameter that is not compared with a column or stored in one needs a type: `CAST($1 AS BIGINT)`, and so does a LIMIT:
 *   SQLite would plan a statement again each time it is given a number for a bare one;
 * - INTEGER has 32 bits in PostgreSQL, so times and counters are BIGINT; a comparison (`a > b`) gives 0 or 1 in both;
 * - text sorts by its bytes in SQLite, by the database's collation in PostgreSQL: nothing is to depend on the order of texts;
 * - `LIKE` heeds upper and lower case in both.
 */
export interface Queries {
  /** For the few statements that are impossible in one text for both. */
  readonly dialect: Dialect;

  /**
   * An expression for the time of the database in Unix ms. For leases alone: the clocks of two replicas may be a minute apart, and this
   * one is the same for both. Every other time is the caller's, as a parameter.
   */
  readonly nowMs: string;

  /** The rows that the statement gives (`SELECT`, `RETURNING`); none for any other. Rejects as `transaction` does. */
  query(sql: string, values?: readonly StoredValue[]): Promise<readonly StoredRow[]>;
}

/**
 * What goes first where many wait: `usual` is new work, `soon` what agents' sockets and syncs bring, and who they are, `lease` a lease, which
 * has a connection to PostgreSQL kept for it.
 */
export type Urgency = 'lease' | 'soon' | 'usual';

/**
 * A transaction while its work runs. Once that has returned, every call is refused.
 *
 * Its statements run in the order in which they are asked for, awaited or not; those that are asked for in one turn go to PostgreSQL in one
 * round trip. So a statement of which nothing is needed is not awaited (`void`): it goes with the next one, or with the commit, which fails
 * with it.
 */
export interface Transaction extends Queries {
  /**
   * Waits until no other transaction holds this key, and holds it until the end: orders what is written for one agent. Call it first, so
   * that the statements behind it see what the others wrote, and so that who waits for it holds no connection. Free in SQLite, where
   * there is one writer.
   */
  lock(key: string): Promise<void>;

  /** `run` is called once this transaction is durable, never if it is undone or its outcome unknown. It must not throw. */
  afterCommit(run: () => void): void;
}

/**
 * The gateway's database. `query` outside of a transaction only reads, and sees nothing that is not durable.
 * No call waits without end: each has a deadline, after which it rejects with `storage_unavailable`.
 */
export interface GatewayDatabase extends Queries {
  /** The same reads, before the usual ones that wait. */
  readonly soon: Queries;

  /** How long the usual transaction has waited that waits the longest for the database, in ms; 0: none waits. */
  readonly waitingMs: number;

  /**
   * Runs `work` as one durable step: when it resolves, all that `work` wrote is on the disk; when it rejects, nothing is, but for
   * `commit_unknown`. A statement that failed undoes the whole transaction, even if `work` caught its error.
   *
   * `work` awaits nothing but its transaction, and has no effect outside of it: it runs again after a deadlock, a serialization failure or
   * a lost connection, and others may be waiting behind it. Two statements of it may see different states of what others write
   * (READ COMMITTED), unless a `lock` that all of them take keeps them apart. It must not start another transaction.
   *
   * Rejects with what `work` threw, or with EdgeError `storage_unavailable`, `storage_read_only`, `disk_full`, `store_damaged` (nothing
   * was written), `commit_unknown` (the connection was lost during COMMIT: all of it was written or nothing) or `internal` (a statement
   * that is wrong).
   */
  transaction<T>(work: (transaction: Transaction) => Promise<T>, urgency?: Urgency): Promise<T>;

  /**
   * Notifies every connected listener of the channel, here and on other replicas; best effort. In a separate
   * transaction, to be called after the durable one (`afterCommit`): in PostgreSQL a commit with a notification in it
   * takes a lock of the whole server. Rejects with `storage_unavailable`, or `internal` for a bad channel or a payload
   * over `NOTIFY_LIMIT_BYTES`.
   */
  notify(channel: string, payload: string): Promise<void>;

  /**
   * Calls `heard` for each notification of the channel (`[a-z0-9_]`, at most 60), in the order of each sender, from
   * when the promise resolves until the returned function is called. `missed` is called after each lost connection:
   * notifications may have been lost too. Neither may throw. Rejects with `storage_unavailable` if there is no
   * connection in time.
   */
  listen(channel: string, received: (payload: string) => void, missed: () => void): Promise<StopListening>;

  /** Finishes what has begun, refuses what comes, and lets go of file or connections. Idempotent. */
  close(): Promise<void>;
}

export type StopListening = () => Promise<void>;

/** PostgreSQL takes payloads of less than 8000 bytes (postgresql.org/docs/current/sql-notify.html). */
export const NOTIFY_LIMIT_BYTES = 7_999;
