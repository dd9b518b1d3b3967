/** A real PostgreSQL server in a directory of its own, which ends with its owner, however that dies. */
export class PostgresServer {
  private constructor();
  /** `directory` does not exist yet; others may enter its parents. `owner`: a process id (this process). Rejects if it does not start. */
  static start(directory: string, owner?: number): Promise<PostgresServer>;
  readonly directory: string;
  readonly port: number;
  /** The URL of a database of this name (`postgres`). */
  urlOf(database?: string): string;
  /** Starts it again, on the same port and with the same data. */
  restart(owner?: number): Promise<void>;
  /** Ends it at once, as a crash would. What it has confirmed is there after `restart`. */
  crash(): Promise<void>;
  /** Ends it and removes its directory. Idempotent. */
  end(): Promise<void>;
}
