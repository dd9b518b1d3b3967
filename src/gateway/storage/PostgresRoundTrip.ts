import type { Connection, FieldDef, PoolClient, Submittable } from 'pg';
import type { StoredRow, StoredValue } from './GatewayDatabase.js';
import { exactNumber } from './storable.js';

/** A statement as it is sent. `name`: what the connection keeps it prepared under; empty: it is parsed each time. */
export interface SentStatement {
  readonly text: string;
  readonly values: readonly StoredValue[];
  readonly name: string;
}

/**
 * The result of a statement. `command`: the server's name for it, as in `COMMIT`. `mistake`: a value of it cannot be
 * stored unchanged.
 */
interface StatementResult {
  readonly rows: readonly StoredRow[];
  readonly command: string;
  readonly mistake: unknown;
}

/**
 * Runs statements one after the other on a connection, in one round trip. After one that fails the server runs none of those behind it, not
 * even a COMMIT. Rejects with its error, or with that of the connection. `refused` is called before that where the server itself reports the
 * error, with the index of the statement that failed.
 */
export function inOneRoundTrip(
  client: PoolClient,
  statements: readonly SentStatement[],
  refused: (index: number) => void = () => undefined,
): Promise<readonly StatementResult[]> {
  return new Promise((resolve, reject) => {
    client.query(new RoundTrip(statements, refused, resolve, reject));
  });
}

/** What each connection has prepared, by name, each with the columns of its rows; undefined: they are not known yet. */
const prepared = new WeakMap<Connection, Map<string, readonly FieldDef[] | undefined>>();

/** The driver gives it the connection when its turn comes, and then what the server answers until it is ready again. */
class RoundTrip implements Submittable {
  private readonly results: StatementResult[] = [];
  /** The names of what the server is yet to parse, in their order. */
  private readonly parsing: string[] = [];
  private known = new Map<string, readonly FieldDef[] | undefined>();
  /** Of the statement whose result comes next; undefined until the server describes it, where it was asked to. */
  private fields: readonly FieldDef[] | undefined;
  private rows: StoredRow[] = [];
  private mistake: unknown;
  private hasFailed = false;
  private stopCounting: () => void = () => undefined;

  constructor(
    private readonly statements: readonly SentStatement[],
    private readonly refused: (index: number) => void,
    private readonly resolve: (results: readonly StatementResult[]) => void,
    private readonly reject: (error: Error) => void,
  ) {}

  // A field, because the driver's type of it is one.
  readonly submit = (connection: Connection): void => {
    this.known = prepared.get(connection) ?? this.known;
    prepared.set(connection, this.known);
    const parsed = () => {
      const name = this.parsing.shift();
      if (name) this.known.set(name, undefined);
    };
    connection.on('parseComplete', parsed);
    this.stopCounting = () => connection.off('parseComplete', parsed);
    connection.stream.cork();
    try {
      for (const statement of this.statements) this.send(connection, statement);
      // The server answers to it, whatever failed before.
      connection.sync();
    } finally {
      connection.stream.uncork();
    }
  };

  handleRowDescription({ fields }: { fields: readonly FieldDef[] }): void {
    this.fields = fields;
  }

  handleDataRow({ fields: values }: { fields: readonly (string | null)[] }): void {
    try {
      this.fields ??= this.known.get(this.current?.name ?? '');
      this.rows.push(
        Object.fromEntries(
          (this.fields ?? []).map(({ name, dataTypeID }, index) => [
            name,
            storedValue(values[index] ?? null, dataTypeID),
          ]),
        ),
      );
    } catch (mistake) {
      this.mistake ??= mistake;
    }
  }

  handleCommandComplete({ text }: { text: string }): void {
    const { name = '' } = this.current ?? {};
    if (this.known.has(name)) this.known.set(name, this.fields ?? this.known.get(name) ?? []);
    this.results.push({ rows: this.rows, command: text.split(' ', 1)[0] ?? '', mistake: this.mistake });
    this.fields = undefined;
    this.rows = [];
    this.mistake = undefined;
  }

  handleError(error: Error): void {
    this.hasFailed = true;
    this.stopCounting();
    // With the place in its source. A pooler that lost the server has an error of its own, and does not know what ran.
    if ('routine' in error && typeof error.routine === 'string') this.refused(this.results.length);
    this.reject(error);
  }

  handleReadyForQuery(): void {
    if (this.hasFailed) return;
    this.stopCounting();
    this.resolve(this.results);
  }

  /** The statement whose result comes next. */
  private get current(): SentStatement | undefined {
    return this.statements[this.results.length];
  }

  private send(connection: Connection, { text, values, name }: SentStatement): void {
    if (name === '' || !(this.known.has(name) || this.parsing.includes(name))) {
      connection.parse({ name, text, types: [] }, true);
      this.parsing.push(name);
    }
    connection.bind({ statement: name, values: values.map(onTheWire) }, true);
    // The columns of a prepared statement stay: the server refuses it where they have changed.
    if (this.known.get(name) === undefined) connection.describe({ type: 'P', name: '' }, true);
    connection.execute(null, true);
  }
}

const onTheWire = (value: StoredValue) => (typeof value === 'number' ? String(value) : value);

/** The names of columns' types (pg_type.dat) whose values are numbers here. */
const NUMBERS: ReadonlySet<number> = new Set([20, 21, 23, 26, 700, 701, 1700]);
const BOOLEAN = 16;
const BYTES = 17;

/** A value as SQLite gives it: numbers as numbers, a boolean as 0 or 1, bytes as a Buffer, everything else as its text. */
function storedValue(text: string | null, type: number): StoredValue {
  if (text === null) return null;
  if (NUMBERS.has(type)) return exactNumber(Number(text));
  if (type === BOOLEAN) return text === 't' ? 1 : 0;
  if (type === BYTES) return Buffer.from(text.slice(2), 'hex');
  return text;
}
