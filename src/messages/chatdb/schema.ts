import type { Database } from 'better-sqlite3';
import { INPUT_LIMITS } from '../../system/inputLimits.js';

const TABLES = [
  'message',
  'chat',
  'handle',
  'attachment',
  'chat_message_join',
  'chat_handle_join',
  'message_attachment_join',
] as const;

/** What is read of them beyond columns asked for by name. Without these tables messages can still be read. */
const OPTIONAL = {
  attachment: '(ROWID INTEGER PRIMARY KEY, guid TEXT)',
  chat_handle_join: '(chat_id INTEGER, handle_id INTEGER)',
  message_attachment_join: '(message_id INTEGER, attachment_id INTEGER)',
} as const;

export type Table = (typeof TABLES)[number];

/**
 * What one opened chat.db has. Columns come and go with the macOS version and with the machine's history of
 * upgrades (docs/facts.md#tables), so every column is asked for by name, and one that is not there reads as NULL.
 */
export class Schema {
  private constructor(private readonly columns: ReadonlyMap<Table, ReadonlySet<string>>) {}

  /** Reads it by `PRAGMA table_info`. Throws SqliteError, as any first read of a file that is no database does. */
  static read(database: Database): Schema {
    return new Schema(
      new Map(
        TABLES.map((table) => {
          const info = database.pragma(`table_info(${table})`) as { name: string }[];
          return [table, new Set(info.map((column) => column.name))];
        }),
      ),
    );
  }

  /** The tables without which nothing can be read; empty where all are there. */
  missingTables(): Table[] {
    return TABLES.filter((table) => this.columns.get(table)?.size === 0);
  }

  has(table: Table, column: string): boolean {
    return this.columns.get(table)?.has(column) ?? false;
  }

  /** `m.error` or `NULL`: an expression that is valid whether the column exists or not. */
  column(table: Table, alias: string, column: string): string {
    return this.has(table, column) ? `${alias}.${column}` : 'NULL';
  }

  /** The same for a text column: any other value (SQLite accepts anything in any column) reads as NULL. */
  text(table: Table, alias: string, column: string): string {
    return this.typed('text', table, alias, column);
  }

  /** The same, of which no more than so many characters are read. */
  textUpTo(most: number, table: Table, alias: string, column: string): string {
    return this.typed('text', table, alias, column, most);
  }

  /** The same of a column for bytes, of which no more than `most` are read: of a body one more than is parsed, so that it shows as too large. */
  bytes(table: Table, alias: string, column: string, most: number = INPUT_LIMITS.messageBody + 1): string {
    return this.typed('blob', table, alias, column, most);
  }

  private typed(type: 'text' | 'blob', table: Table, alias: string, column: string, most?: number): string {
    if (!this.has(table, column)) return 'NULL';
    const name = `${alias}.${column}`;
    if (most === undefined) return `CASE WHEN typeof(${name}) = '${type}' THEN ${name} END`;
    // Only a long one is copied.
    return `CASE WHEN typeof(${name}) <> '${type}' THEN NULL WHEN length(${name}) > ${most} THEN substr(${name}, 1, ${most}) ELSE ${name} END`;
  }

  /**
   * A date column as Unix ms, NULL where there is none. Since 10.13 dates are ns since 2001, before seconds;
   * ns exceed what a JavaScript number holds exactly, so SQL divides. Int64's maximum has been seen as a date.
   */
  date(table: Table, alias: string, column: string): string {
    if (!this.has(table, column)) return 'NULL';
    const value = `${alias}.${column}`;
    return `CASE WHEN ${value} IS NULL OR ${value} <= 0 OR ${value} > ${LATEST_NS} THEN NULL
      WHEN ${value} >= ${LEAST_NS} THEN ${value} / 1000000 + ${APPLE_EPOCH_MS}
      ELSE ${value} * 1000 + ${APPLE_EPOCH_MS} END`;
  }

  /** The same as decimal text in ns since 2001, exact, as a JavaScript number is not: what identifies a message. */
  exactDate(table: Table, alias: string, column: string): string {
    if (!this.has(table, column)) return 'NULL';
    const value = `${alias}.${column}`;
    return `CASE WHEN typeof(${value}) <> 'integer' OR ${value} <= 0 OR ${value} > ${LATEST_NS} THEN NULL
      WHEN ${value} >= ${LEAST_NS} THEN CAST(${value} AS TEXT) ELSE ${value} || '000000000' END`;
  }

  /** Whether a date column holds seconds since 2001, as before macOS 10.13. */
  isInSeconds(table: Table, alias: string, column: string): string {
    if (!this.has(table, column)) return 'NULL';
    return `${alias}.${column} > 0 AND ${alias}.${column} < ${LEAST_NS}`;
  }
}

/** `chat.style` of a group. */
export const GROUP_STYLE = 43;
/** 2001-01-01T00:00:00Z as Unix ms. */
export const APPLE_EPOCH_MS = 978_307_200_000;
/** ns since 2001 at about the year 2128; beyond it a value is no date. */
export const LATEST_NS = '4000000000000000000';
/** A date below this is in seconds. */
export const LEAST_NS = '1000000000000';

/**
 * Puts empty tables of this connection in the place of optional ones that the file does not have, so that every
 * statement is valid; returns their names. To be called before `query_only` is set.
 */
export function standIn(database: Database): string[] {
  const absent = Object.entries(OPTIONAL).filter(([table]) => !hasTable(database, table));
  for (const [table, columns] of absent) database.exec(`CREATE TEMP TABLE ${table} ${columns}`);
  return absent.map(([table]) => table);
}

/** Whether the file itself has the table. */
export function hasTable(database: Database, table: string): boolean {
  const found = database
    .prepare("SELECT 1 FROM main.sqlite_master WHERE type = 'table' AND name = ?")
    .get(table);
  return found !== undefined;
}

/** Types of files by `attachment.uti`, where `mime_type` is NULL or empty (docs/facts.md#attachments). */
const TYPE_BY_UTI: Readonly<Record<string, string>> = {
  'public.heic': 'image/heic',
  'public.heif': 'image/heif',
  'public.jpeg': 'image/jpeg',
  'public.png': 'image/png',
  'com.compuserve.gif': 'image/gif',
  'public.tiff': 'image/tiff',
  'public.webp': 'image/webp',
  'org.webmproject.webp': 'image/webp',
  'com.microsoft.bmp': 'image/bmp',
  'public.avif': 'image/avif',
  'com.apple.quicktime-movie': 'video/quicktime',
  'public.mpeg-4': 'video/mp4',
  'com.apple.coreaudio-format': 'audio/x-caf',
  'com.adobe.pdf': 'application/pdf',
};

/** The type of a file as an expression: as it is said or, where it is not, by what Messages itself knows the file as. */
export function mimeTypeColumn(schema: Schema, alias: string): string {
  const text = (column: string) => schema.text('attachment', alias, column);
  const cases = Object.entries(TYPE_BY_UTI).map(([uti, type]) => `WHEN '${uti}' THEN '${type}'`);
  return `coalesce(nullif(${text('mime_type')}, ''), CASE lower(${text('uti')}) ${cases.join(' ')} END)`;
}
