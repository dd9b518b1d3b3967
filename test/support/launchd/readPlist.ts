/** What a property list may hold here. */
export type PlistValue =
  | string
  | number
  | boolean
  | readonly PlistValue[]
  | { readonly [key: string]: PlistValue };

/**
 * Reads an XML property list strictly, as plist(5) has it. Throws for anything that is not well-formed, so that it also
 * plays the part of `plutil -lint`.
 */
export function readPlist(text: string): PlistValue {
  const reader = new Reader(text);
  reader.prologue();
  const value = reader.value();
  reader.end();
  return value;
}

class Reader {
  private rest: string;

  constructor(text: string) {
    const comments = /<!--((?!--)[\s\S])*-->/g;
    this.rest = text.replaceAll(comments, '');
    if (this.rest.includes('<!--')) throw new Error('a comment that is not well-formed');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: XML 1.0 allows none of them.
    if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/.test(text)) throw new Error('a control character');
  }

  prologue(): void {
    this.expect(/^<\?xml version="1\.0" encoding="UTF-8"\?>\s*/);
    this.expect(/^<!DOCTYPE plist [^>]*>\s*/);
    this.expect(/^<plist version="1\.0">\s*/);
  }

  end(): void {
    this.expect(/^<\/plist>\s*$/);
  }

  value(): PlistValue {
    const [, tag = ''] = this.expect(/^<([a-z]+)\s*/);
    if (tag === 'true' || tag === 'false') {
      this.expect(/^\/>\s*/);
      return tag === 'true';
    }
    this.expect(/^>/);
    switch (tag) {
      case 'string':
        return this.text(tag);
      case 'integer':
        return Number(this.text(tag));
      case 'array':
        return this.array();
      case 'dict':
        return this.dictionary();
      default:
        throw new Error(`an element that is not known: ${tag}`);
    }
  }

  private array(): PlistValue[] {
    const values: PlistValue[] = [];
    this.expect(/^\s*/);
    while (!this.rest.startsWith('</')) values.push(this.value());
    this.expect(/^<\/array>\s*/);
    return values;
  }

  private dictionary(): Record<string, PlistValue> {
    const entries: Record<string, PlistValue> = {};
    this.expect(/^\s*/);
    while (!this.rest.startsWith('</')) {
      this.expect(/^<key>/);
      const key = this.text('key');
      entries[key] = this.value();
    }
    this.expect(/^<\/dict>\s*/);
    return entries;
  }

  private text(tag: string): string {
    const [, raw = ''] = this.expect(/^([^<]*)/);
    this.expect(new RegExp(`^</${tag}>\\s*`));
    if (/&(?!(lt|gt|amp|quot|apos);)/.test(raw)) throw new Error(`an entity that is not known: ${raw}`);
    return raw.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
  }

  private expect(pattern: RegExp): RegExpExecArray {
    const found = pattern.exec(this.rest);
    if (found === null) throw new Error(`expected ${pattern}, found ${this.rest.slice(0, 60)}`);
    this.rest = this.rest.slice(found[0].length);
    return found;
  }
}
