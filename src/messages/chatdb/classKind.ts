import { Kind } from './ObjectTable.js';
import type { StreamBytes } from './StreamBytes.js';

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

/** What a class of this name is to us by itself; `other` leaves it to its superclass. */
export function classKind(bytes: StreamBytes, from: number, length: number): number {
  const candidates = CLASSES[length];
  if (candidates === undefined) return Kind.other;
  for (let i = 0; i < candidates.length; i++) {
    const candidate = candidates[i];
    if (candidate !== undefined && bytes.same(from, candidate.name)) return candidate.kind;
  }
  return Kind.other;
}
