import { closeSync, fstatSync, openSync } from 'node:fs';
import { pageBytesOf, readPage } from './pageBytesOf.js';
import { type Cell, type TreePage, treePage, type Value } from './pageFormat.js';
import { type WalFrames, walFrames } from './walFrames.js';

const SCHEMA_ROOT = 1;
/** Deeper than any b-tree of 2 GB. */
const DEEPEST = 12;

/** A b-tree of the store: `table` is the table that it is, or that it is an index of. */
interface Tree {
  name: string;
  table: string;
  root: number;
}

/** What a walk could not read: pages of the tree, and cells of pages that were read otherwise. */
export interface Gaps {
  pages: number;
  cells: number;
}

interface Walk {
  gaps: Gaps;
  kind?: TreePage['kind'];
  /** Pages of this walk, which must not meet one twice. */
  passed: Set<number>;
  belongs: (cell: Cell) => boolean;
  onCell: (cell: Cell) => void;
}

/**
 * A store that SQLite calls damaged, read page by page: what hangs on a page that cannot be read costs nothing but what
 * that page held. It opens the file for reading only and leaves it and its log as they are.
 */
export class DamagedStore {
  readonly trees = new Map<string, Tree>();
  /** `user_version`; undefined if the file's header cannot be read. */
  readonly version: number | undefined;
  /**
   * Whether pages that hang on nothing may be older images of rows: the list of free pages cannot be read, or a damaged
   * log hides which pages it changed.
   */
  isUncertain: boolean;

  private readonly file: number;
  private readonly log: number | undefined;
  private readonly wal: WalFrames;
  private readonly pageBytes: number;
  private readonly pageCount: number;
  private readonly reached = new Set<number>();

  /** Throws what the file system throws. */
  constructor(path: string) {
    this.pageBytes = pageBytesOf(path);
    this.file = openSync(path, 'r');
    try {
      this.wal = walFrames(path, this.pageBytes);
      this.log = this.wal.offsets.size === 0 ? undefined : openSync(`${path}-wal`, 'r');
    } catch (error) {
      closeSync(this.file);
      throw error;
    }
    const ofFile = Math.ceil(fstatSync(this.file).size / this.pageBytes);
    this.pageCount = [...this.wal.offsets.keys()].reduce((most, page) => Math.max(most, page), ofFile);
    const header = this.read(1);
    const isSound = header?.toString('latin1', 0, 16) === 'SQLite format 3\0';
    this.version = header !== undefined && isSound ? header.readUInt32BE(60) : undefined;
    this.isUncertain = this.wal.isUncertain || !(header !== undefined && isSound && this.reachFree(header));
    this.readSchema();
  }

  close(): void {
    closeSync(this.file);
    if (this.log !== undefined) closeSync(this.log);
  }

  /**
   * Calls `onCell` with each record of a tree, in its order as far as pages can be read; undefined if its root is unknown. A leaf of
   * which no record can belong to the tree (`belongs`) is of another one, however it came there: it counts as a page that
   * cannot be read.
   */
  walk(name: string, belongs: (cell: Cell) => boolean, onCell: (cell: Cell) => void): Gaps | undefined {
    const tree = this.trees.get(name);
    if (tree === undefined) return undefined;
    const walk: Walk = { gaps: { pages: 0, cells: 0 }, passed: new Set(), belongs, onCell };
    this.walkFrom(tree.root, 0, walk);
    return walk.gaps;
  }

  /** The leaf pages of tables that no walk so far has reached: those below a page that cannot be read. Walk every tree first. */
  *strayLeaves(): Generator<Cell[]> {
    for (let number = 2; number <= this.pageCount; number++) {
      if (this.reached.has(number)) continue;
      const page = this.treePage(number);
      if (page?.kind === 'table' && page.children.length === 0 && page.cells.length > 0) yield page.cells;
    }
  }

  private walkFrom(number: number, depth: number, walk: Walk): void {
    const page = walk.passed.has(number) || depth > DEEPEST ? undefined : this.treePage(number);
    walk.passed.add(number);
    if (page === undefined || (walk.kind !== undefined && page.kind !== walk.kind)) {
      walk.gaps.pages++;
      return;
    }
    walk.kind ??= page.kind;
    if (page.cells.length > 0 && !page.cells.some(walk.belongs)) {
      walk.gaps.pages++;
      return;
    }
    this.reached.add(number);
    walk.gaps.cells += page.badCells;
    for (const child of page.children) this.walkFrom(child, depth + 1, walk);
    for (const cell of page.cells) walk.onCell(cell);
  }

  private readSchema(): void {
    const add = (cell: Cell) => {
      const [type, name, table, root] = cell.values;
      if (type !== 'table' && type !== 'index') return;
      if (typeof name !== 'string' || typeof table !== 'string' || typeof root !== 'number') return;
      if (root > 1 && root <= this.pageCount) this.trees.set(name, { name, table, root });
    };
    const gaps: Gaps = { pages: 0, cells: 0 };
    const belongs = ({ values }: Cell) => isSchemaRow(values);
    this.walkFrom(SCHEMA_ROOT, 0, { gaps, kind: 'table', passed: new Set(), belongs, onCell: add });
    if (gaps.pages + gaps.cells === 0) return;
    for (const cells of this.strayLeaves()) {
      if (cells.every(({ values }) => isSchemaRow(values))) for (const cell of cells) add(cell);
    }
  }

  /** Marks the free pages, so that deleted data is not read as rows; false if the list cannot be read to its end. */
  private reachFree(header: Buffer): boolean {
    let trunk = header.readUInt32BE(32);
    const free = header.readUInt32BE(36);
    let found = 0;
    while (trunk !== 0) {
      const page = this.reached.has(trunk) ? undefined : this.read(trunk);
      const count = page?.readUInt32BE(4) ?? Number.POSITIVE_INFINITY;
      if (page === undefined || count > this.pageBytes / 4 - 2) return false;
      this.reached.add(trunk);
      for (let index = 0; index < count; index++) this.reached.add(page.readUInt32BE(8 + index * 4));
      found += 1 + count;
      trunk = page.readUInt32BE(0);
    }
    return found === free;
  }

  private treePage(number: number): TreePage | undefined {
    return treePage((page) => this.read(page), number);
  }

  private read(number: number): Buffer | undefined {
    if (number < 1 || number > this.pageCount || this.wal.lost.has(number)) return undefined;
    const inLog = this.wal.offsets.get(number);
    const isInLog = inLog !== undefined && this.log !== undefined;
    const [file, at] = isInLog ? [this.log ?? this.file, inLog] : [this.file, (number - 1) * this.pageBytes];
    return readPage(file, at, this.pageBytes);
  }
}

function isSchemaRow(values: readonly Value[]): boolean {
  const [type, name, table, root, sql] = values;
  const isKnown = type === 'table' || type === 'index';
  return (
    values.length === 5 &&
    isKnown &&
    typeof name === 'string' &&
    typeof table === 'string' &&
    typeof root === 'number' &&
    (sql === null || typeof sql === 'string')
  );
}
