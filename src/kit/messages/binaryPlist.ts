/** What a simulated property list may hold. A `Real` is a float; a number is an integer. */
export type PlistValue =
  | string
  | number
  | boolean
  | Buffer
  | Real
  | readonly PlistValue[]
  | { readonly [key: string]: PlistValue };

/** A number that is written as a float, as dates in `message_summary_info` are. */
export class Real {
  constructor(readonly value: number) {}
}

/** A value as a binary property list ("bplist00"), each object once for each time it occurs. */
export function encodeBinaryPlist(root: PlistValue): Buffer {
  const objects: Buffer[] = [];
  const refs: { at: number; children: number[] }[] = [];
  const add = (value: PlistValue): number => {
    const index = objects.length;
    objects.push(Buffer.alloc(0));
    if (typeof value === 'string') objects[index] = string(value);
    else if (typeof value === 'number') objects[index] = integer(value);
    else if (typeof value === 'boolean') objects[index] = Buffer.from([value ? 9 : 8]);
    else if (Buffer.isBuffer(value)) objects[index] = Buffer.concat([marker(0x40, value.length), value]);
    else if (value instanceof Real) objects[index] = real(value.value);
    else if (isList(value)) {
      refs.push({ at: index, children: value.map(add) });
      objects[index] = marker(0xa0, value.length);
    } else {
      const entries = Object.entries(value);
      refs.push({
        at: index,
        children: [...entries.map(([key]) => add(key)), ...entries.map(([, one]) => add(one))],
      });
      objects[index] = marker(0xd0, entries.length);
    }
    return index;
  };
  add(root);
  for (const { at, children } of refs) {
    const named = children.map((child) => Buffer.from([child >> 8, child & 0xff]));
    objects[at] = Buffer.concat([objects[at] ?? Buffer.alloc(0), ...named]);
  }
  let at = 8;
  const offsets = objects.map((object) => {
    const offset = Buffer.alloc(4);
    offset.writeUInt32BE(at);
    at += object.length;
    return offset;
  });
  const trailer = Buffer.alloc(32);
  trailer.writeUInt8(4, 6);
  trailer.writeUInt8(2, 7);
  trailer.writeBigUInt64BE(BigInt(objects.length), 8);
  trailer.writeBigUInt64BE(BigInt(at), 24);
  return Buffer.concat([Buffer.from('bplist00'), ...objects, ...offsets, trailer]);
}

function isList(value: object): value is readonly PlistValue[] {
  return Array.isArray(value);
}

function marker(kind: number, length: number): Buffer {
  return length < 15
    ? Buffer.from([kind | length])
    : Buffer.concat([Buffer.from([kind | 15]), integer(length)]);
}

function integer(value: number): Buffer {
  if (value >= 0 && value < 0x100) return Buffer.from([0x10, value]);
  const bytes = Buffer.alloc(9, 0x13);
  bytes.writeBigInt64BE(BigInt(value), 1);
  return value >= 0 && value < 2 ** 31 ? Buffer.concat([Buffer.from([0x12]), bytes.subarray(5)]) : bytes;
}

function real(value: number): Buffer {
  const bytes = Buffer.alloc(9, 0x23);
  bytes.writeDoubleBE(value, 1);
  return bytes;
}

function string(value: string): Buffer {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII is exactly this range.
  if (/^[\x00-\x7f]*$/.test(value))
    return Buffer.concat([marker(0x50, value.length), Buffer.from(value, 'latin1')]);
  return Buffer.concat([marker(0x60, value.length), Buffer.from(value, 'utf16le').swap16()]);
}
