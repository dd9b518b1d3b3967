/** How much there is in a value that was read from JSON. */
export interface JsonLimits {
  /** Objects and lists within each other. */
  readonly nesting: number;
  /** Characters of keys and texts, and one for each value. */
  readonly size: number;
  /** Keys whose texts do not count. */
  readonly uncounted?: ReadonlySet<string>;
}

/**
 * Which limit a value from JSON exceeds; undefined for none. To be asked before anything that recurses into it or copies it.
 * Uses no stack, and ends as soon as a limit is passed.
 */
export function excessOf(value: unknown, limits: JsonLimits): 'nesting' | 'size' | undefined {
  let size = 0;
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth += 1) {
    const inner: unknown[] = [];
    for (const one of level) {
      size += 1;
      if (typeof one === 'string') size += one.length;
      else if (Array.isArray(one)) {
        if (depth >= limits.nesting) return 'nesting';
        if (size + one.length > limits.size) return 'size';
        for (const item of one) inner.push(item);
      } else if (typeof one === 'object' && one !== null) {
        if (depth >= limits.nesting) return 'nesting';
        for (const [key, item] of Object.entries(one)) {
          size += key.length;
          if (typeof item !== 'string' || limits.uncounted?.has(key) !== true) inner.push(item);
        }
      }
      if (size > limits.size) return 'size';
    }
    level = inner;
  }
  return undefined;
}
