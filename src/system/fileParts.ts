/** Bytes of a file, by their place; throws `Damaged` where there are none. */
export type Bytes = (offset: number, length: number) => Buffer;

/** A file that ends too early, or contradicts itself; the message says how, to be read behind "it is damaged: ". */
export class Damaged extends Error {}

/** The bytes of a part, which end where the part does. */
export function within(bytes: Bytes, start: number, size: number): Bytes {
  return (offset, length) => {
    if (offset + length > size) throw new Damaged('a part of it lies behind the end of what holds it');
    return bytes(start + offset, length);
  };
}
