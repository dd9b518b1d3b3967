import { asObject, parseInstant } from '../../backend/protocol.js';
import { ERROR_CODES } from '../../model/errorCodes.js';
import type { Place } from './place.js';
import { EXCHANGES, FRAMES, PATH_WORDS } from './places.js';

/** At least so many digits in a row may be a telephone's. */
const MANY_DIGITS = /\d{7}/;
/** Ids as programs make them; others may be made of names and numbers. */
const ID = /^(?:at_\d{1,3}_|[a-z]{2,4}_)?(?:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32})$/i;
const SMALL_ID = /^(?:cmd|evt)_[0-9a-f]{1,16}$/i;
const TIME = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:?\d\d)?$/;
const VERSION = /^\d{1,3}(?:\.\d{1,3}){1,3}$/;
const CHAT = /^(iMessage|SMS|RCS|any);[-+];/;
/** Larger numbers have as many digits as a telephone's. */
const SMALL = 1_000_000;
/** A time that is a number is one only if it is about now, in ms: any other may be a telephone's. */
const NEAR_MS = 31 * 24 * 60 * 60 * 1000;

/**
 * Replaces everything that may be personal by a generated name. A value is kept only at a place that the protocol
 * defines (src/kit/transcript/places.ts), and only if it has the right form; all other texts, keys, numbers and
 * addresses are replaced. The same value always gets the same name, so that replies and equal texts can still be
 * recognised.
 */
export class Pseudonyms {
  private readonly texts = new Map<string, string>();
  private readonly people = new Map<string, string>();
  private readonly ids = new Map<string, string>();
  private readonly keys = new Map<string, string>();
  private readonly segments = new Map<string, string>();

  /** `now`: Unix ms. */
  constructor(private readonly now: number) {}

  /** A frame of the socket, whichever side sent it. */
  frame(frame: unknown): unknown {
    const type = asObject(frame)?.type;
    const inner = typeof type === 'string' ? FRAMES.get(type) : undefined;
    if (typeof type !== 'string' || inner === undefined) return this.redact(frame, 'free');
    const beside = typeof inner === 'object' && 'fields' in inner ? inner.fields : {};
    const own = { type: { words: new Set([type]) }, data: inner, payload: inner, timestamp: 'time' } as const;
    return this.redact(frame, { fields: { ...beside, ...own } });
  }

  /** The body of a request to this path, or of its answer. */
  body(path: string, side: 'request' | 'answer', body: unknown): unknown {
    return this.redact(body, EXCHANGES.get(path)?.[side] ?? 'free');
  }

  /** A path without what is not of the protocol. */
  path(path: string): string {
    const segment = (text: string) =>
      text === '' || PATH_WORDS.has(text) ? text : named(this.segments, text, (count) => `part_${count}`);
    const known = path.split('/').map(segment).join('/');
    return known.startsWith('/') ? known : `/${known}`;
  }

  private redact(value: unknown, place: Place): unknown {
    if (value === null || value === undefined) return value;
    if (Array.isArray(value)) {
      const of = typeof place === 'object' && 'list' in place ? place.list : 'free';
      return value.map((item) => this.redact(item, of));
    }
    const object = asObject(value);
    if (object !== undefined) {
      const fields = typeof place === 'object' && 'fields' in place ? place.fields : {};
      return Object.fromEntries(
        Object.entries(object).map(([key, item]) => {
          const known = Object.hasOwn(fields, key) ? fields[key] : undefined;
          return known === undefined
            ? [this.key(key), this.redact(item, 'free')]
            : [key, this.redact(item, known)];
        }),
      );
    }
    return this.single(value as string | number | boolean, place);
  }

  /** What fits its place is kept, or renamed in its own way; anything else says only how long it was. */
  private single(value: string | number | boolean, place: Place): unknown {
    if (value === '') return value;
    if (typeof value === 'boolean') return place === 'flag' && value;
    if (place === 'time') return this.time(value);
    if (place === 'id') return this.id(String(value));
    if (place === 'secret') return '[secret]';
    if (typeof value === 'number') {
      return place === 'number' && Math.abs(value) < SMALL ? Math.round(value * 10) / 10 : 0;
    }
    if (place === 'handle') return this.handle(value);
    if (place === 'error') return this.error(value);
    if (place === 'version' && VERSION.test(value)) return value;
    if (typeof place === 'object' && 'words' in place && place.words.has(value)) return value;
    return this.text(value);
  }

  private time(value: string | number): unknown {
    if (typeof value === 'string' && TIME.test(value)) return value;
    const at = parseInstant(value);
    if (at !== null && Math.abs(at - this.now) < NEAR_MS) return new Date(at).toISOString();
    return typeof value === 'string' ? this.text(value) : 0;
  }

  private id(text: string): string {
    if ((ID.test(text) || SMALL_ID.test(text)) && !MANY_DIGITS.test(text)) return text;
    return named(this.ids, text, (count) => `id_${count}`);
  }

  private error(text: string): string {
    const code = /^([a-z_]+): /.exec(text)?.[1] ?? '';
    return Object.hasOwn(ERROR_CODES, code)
      ? `${code}: ${this.text(text.slice(code.length + 2))}`
      : this.text(text);
  }

  /** Equal for what the agent takes to be the same text (protocol §7): duplicates stay duplicates. */
  private text(text: string): string {
    if (text === '') return text;
    const meant = text.normalize('NFC').trim().replace(/\s+/gu, ' ');
    return named(this.texts, meant, (count) => `text_${count}_of_${text.length}`);
  }

  private handle(text: string): string {
    const prefix = CHAT.exec(text)?.[0] ?? '';
    const rest = text.slice(prefix.length);
    const digits = /^edge_(\d+)$/.exec(rest)?.[1];
    if (digits !== undefined) return `${prefix}edge_${this.person(`+${digits}`).slice(1)}`;
    return `${prefix}${this.person(rest)}`;
  }

  private person(name: string): string {
    return named(this.people, name.toLowerCase(), (count) => {
      if (/^\+\d+$/.test(name)) return fictionalNumber(count);
      if (/^chat\d+$/.test(name)) return `chat${100_000 + count}`;
      return `person${count}@example.com`;
    });
  }

  private key(name: string): string {
    return named(this.keys, name, (count) => `key_${count}`);
  }
}

function named(names: Map<string, string>, of: string, make: (count: number) => string): string {
  const known = names.get(of);
  if (known !== undefined) return known;
  const made = make(names.size + 1);
  names.set(of, made);
  return made;
}

/** 555-0100 to 555-0199 are reserved for fiction in each area of the North American plan (NANPA). */
function fictionalNumber(count: number): string {
  const area = 201 + Math.floor(count / 100);
  return `+1${area}55501${String(count % 100).padStart(2, '0')}`;
}
