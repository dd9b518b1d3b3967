import type { Client, PoolConfig } from 'pg';
import type { StoredValue } from './GatewayDatabase.js';
import type { SentStatement } from './PostgresRoundTrip.js';
import { parameterCount, storableFor } from './storable.js';

/** What a connection is made with. */
export interface ConnectSettings {
  /** `postgres://user:password@host:port/database?sslmode=…` */
  url: string;
  /** How long to wait for a connection, in ms. */
  connectMs: number;
  /** How long a statement may run, and a transaction be idle, on the server, in ms. */
  statementMs: number;
  /** How long a statement waits for a lock, in ms. */
  lockMs: number;
}

/** The options of the driver for a connection of the gateway. */
export function clientConfig({ url, connectMs, statementMs, lockMs }: ConnectSettings): PoolConfig {
  return {
    connectionString: url,
    application_name: 'edge-agent-gateway',
    connectionTimeoutMillis: connectMs,
    statement_timeout: statementMs,
    idle_in_transaction_session_timeout: statementMs,
    lock_timeout: lockMs,
    keepAlive: true,
  };
}

/** The statements of the program, each prepared once in each connection under its own name. */
export class PreparedStatements {
  private readonly known = new Map<string, { name: string; parameters: number }>();

  /** What is sent. Throws EdgeError `internal` as `storableFor` does. */
  of(sql: string, values: readonly StoredValue[]): SentStatement {
    const known = this.known.get(sql);
    const parameters = known?.parameters ?? parameterCount(sql);
    const statement = { text: sql, values: storableFor(sql, parameters, values) };
    if (known !== undefined) return { ...statement, name: known.name };
    // What was put together at run time, such as a list: the server would keep each length of it for ever.
    if (parameters > MOST_PARAMETERS || this.known.size >= KEPT_STATEMENTS) return { ...statement, name: '' };
    const name = `s${this.known.size}`;
    this.known.set(sql, { name, parameters });
    return { ...statement, name };
  }
}

const KEPT_STATEMENTS = 500;
const MOST_PARAMETERS = 24;

/** Ends a connection at once, whatever it is doing: what runs on it rejects. */
export function destroy(client: Client): void {
  client.connection.stream.destroy();
}
