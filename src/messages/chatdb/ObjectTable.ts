import { DamagedStream, type StreamBytes } from './StreamBytes.js';

/** What an object of a class is to us; an object of a subclass is what its superclass is. */
export const Kind = { other: 0, attributedString: 1, string: 2, dictionary: 3, number: 4, url: 5 } as const;

/** Far above any real message; a bound on what a hostile blob can make us keep. */
const MAX_ENTRIES = 1 << 18;

/**
 * What a typedstream numbers in one sequence: objects, classes and C strings. An object is a slot number and
 * what it held is noted as offsets and links, in arrays that are used again for the next blob: nothing is
 * allocated for an object.
 */
export class ObjectTable {
  count = 0;
  private isClassAt = new Uint8Array(256);
  private kindAt = new Uint8Array(256);
  private bytesFrom = new Int32Array(256);
  private bytesLength = new Int32Array(256);
  private numberAt = new Float64Array(256);
  private firstLink = new Int32Array(256);
  private lastLink = new Int32Array(256);

  private links = 0;
  private linkTarget = new Int32Array(256);
  private linkNext = new Int32Array(256);

  clear(): void {
    this.count = 0;
    this.links = 0;
  }

  add(): number {
    const slot = this.count++;
    if (slot >= this.kindAt.length) this.grow();
    this.isClassAt[slot] = 0;
    this.kindAt[slot] = Kind.other;
    this.bytesFrom[slot] = -1;
    this.bytesLength[slot] = -1;
    this.numberAt[slot] = Number.NaN;
    this.firstLink[slot] = -1;
    return slot;
  }

  setClass(slot: number, kind: number): void {
    this.isClassAt[slot] = 1;
    this.kindAt[slot] = kind;
  }

  isClass(slot: number): boolean {
    return this.isClassAt[slot] === 1;
  }

  setKind(slot: number, kind: number): void {
    this.kindAt[slot] = kind;
  }

  /** `other` for nil (-1). */
  kind(slot: number): number {
    return this.kindAt[slot] ?? Kind.other;
  }

  /** Notes the first raw bytes of an object; later ones are not what its text is. */
  noteBytes(slot: number, from: number, length: number): void {
    if (slot < 0 || (this.bytesFrom[slot] ?? -1) >= 0) return;
    this.bytesFrom[slot] = from;
    this.bytesLength[slot] = length;
  }

  /** Where an object's raw bytes begin, -1 if it has none. */
  from(slot: number): number {
    return this.bytesFrom[slot] ?? -1;
  }

  length(slot: number): number {
    return this.bytesLength[slot] ?? -1;
  }

  noteNumber(slot: number, value: number): void {
    if (slot >= 0) this.numberAt[slot] = value;
  }

  /** The last number that an object held, NaN if none. */
  number(slot: number): number {
    return this.numberAt[slot] ?? Number.NaN;
  }

  /** Notes that one object holds another (or nil, -1). */
  hold(owner: number, target: number): void {
    if (owner < 0) return;
    const link = this.links++;
    if (link >= this.linkTarget.length) {
      this.linkTarget = grown(this.linkTarget);
      this.linkNext = grown(this.linkNext);
    }
    this.linkTarget[link] = target;
    this.linkNext[link] = -1;
    if ((this.firstLink[owner] ?? -1) < 0) this.firstLink[owner] = link;
    else this.linkNext[this.lastLink[owner] ?? 0] = link;
    this.lastLink[owner] = link;
  }

  /** The first link of what an object holds, in order, or -1; continue with `next`. */
  first(slot: number): number {
    return this.firstLink[slot] ?? -1;
  }

  next(link: number): number {
    return this.linkNext[link] ?? -1;
  }

  /** The object that a link points to, -1 for nil or no link. */
  target(link: number): number {
    return link < 0 ? -1 : (this.linkTarget[link] ?? -1);
  }

  private grow(): void {
    this.isClassAt = grown(this.isClassAt);
    this.kindAt = grown(this.kindAt);
    this.bytesFrom = grown(this.bytesFrom);
    this.bytesLength = grown(this.bytesLength);
    this.numberAt = grown(this.numberAt);
    this.firstLink = grown(this.firstLink);
    this.lastLink = grown(this.lastLink);
  }
}

/** The same array with twice the room. */
export function grown<T extends Int32Array | Uint8Array | Float64Array>(table: T): T {
  if (table.length >= MAX_ENTRIES) throw new DamagedStream('too many objects');
  const larger = new (table.constructor as new (length: number) => T)(table.length * 2);
  larger.set(table);
  return larger;
}

/** The classes that matter to us, by the length of their names. */
const CLASSES: readonly (readonly { name: Buffer; kind: number }[] | undefined)[] = (() => {
  const byLength: { name: Buffer; kind: number }[][] = [];
  for (const [name, kind] of [
    ['NSAttributedString', Kind.attributedString],
    ['NSString', Kind.string],
    ['NSDictionary', Kind.dictionary],
    ['NSNumber', Kind.number],
    ['NSURL', Kind.url],
  ] as const) {
    byLength[name.length] = [...(byLength[name.length] ?? []), { name: Buffer.from(name), kind }];
  }
  return byLength;
})();

/** How a class of this name is handled; `other` means like its superclass. */
export function classKind(bytes: StreamBytes, from: number, length: number): number {
  const candidates = CLASSES[length];
  if (candidates === undefined) return Kind.other;
  for (let i = 0; i < candidates.length; i++) {
    const candidate = candidates[i];
    if (candidate !== undefined && bytes.same(from, candidate.name)) return candidate.kind;
  }
  return Kind.other;
}
