/** How much there is in a value that was read from JSON. */
interface JsonLimits {
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

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const LIST = 0x5b;
const OBJECT = 0x7b;

/**
 * Counts the pieces that JSON is made of, before it is parsed: objects, lists, and the commas between what is in them. Parsing
 * takes time and memory by these, up to a hundred times those of the text, and by nothing else. Takes the text in any cuts.
 */
export class JsonPieces {
  /** The count so far, not including the contents of texts. */
  count = 0;
  private inText = false;
  private isEscaped = false;

  add(text: string): this {
    for (let at = 0; at < text.length; at += 1) {
      const code = text.charCodeAt(at);
      if (this.inText) {
        if (this.isEscaped) this.isEscaped = false;
        else if (code === BACKSLASH) this.isEscaped = true;
        else if (code === QUOTE) this.inText = false;
      } else if (code === QUOTE) this.inText = true;
      else if (code === COMMA || code === LIST || code === OBJECT) this.count += 1;
    }
    return this;
  }
}

/** Whether a text may be JSON with at most this many pieces, as far as that is known before parsing it. */
export function hasAtMostPieces(text: string, most: number): boolean {
  return text.length <= most || new JsonPieces().add(text).count <= most;
}
