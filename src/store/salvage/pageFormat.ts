/**
 * SQLite's file format as far as reading a damaged store needs it (sqlite.org/fileformat2.html): b-tree pages, cells and
 * records. Everything is checked against its bounds; what does not fit is reported as damage, never read.
 */

export type Value = string | number | null | Buffer;

/** A row of a table (`rowId` set) or an entry of an index or a WITHOUT ROWID table (`rowId` undefined). */
export interface Cell {
  rowId: number | undefined;
  values: Value[];
}

/** A page of a b-tree: `children` of an interior one, `cells` of what holds records, `badCells` that could not be read. */
export interface TreePage {
  kind: 'table' | 'index';
  children: number[];
  cells: Cell[];
  badCells: number;
}

/** Reads a page by its number, from 1; undefined if there is none, or it is known to be damaged. */
type ReadPage = (page: number) => Buffer | undefined;

const INTERIOR_INDEX = 0x02;
const INTERIOR_TABLE = 0x05;
const LEAF_INDEX = 0x0a;
const LEAF_TABLE = 0x0d;
/** Page 1 begins with the header of the file. */
const FILE_HEADER_BYTES = 100;
/** No record of ours is larger; a damaged length must not make us take memory. */
const LARGEST_RECORD_BYTES = 64 * 1024 * 1024;

class Misfit extends Error {}

/** Decodes a page; undefined if it is no page of a b-tree. Never throws. */
export function treePage(readPage: ReadPage, number: number): TreePage | undefined {
  const page = readPage(number);
  if (page === undefined) return undefined;
  const start = number === 1 ? FILE_HEADER_BYTES : 0;
  const type = page[start];
  if (type !== INTERIOR_INDEX && type !== INTERIOR_TABLE && type !== LEAF_INDEX && type !== LEAF_TABLE)
    return undefined;
  const isInterior = type === INTERIOR_INDEX || type === INTERIOR_TABLE;
  const isTable = type === INTERIOR_TABLE || type === LEAF_TABLE;
  const headerBytes = isInterior ? 12 : 8;
  const count = page.readUInt16BE(start + 3);
  const cellsFrom = start + headerBytes + count * 2;
  if (cellsFrom > page.length) return undefined;
  const tree: TreePage = { kind: isTable ? 'table' : 'index', children: [], cells: [], badCells: 0 };
  let lastRowId = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < count; index++) {
    const at = page.readUInt16BE(start + headerBytes + index * 2);
    try {
      if (at < cellsFrom || at + 4 > page.length) throw new Misfit();
      if (isInterior) tree.children.push(page.readUInt32BE(at));
      if (type === INTERIOR_TABLE) continue;
      const cell = readCell(readPage, page, isInterior ? at + 4 : at, isTable);
      if (cell.rowId !== undefined && cell.rowId <= lastRowId) throw new Misfit();
      lastRowId = cell.rowId ?? lastRowId;
      tree.cells.push(cell);
    } catch (error) {
      if (!(error instanceof Misfit)) throw error;
      tree.badCells++;
    }
  }
  if (isInterior) tree.children.push(page.readUInt32BE(start + 8));
  return tree;
}

function readCell(readPage: ReadPage, page: Buffer, at: number, isTable: boolean): Cell {
  const size = varint(page, at);
  if (size.value < 0 || size.value > LARGEST_RECORD_BYTES) throw new Misfit();
  let position = size.next;
  let rowId: number | undefined;
  if (isTable) {
    const id = varint(page, position);
    rowId = id.value;
    position = id.next;
  }
  return { rowId, values: readRecord(readPayload(readPage, page, position, size.value, isTable)) };
}

/** The bytes of a record, its overflow pages included. */
function readPayload(readPage: ReadPage, page: Buffer, at: number, size: number, isTable: boolean): Buffer {
  const usable = page.length;
  const most = isTable ? usable - 35 : Math.floor(((usable - 12) * 64) / 255) - 23;
  if (size <= most) {
    if (at + size > usable) throw new Misfit();
    return page.subarray(at, at + size);
  }
  const least = Math.floor(((usable - 12) * 32) / 255) - 23;
  const wanted = least + ((size - least) % (usable - 4));
  const local = wanted <= most ? wanted : least;
  if (at + local + 4 > usable) throw new Misfit();
  const parts = [page.subarray(at, at + local)];
  let missing = size - local;
  let next = page.readUInt32BE(at + local);
  const passed = new Set<number>();
  while (missing > 0) {
    // A damaged chain may lead back to itself.
    const overflow = next === 0 || passed.has(next) ? undefined : readPage(next);
    if (overflow === undefined) throw new Misfit();
    passed.add(next);
    const part = overflow.subarray(4, 4 + Math.min(missing, usable - 4));
    parts.push(part);
    missing -= part.length;
    next = overflow.readUInt32BE(0);
  }
  if (next !== 0) throw new Misfit();
  return Buffer.concat(parts);
}

function readRecord(bytes: Buffer): Value[] {
  const header = varint(bytes, 0);
  if (header.value < header.next || header.value > bytes.length) throw new Misfit();
  const values: Value[] = [];
  let type = header.next;
  let at = header.value;
  while (type < header.value) {
    const serial = varint(bytes, type);
    type = serial.next;
    const read = readValue(bytes, at, serial.value);
    values.push(read.value);
    at = read.next;
  }
  if (type !== header.value || at !== bytes.length) throw new Misfit();
  return values;
}

const INTEGER_BYTES: readonly number[] = [0, 1, 2, 3, 4, 6, 8];

function readValue(bytes: Buffer, at: number, serial: number): { value: Value; next: number } {
  if (serial === 0) return { value: null, next: at };
  if (serial === 8 || serial === 9) return { value: serial - 8, next: at };
  const size = serial === 7 ? 8 : serial >= 12 ? Math.floor((serial - 12) / 2) : INTEGER_BYTES[serial];
  if (size === undefined || at + size > bytes.length) throw new Misfit();
  const next = at + size;
  if (serial === 7) return { value: bytes.readDoubleBE(at), next };
  if (serial >= 12) {
    const part = bytes.subarray(at, next);
    return { value: serial % 2 === 0 ? Buffer.from(part) : textOf(part), next };
  }
  return { value: size === 8 ? Number(bytes.readBigInt64BE(at)) : bytes.readIntBE(at, size), next };
}

/** Throws unless the bytes are the UTF-8 of a text: SQLite stores no other, but a damaged page may hold anything. */
function textOf(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  // A byte that is no UTF-8 becomes U+FFFD, which is longer or another: only what is read back as it was is a text.
  if (text.includes('\uFFFD') && !Buffer.from(text, 'utf8').equals(bytes)) throw new Misfit();
  return text;
}

function varint(bytes: Buffer, at: number): { value: number; next: number } {
  let value = 0n;
  for (let index = 0; index < 9; index++) {
    const byte = bytes[at + index];
    if (byte === undefined) throw new Misfit();
    if (index === 8) value = (value << 8n) | BigInt(byte);
    else value = (value << 7n) | BigInt(byte & 0x7f);
    if (byte < 0x80 || index === 8) return { value: Number(BigInt.asIntN(64, value)), next: at + index + 1 };
  }
  throw new Misfit();
}
