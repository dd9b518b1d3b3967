import { EdgeError } from '../../errors.js';
import { NOTIFY_LIMIT_BYTES, type StoredRow, type StoredValue } from './GatewayDatabase.js';

/** The replacement for a character that a database cannot store, as in HTML and Markdown. */
const REPLACEMENT = '\uFFFD';

/** A text as every engine keeps it: without U+0000 and lone surrogates. */
export function storableText(text: string): string {
  const wellFormed = text.isWellFormed() ? text : text.toWellFormed();
  return wellFormed.includes('\0') ? wellFormed.replaceAll('\0', REPLACEMENT) : wellFormed;
}

function storable(values: readonly StoredValue[]): StoredValue[] {
  return values.map((value) => {
    if (typeof value === 'string') return storableText(value);
    if (typeof value === 'number' && !isExact(value)) {
      throw new EdgeError('internal', `The number ${value} cannot be stored exactly.`);
    }
    return value;
  });
}

const isExact = (value: number) =>
  Number.isInteger(value) ? Number.isSafeInteger(value) : Number.isFinite(value);

/** A number that was read. Throws EdgeError `internal` if it has lost its last digits. */
export function exactNumber(value: number): number {
  if (isExact(value)) return value;
  throw new EdgeError('internal', 'A number in the database is larger than 2^53 - 1.');
}

const PARAMETER = /\$(\d+)/g;

/**
 * The values of a statement that has so many parameters, as both engines keep them. Throws EdgeError `internal` for a wrong number of
 * them, and for a number that an engine would change.
 */
export function storableFor(sql: string, parameters: number, values: readonly StoredValue[]): StoredValue[] {
  if (values.length === parameters) return storable(values);
  throw new EdgeError('internal', `${values.length} values for ${parameters} parameters: ${sql}`);
}

/** How many parameters a statement has: the largest number after a `$`. */
export function parameterCount(sql: string): number {
  return Math.max(0, ...[...sql.matchAll(PARAMETER)].map(([, number]) => Number(number)));
}

/** Throws EdgeError `internal` for what writes, so far as its words show. */
export function mustRead(sql: string): void {
  if (/^\s*(SELECT|WITH|VALUES|EXPLAIN)\b/i.test(sql) && !/\b(INSERT|UPDATE|DELETE)\b/i.test(sql)) return;
  throw new EdgeError('internal', `A statement that writes needs a transaction: ${sql}`);
}

/** Throws EdgeError `internal` for a notification that an engine would refuse or change. */
export function checkNotification(channel: string, payload = ''): void {
  if (!/^[a-z][a-z0-9_]{0,59}$/.test(channel)) {
    throw new EdgeError('internal', `"${channel}" is no name of a channel.`);
  }
  const bytes = Buffer.byteLength(payload);
  if (bytes <= NOTIFY_LIMIT_BYTES) return;
  throw new EdgeError(
    'internal',
    `A notification of ${bytes} bytes is over the limit of ${NOTIFY_LIMIT_BYTES}.`,
  );
}

/** Throws EdgeError `internal` if a column of the statement has capitals: PostgreSQL gives it in lower case unless it is quoted. */
export function checkColumns(sql: string, columns: readonly string[]): void {
  const name = columns.find((column) => column !== column.toLowerCase() && !sql.includes(`"${column}"`));
  if (name === undefined) return;
  throw new EdgeError('internal', `The column ${name} has to be lower case or quoted: ${sql}`);
}

/** Throws EdgeError `internal` if the statement has a bare parameter for its LIMIT: SQLite would prepare it again each time it runs. */
export function checkLimit(sql: string): void {
  if (/\bLIMIT\s+\$/i.test(sql)) throw new EdgeError('internal', `The LIMIT needs a CAST: ${sql}`);
}

/** The one row of a statement that gives exactly one. Throws EdgeError `internal` otherwise. */
export function onlyRow(rows: readonly StoredRow[]): StoredRow {
  const [row] = rows;
  if (row !== undefined && rows.length === 1) return row;
  throw new EdgeError('internal', `A statement gave ${rows.length} rows instead of one.`);
}
