import { DamagedStore, type Gaps } from './salvage/DamagedStore.js';
import type { Cell, Value } from './salvage/pageFormat.js';
import { SALVAGE_RULES } from './salvage/rules.js';
import { fits, shapesOf, type TableShape, tablesOf } from './salvage/shapes.js';
import type { Database, Statement } from './sqlite.js';

/** A row that was there and cannot be read: its key and what the indexes still have of it. */
export interface LostRow {
  /** Its rowid; of a table without, the first column of its key. */
  key: Value;
  known: Readonly<Record<string, Value>>;
  /** The indexes that have it: a partial one shows its state. */
  indexes: ReadonlySet<string>;
}

/** What was had of a table. */
export interface SalvagedTable {
  kept: number;
  /** Rows that are known to have been there. */
  lost: readonly LostRow[];
  /** More may have been there than `lost` names. */
  mayHaveLostMore: boolean;
  /** Indexes that could be read to their end. */
  soundIndexes: ReadonlySet<string>;
  /** Keys of rows that may be older than what was stored last. */
  uncertain: ReadonlySet<Value>;
}

export type Salvaged = ReadonlyMap<string, SalvagedTable>;

/**
 * Copies every row that can still be read from a damaged store into a new, empty one, table by table, whatever pages of
 * it are damaged; returns what was had. The damaged store is only read. A row that cannot be read, or does not fit its
 * table, costs no other. Throws what the target's disk throws.
 */
export function salvage(damagedPath: string, target: Database): Salvaged {
  const source = new DamagedStore(damagedPath);
  try {
    // One commit: one commit per row would take minutes, and half of it is useless.
    return target.transaction(() => copyAll(source, target))();
  } finally {
    source.close();
  }
}

function copyAll(source: DamagedStore, target: Database): Salvaged {
  const shapes = shapesOf(source.version);
  const today = shapesOf(undefined);
  const copies = tablesOf(target).map((table) => {
    return new TableCopy(table, today.get(table)?.key ?? ['rowid'], shapes.get(table), target);
  });
  for (const copy of copies) copy.takeTree(source);
  const indexes = new Map(copies.map((copy) => [copy, copy.readIndexes(source)]));
  // Only now is every page known that hangs on a tree.
  if (copies.some((copy) => copy.missesPages)) {
    for (const cells of source.strayLeaves()) {
      copies.find((copy) => copy.missesPages && copy.takeStray(cells, source.isUncertain));
    }
  }
  copySequences(source, target);
  return new Map(copies.map((copy) => [copy.table, copy.result(indexes.get(copy) ?? new Map())]));
}

interface IndexEntries {
  isSound: boolean;
  /** The columns of the row that each entry has. */
  entries: Record<string, Value>[];
}

class TableCopy {
  missesPages = false;
  private gaps: Gaps | undefined;
  private misfits = 0;
  private kept = 0;
  private readonly uncertain = new Set<Value>();
  private readonly has: Statement;
  private readonly inserts = new Map<number, Statement>();

  constructor(
    readonly table: string,
    private readonly key: readonly string[],
    /** As the damaged store has it; undefined: its version does not have this table. */
    private readonly shape: TableShape | undefined,
    private readonly target: Database,
  ) {
    const isThis = key.map((column) => `${column} = ?`).join(' AND ');
    this.has = target.prepare(`SELECT 1 FROM ${table} WHERE ${isThis}`).pluck();
  }

  /** Takes what hangs on the table's root. */
  takeTree(source: DamagedStore): void {
    if (this.shape === undefined) return;
    const belongs = (cell: Cell) => this.rowOf(cell) !== undefined;
    this.gaps = source.walk(this.table, belongs, (cell) => {
      if (!this.take(cell)) this.misfits++;
    });
    this.missesPages = this.shape.rowIdColumn !== undefined && (this.gaps?.pages ?? 1) > 0;
  }

  /** Takes a page that hangs on nothing if all of its rows may be this table's; false if it is not. */
  takeStray(cells: readonly Cell[], isUncertain: boolean): boolean {
    const rows = cells.map((cell) => this.rowOf(cell));
    if (rows.some((row) => row === undefined)) return false;
    const [first] = cells;
    if (first === undefined || (!this.take(first) && this.has.get(first.rowId) === undefined)) return false;
    for (const cell of cells) {
      const isTaken = cell === first || this.take(cell);
      if (isTaken && isUncertain && cell.rowId !== undefined) this.uncertain.add(cell.rowId);
    }
    return true;
  }

  readIndexes(source: DamagedStore): Map<string, IndexEntries> {
    const found = new Map<string, IndexEntries>();
    for (const [index, columns] of this.shape?.indexes ?? []) {
      const entries: IndexEntries['entries'] = [];
      const belongs = ({ rowId, values }: Cell) =>
        rowId === undefined &&
        values.length === columns.length &&
        values.every((value, n) => this.fitsColumn(value, columns[n]));
      const gaps = source.walk(index, belongs, (cell) => {
        if (!belongs(cell)) return;
        const known = Object.fromEntries(columns.map((name, n) => [name, cell.values[n] ?? null]));
        // Kept only if its row is missing so far: of a sound table nothing is held in memory.
        if (this.isMissing(known)) entries.push(known);
      });
      // A page may have been replaced by another one of the same table, which looks as if that were all of it.
      if (entries.length > 0 && this.shape?.rowIdColumn !== undefined) this.missesPages = true;
      found.set(index, { isSound: gaps !== undefined && gaps.pages + gaps.cells === 0, entries });
    }
    return found;
  }

  result(indexes: ReadonlyMap<string, IndexEntries>): SalvagedTable {
    const lost = new Map<string, { known: Record<string, Value>; indexes: Set<string> }>();
    for (const [index, { entries }] of indexes) {
      for (const known of entries) {
        if (!this.isMissing(known)) continue;
        const key = JSON.stringify(this.keyOf(known));
        const row = lost.get(key) ?? { known: {}, indexes: new Set() };
        lost.set(key, row);
        Object.assign(row.known, known);
        row.indexes.add(index);
      }
    }
    // An index may hold all that a row had.
    for (const [key, { known }] of lost) if (this.restoreFromIndex(known)) lost.delete(key);
    const isGapless = this.gaps !== undefined && this.gaps.pages + this.gaps.cells + this.misfits === 0;
    const whole = [...indexes].some(([index, { isSound }]) => isSound && this.hasEveryRow(index));
    return {
      kept: this.kept,
      lost: [...lost.values()].map(({ known, indexes: of }) => ({
        key: known[this.key[0] ?? ''] ?? null,
        known,
        indexes: of,
      })),
      mayHaveLostMore: this.shape !== undefined && !isGapless && !whole,
      soundIndexes: new Set([...indexes].flatMap(([index, { isSound }]) => (isSound ? [index] : []))),
      uncertain: this.uncertain,
    };
  }

  private fitsColumn(value: Value, name: string | undefined): boolean {
    const column = this.shape?.columns.find((one) => one.name === name);
    if (column === undefined) return false;
    return column.name === this.shape?.rowIdColumn ? typeof value === 'number' : fits(value, column);
  }

  private keyOf(known: Record<string, Value>): Value[] {
    return this.key.map((column) => known[column] ?? null);
  }

  private isMissing(known: Record<string, Value>): boolean {
    const key = this.keyOf(known);
    return !key.includes(null) && this.has.get(...key) === undefined;
  }

  private restoreFromIndex(known: Record<string, Value>): boolean {
    const { shape } = this;
    if (shape === undefined || shape.rowIdColumn !== undefined) return false;
    if (!shape.columns.every(({ name }) => known[name] !== undefined)) return false;
    return this.insert(shape.columns.map(({ name }) => known[name] ?? null));
  }

  /** Whether an index has an entry for each row: a partial one has not. One that SQLite made for UNIQUE has no text. */
  private hasEveryRow(index: string): boolean {
    const sql = this.target
      .prepare<unknown[], string | null>("SELECT sql FROM sqlite_master WHERE type = 'index' AND name = ?")
      .pluck()
      .get(index);
    return sql === null || (sql !== undefined && !/\bWHERE\b/i.test(sql));
  }

  private take(cell: Cell): boolean {
    const row = this.rowOf(cell);
    return row !== undefined && this.insert(row);
  }

  /** The values of a record in the order of the columns; undefined if it cannot be a row of this table. */
  private rowOf({ rowId, values }: Cell): Value[] | undefined {
    const { shape } = this;
    if (shape === undefined || values.length > shape.columns.length || values.length === 0) return undefined;
    if ((rowId === undefined) !== (shape.rowIdColumn === undefined)) return undefined;
    const json = SALVAGE_RULES[this.table]?.json ?? [];
    const row: Value[] = [];
    for (const [index, value] of values.entries()) {
      const column = shape.columns[index];
      if (column === undefined) return undefined;
      const isRowId = column.name === shape.rowIdColumn;
      if (isRowId && (value !== null || !isRowNumber(rowId))) return undefined;
      if (!isRowId && !fits(value, column)) return undefined;
      if (json.includes(column.name) && typeof value === 'string' && !isJson(value)) return undefined;
      row.push(isRowId ? (rowId ?? null) : value);
    }
    return row;
  }

  private insert(row: readonly Value[]): boolean {
    const isNew = this.insertFor(row.length).run(...row).changes > 0;
    if (isNew) this.kept++;
    return isNew;
  }

  /** A row that was written before a column was added does not have it. */
  private insertFor(count: number): Statement {
    const known = this.inserts.get(count);
    if (known !== undefined) return known;
    const names = (this.shape?.columns ?? []).slice(0, count).map(({ name }) => name);
    const marks = names.map(() => '?').join(', ');
    const statement = this.target.prepare(
      `INSERT OR IGNORE INTO ${this.table} (${names.join(', ')}) VALUES (${marks})`,
    );
    this.inserts.set(count, statement);
    return statement;
  }
}

function isRowNumber(rowId: number | undefined): boolean {
  return Number.isSafeInteger(rowId) && (rowId ?? 0) > 0;
}

/** A body that was forgotten is empty. */
function isJson(text: string): boolean {
  if (text === '') return true;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function isSequence({ values: [name, seq] }: Cell): boolean {
  return typeof name === 'string' && typeof seq === 'number';
}

/** So many numbers are left out where the last that was given cannot be read: one given twice would name two things. */
const SAFE_GAP = 100_000;

/** Numbers are never reused: counting continues after the highest number ever assigned. */
function copySequences(source: DamagedStore, target: Database): void {
  const saved = new Map<string, number>();
  const gaps = source.walk('sqlite_sequence', isSequence, ({ values: [name, seq] }) => {
    if (typeof name === 'string' && typeof seq === 'number' && Number.isSafeInteger(seq))
      saved.set(name, seq);
  });
  const isSound = gaps !== undefined && gaps.pages + gaps.cells === 0;
  const tables = target
    .prepare<unknown[], string>("SELECT name FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%'")
    .pluck()
    .all();
  for (const table of tables) {
    const last = Number(target.prepare(`SELECT coalesce(max(seq), 0) FROM ${table}`).pluck().get());
    const known = saved.get(table);
    const next = known === undefined && !isSound ? last + SAFE_GAP : Math.max(last, known ?? 0);
    target.prepare('DELETE FROM sqlite_sequence WHERE name = ?').run(table);
    if (next > 0) target.prepare('INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)').run(table, next);
  }
}
