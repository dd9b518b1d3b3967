import type { Chance } from './Chance.js';

/** What patterns that look twice, counters and terminals are made to fail with; each is repeated and mixed with others. */
const PIECES = [
  ...['a', ' ', '\n', '\r\n', '\t', '- ', '--', '.', '1', '4 ', '12 ', '7-', '(1)', '+1 ', '310-555-1234, '],
  ...['4111 1111 1111 1111 ', '123-45-6789 ', 'ssn 123456789 ', 'social   ', 'tax   ', '1.', 'a.a.a.'],
  ...[
    '@',
    'a@',
    'a@b.c ',
    '.a',
    'tel:',
    'mailto:',
    'sms:+',
    'http://',
    'https://a.b/?c=',
    '%20',
    'code 123456 ',
  ],
  ...[
    '\ud800',
    '\udc00',
    '\ufffd',
    '\u0301',
    '\u200b1',
    '\ufe0f',
    '\u202e',
    '\u3042',
    '\ud835\udfd8',
    '\ufffc',
  ],
  ...['x;', ';-;', 'chat1', '[', ']', '{"a":', '"', '\\', '\0', '\u001b[2J', '\u0007', '\u0085', '\u2028'],
  ...[
    '$(kIM',
    '1\u0301',
    'ﷺ',
    '👩‍👩‍👧 ',
    '１２３',
    '٣',
    'İ',
    'ß',
    '__proto__',
    'constructor',
    'null',
    '<!--',
  ],
] as const;

/** How long: mostly short, seldom beyond every limit. */
function lengthOf(chance: Chance): number {
  if (chance.oneIn(60_000)) return 100_000 + chance.below(3_000_000);
  if (chance.oneIn(4_000)) return 20_000 + chance.below(80_000);
  if (chance.oneIn(40)) return 200 + chance.below(2_000);
  return chance.below(60);
}

/** A text of hostile pieces, of one kind over and over or mixed. */
export function hostileText(chance: Chance, length = lengthOf(chance)): string {
  if (length === 0) return '';
  const kinds = chance.times(chance.oneIn(3) ? 1 : 1 + chance.below(6), () => chance.pick(PIECES));
  const unit = kinds.length === 1 ? (kinds[0] ?? 'a') : shuffled(chance, kinds);
  return unit.repeat(Math.ceil(length / unit.length)).slice(0, length);
}

function shuffled(chance: Chance, kinds: readonly string[]): string {
  const first = kinds[0] ?? 'a';
  return chance.times(20, () => chance.pick([first, ...kinds])).join('');
}

const NUMBERS = [
  ...[0, -0, -1, 1, 0.1, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 53), 1e11, 1e308, -1e308, 5e-324, 1e21],
  ...[Number.MAX_SAFE_INTEGER, Date.UTC(2026, 0, 1), Date.UTC(2026, 0, 1) / 1000, 65_536, 255],
] as const;

/** Lists or objects within each other: mostly few, seldom more than any stack takes. */
function nested(chance: Chance): unknown {
  const depth = chance.oneIn(40) ? 3_000 : chance.oneIn(4) ? 60 + chance.below(12) : chance.below(8);
  let value: unknown = chance.pick<unknown>([null, 1, 'x']);
  const isList = chance.oneIn(2);
  for (let level = 0; level < depth; level += 1) value = isList ? [value] : { a: value };
  return value;
}

/** A value of any type that JSON can carry. */
export function hostileValue(chance: Chance): unknown {
  switch (chance.below(12)) {
    case 0:
      return null;
    case 1:
      return chance.oneIn(2);
    case 2:
    case 3:
      return chance.pick(NUMBERS);
    case 4:
      return nested(chance);
    case 5:
      return [];
    case 6:
      return {};
    case 7:
      return chance.times(chance.oneIn(100) ? 20_000 : chance.below(5), () =>
        chance.pick<unknown>([1, 'x', null]),
      );
    case 8:
      return Object.fromEntries(chance.times(chance.below(6), () => [hostileText(chance, 5), 1]));
    default:
      return hostileText(chance);
  }
}

/** A value like this one in which some fields are of another kind, gone, null, under another name or there twice. */
export function mutated(chance: Chance, value: unknown): unknown {
  if (chance.oneIn(12)) return hostileValue(chance);
  if (Array.isArray(value)) return value.map((item) => (chance.oneIn(3) ? mutated(chance, item) : item));
  if (typeof value !== 'object' || value === null) return chance.oneIn(3) ? hostileValue(chance) : value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, item]): [string, unknown][] => {
      if (chance.oneIn(15)) return [];
      if (chance.oneIn(25)) return [[key, null]];
      if (chance.oneIn(40)) return [[hostileText(chance, chance.below(40)), item]];
      return [[key, chance.oneIn(3) ? mutated(chance, item) : item]];
    }),
  );
}

/** JSON whose text is damaged: cut, doubled, with a foreign piece, a number beyond all numbers, or a key twice. */
export function damagedText(chance: Chance, text: string): string {
  const at = chance.below(text.length + 1);
  const rest = text.slice(at);
  switch (chance.below(6)) {
    case 0:
      return text.slice(0, at);
    case 1:
      return text.slice(0, at) + text.slice(Math.max(0, at - chance.below(50)));
    case 2:
      return text.slice(0, at) + hostileText(chance, 1 + chance.below(20)) + rest;
    case 3:
      return text.replace(
        /:(\d+|"[^"]*")/,
        () => `:${chance.pick(['1e999', '-1e999', '1E400', '00', '9'.repeat(400)])}`,
      );
    case 4:
      return text.replace(
        '{',
        `{${chance.pick(['"__proto__":{"a":1},', '"type":null,', '"data":[],', '"command_id":{},'])}`,
      );
    default:
      return text.slice(0, at) + rest.slice(1 + chance.below(4));
  }
}

const TAGS = [
  0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x92, 0x93, 0x40, 0x2b, 0x69, 0x49, 0x5b, 0x7b, 0x00, 0xff,
] as const;

/** Bytes like these, damaged in one of the ways in which files are. `other` is what a piece may come from. */
export function damagedBytes(chance: Chance, bytes: Buffer, other: Buffer): Buffer {
  if (bytes.length === 0) return other;
  const copy = Buffer.from(bytes);
  const at = chance.below(bytes.length);
  switch (chance.below(7)) {
    case 0:
      for (let left = 1 + chance.below(8); left > 0; left -= 1)
        copy[chance.below(copy.length)] = chance.below(256);
      return copy;
    case 1:
      for (let left = 1 + chance.below(4); left > 0; left -= 1)
        copy[chance.below(copy.length)] = chance.pick(TAGS);
      return copy;
    case 2:
      return copy.subarray(0, at);
    case 3:
      return Buffer.concat([
        copy.subarray(0, at),
        copy.subarray(Math.min(copy.length, at + 1 + chance.below(20))),
      ]);
    case 4: {
      const piece = copy.subarray(at, at + 1 + chance.below(60));
      const times = chance.oneIn(500) ? 20_000 : 1 + chance.below(200);
      return Buffer.concat([copy.subarray(0, at), ...chance.times(times, () => piece), copy.subarray(at)]);
    }
    case 5:
      return Buffer.concat([copy.subarray(0, at), other.subarray(chance.below(other.length))]);
    default: {
      const tail = chance.times(chance.below(300), () =>
        chance.oneIn(2) ? chance.pick(TAGS) : chance.below(256),
      );
      return Buffer.concat([copy.subarray(0, 16), Buffer.from(tail)]);
    }
  }
}
