import { joinAtSeams, SEAM, splitAtSeams } from '../system/seams.js';
import {
  DETECTORS,
  type Effort,
  MOST_EFFORT,
  PRIVATE_KINDS,
  type PrivateKind,
  type Stretch,
} from './privacyDetectors.js';

/** A text levelled for searching, with the way back: `starts[i]` and `ends[i]` bound plain unit `i` in the original. */
interface PlainForm {
  readonly plain: string;
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

/** Formatting characters and variation selectors: invisible characters would hide a number from any pattern. */
const INVISIBLE = /\p{Cf}|\p{Variation_Selector}/u;
const DIGIT = /^\p{Nd}$/u;
const DASH = /^[\p{Pd}\u2212]$/u;
/** Not the line breaks: an address or a phone number does not continue after one. */
const SPACE = /^\p{Zs}$/u;
const ZERO = 0x30;

/** How the texts at a seam may be read: as two lines, two words or one (see seams.ts). */
const SEAM_READINGS = ['\n', ' ', ''] as const;

/**
 * The forms to search: invisible characters may stand inside a number or between two, and a program that reads the text may
 * take either; so may it read a seam in several ways. `readings`: for each form how its seams are read, in turn; by default all
 * of them alike. Only one form for a text that has neither.
 */
function plainForms(text: string, readings?: readonly (readonly string[])[]): PlainForm[] {
  const seams = readings ?? (text.includes(SEAM) ? SEAM_READINGS.map((reading) => [reading]) : [[]]);
  const invisibles: ('' | ' ')[] = INVISIBLE.test(text) ? ['', ' '] : [''];
  return seams.flatMap((seam) => invisibles.map((invisible) => plainForm(text, invisible, seam)));
}

/**
 * The text with digits of every script as ASCII, every dash as `-`, every space as a space, compatibility forms (full
 * width, mathematical) as their plain characters, `invisible` for each character that is not seen, and for each seam the next of `seams`, over
 * and over.
 * Pure; one pass.
 */
function plainForm(text: string, invisible: '' | ' ', seams: readonly string[]): PlainForm {
  let seamsSeen = 0;
  let plain = '';
  const starts: number[] = [];
  const ends: number[] = [];
  let at = 0;
  for (const character of text) {
    const start = at;
    at += character.length;
    const plainly =
      character < '\u0080'
        ? character
        : character === SEAM
          ? (seams[seamsSeen++ % seams.length] ?? '\n')
          : level(character, invisible);
    for (let unit = 0; unit < plainly.length; unit += 1) {
      starts.push(start);
      ends.push(at);
    }
    plain += plainly;
  }
  return { plain, starts, ends };
}

/** The value in `levels` for an invisible character. */
const UNSEEN = '\0';
/** Of each character of the basic plane that was seen: looking it up takes a tenth of the time. At most 65 536. */
const levels: (string | undefined)[] = [];

function level(character: string, invisible: string): string {
  if (character.length > 1) return INVISIBLE.test(character) ? invisible : levelled(character);
  const code = character.charCodeAt(0);
  let known = levels[code];
  if (known === undefined) {
    known = INVISIBLE.test(character) ? UNSEEN : levelled(character);
    levels[code] = known;
  }
  return known === UNSEEN ? invisible : known;
}

function levelled(character: string): string {
  if (DIGIT.test(character)) return String(digitValue(character));
  if (DASH.test(character)) return '-';
  if (SPACE.test(character)) return ' ';
  return character.normalize('NFKC');
}

/** Unicode encodes the ten digits of a script in a row, zero first; the mathematical ones in five rows of ten. */
function digitValue(character: string): number {
  const compatible = character.normalize('NFKC');
  const code = compatible.codePointAt(0) ?? ZERO;
  if (code >= ZERO && code <= ZERO + 9) return code - ZERO;
  let first = code;
  while (code - first < 9 && DIGIT.test(String.fromCodePoint(first - 1))) first -= 1;
  return code - first;
}

/** In characters, of texts and what was made of them together. */
const MOST_REMEMBERED = 1_000_000;

/**
 * The same filter with a cache of the newest texts: a message is filtered at each attempt to post it, and so is the
 * caption of each of its images. A text that is too long for the cache is filtered each time.
 */
export function filterOnce<Filtered extends { text: string }>(
  filter: (text: string) => Filtered,
): (text: string) => Filtered {
  const known = new Map<string, Filtered>();
  let size = 0;
  return (text) => {
    const remembered = known.get(text);
    if (remembered !== undefined) return remembered;
    const filtered = filter(text);
    known.set(text, filtered);
    size += sizeOf(text, filtered);
    for (const [oldest, made] of known) {
      if (size <= MOST_REMEMBERED) break;
      known.delete(oldest);
      size -= sizeOf(oldest, made);
    }
    return filtered;
  };
}

/** An entry costs something beyond its characters. */
function sizeOf(text: string, { text: made }: { text: string }): number {
  return text.length + made.length + 100;
}

/** A text without what is private; `fields` names what was taken out, each once. */
interface Filtered {
  readonly text: string;
  readonly fields: readonly PrivateKind[];
}

/**
 * Takes out what is private. Pure and idempotent; a text that holds nothing private comes back as it is. U+FFFC in a text is a
 * seam between texts of one message: what goes over it is found too, and taken out on both sides.
 */
export type PrivacyFilter = (text: string) => Filtered;

/**
 * The filter for these kinds; undefined for none, to avoid useless work. Each match becomes its kind in brackets,
 * `[phone]`; for overlapping matches, the first kind in PRIVATE_KINDS names the whole.
 */
export function privacyFilter(kinds: readonly PrivateKind[], region: string): PrivacyFilter | undefined {
  const wanted = PRIVATE_KINDS.filter((kind) => kinds.includes(kind));
  if (wanted.length === 0) return undefined;
  return filterOnce((text) => takenOut(text, wanted, region, { left: MOST_EFFORT, known: new Map() }));
}

/** What is left of a text when these kinds, in the order of PRIVATE_KINDS, are taken out; `effort` is spent on it. */
export function takenOut(
  text: string,
  kinds: readonly PrivateKind[],
  region: string,
  effort: Effort,
): Filtered {
  const fields = new Set<PrivateKind>();
  const found: Secret[] = [];
  let current = text;
  // Taking something out may leave neighbours that only now read as something. Each round takes out digits or an @,
  // and puts in neither, so there is a last one.
  for (;;) {
    const finds = findAll(current, kinds, region, effort);
    if (finds.length === 0) break;
    for (const { kind, from, to } of finds) {
      fields.add(kind);
      if (found.length < MOST_SECRETS) found.push({ kind, text: current.slice(from, to) });
    }
    current = replaced(current, finds);
  }
  const filtered = { text: current, fields: kinds.filter((kind) => fields.has(kind)) };
  secrets.set(filtered, found);
  return filtered;
}

/** What was taken out of a text. */
interface Secret {
  readonly kind: PrivateKind;
  readonly text: string;
}

/** So many of one text are looked for in the others of its message: the work must not grow with the square of a text. */
const MOST_SECRETS = 200;

/** Separate from the result, so that it is never written anywhere with it. */
const secrets = new WeakMap<Filtered, readonly Secret[]>();

/** Groups of texts without what is private, in the order in which they were given; `fields` as they were found. */
interface FilteredGroups {
  readonly groups: readonly (readonly string[])[];
  readonly fields: readonly PrivateKind[];
}

/**
 * Filters the texts of one message. The texts of a group are read as one, with a seam (boundary) between two. What is
 * removed in one place is removed in all, even where it could not be recognised alone.
 */
export function filteredTogether(
  filter: PrivacyFilter,
  groups: readonly (readonly string[])[],
): FilteredGroups {
  const fields = new Set<PrivateKind>();
  const known = new Map<string, PrivateKind>();
  let texts = groups.map(joinAtSeams);
  // Each further round has taken out at least one secret more.
  for (;;) {
    const results = texts.map(filter);
    for (const result of results) {
      for (const field of result.fields) fields.add(field);
      for (const { text, kind } of secrets.get(result) ?? []) known.set(text, kind);
    }
    texts = results.map(({ text }) => withoutKnown(text, known));
    if (texts.every((text, index) => text === results[index]?.text)) break;
  }
  return { groups: texts.map(splitAtSeams), fields: [...fields] };
}

function withoutKnown(text: string, known: ReadonlyMap<string, PrivateKind>): string {
  let rest = text;
  for (const [secret, kind] of known) rest = rest.replaceAll(secret, masked(secret, kind));
  return rest;
}

/** The filter for the kinds as they are set now. */
export function livePrivacyFilter(
  kinds: () => readonly PrivateKind[],
  region: string,
): () => PrivacyFilter | undefined {
  let madeFor: readonly PrivateKind[] = [];
  let filter: PrivacyFilter | undefined;
  return () => {
    if (kinds() !== madeFor) {
      madeFor = kinds();
      filter = privacyFilter(madeFor, region);
    }
    return filter;
  };
}

interface Find extends Stretch {
  readonly kind: PrivateKind;
}

/** In the order of the text, none overlapping another; in units of the original. */
function findAll(text: string, kinds: readonly PrivateKind[], region: string, effort: Effort): Find[] {
  const found = [...findEach(text, kinds, region, effort), ...findWithin(text, kinds, region, effort)];
  const finds = withoutGuesses(text, found);
  const merged: Find[] = [];
  for (const find of finds.toSorted((a, b) => a.from - b.from)) {
    const last = merged.at(-1);
    if (last === undefined || find.from >= last.to) merged.push(find);
    else
      merged[merged.length - 1] = {
        kind: firstOf(last.kind, find.kind),
        from: last.from,
        to: Math.max(last.to, find.to),
      };
  }
  return merged;
}

function findEach(
  text: string,
  kinds: readonly PrivateKind[],
  region: string,
  effort: Effort,
  readings?: readonly (readonly string[])[],
): Find[] {
  return plainForms(text, readings).flatMap(({ plain, starts, ends }) =>
    kinds.flatMap((kind) =>
      DETECTORS[kind](plain, region, effort).map(({ from, to }) => ({
        kind,
        from: starts[from] ?? 0,
        to: ends[to - 1] ?? 0,
      })),
    ),
  );
}

/** A message of more texts, and no person sends so many, is searched as a whole only: three times the work of one text. */
const MOST_SEARCHED_APART = 300;
/** So much of a text can belong to what goes over its end, in UTF-16 units. */
const BESIDE_SEAM = 1024;
/** Without one, a text holds nothing private. */
const TELLING = /[\p{N}@\uff20\ufe6b]/u;

/**
 * The matches in each text alone, and in two and three neighbours alone, with each seam read in every way: text after
 * the seams around them, for instance a digit, must not hide a match.
 */
function findWithin(text: string, kinds: readonly PrivateKind[], region: string, effort: Effort): Find[] {
  if (!text.includes(SEAM)) return [];
  const texts = text.split(SEAM);
  if (texts.length > MOST_SEARCHED_APART) return [];
  const found: Find[] = [];
  const look = (from: number, to: number, readings?: readonly (readonly string[])[]) => {
    for (const find of findEach(text.slice(from, to), kinds, region, effort, readings))
      found.push({ ...find, from: find.from + from, to: find.to + from });
  };
  let start = 0;
  texts.forEach((first, index) => {
    let end = start + first.length;
    if (TELLING.test(first)) look(start, end);
    let areTelling = TELLING.test(first);
    for (const size of [2, 3]) {
      const last = texts[index + size - 1];
      if (last === undefined) break;
      const from = Math.max(start, start + first.length - BESIDE_SEAM);
      const to = end + 1 + Math.min(last.length, BESIDE_SEAM);
      areTelling ||= TELLING.test(last);
      if (areTelling) look(from, to, READINGS[size - 2]);
      end += 1 + last.length;
    }
    start += first.length + 1;
  });
  return found;
}

/** Of one seam, and of two. */
const READINGS = [
  SEAM_READINGS.map((reading) => [reading]),
  SEAM_READINGS.flatMap((first) => SEAM_READINGS.map((second) => [first, second])),
] as const;

/**
 * An address matches any adjacent letters, so one across a seam counts only if none is complete: the word before an
 * address is not part of it.
 */
function withoutGuesses(text: string, finds: readonly Find[]): readonly Find[] {
  const crosses = ({ kind, from, to }: Find) => kind === 'email' && text.slice(from, to).includes(SEAM);
  const whole = finds.filter((find) => !crosses(find));
  return whole.some(({ kind }) => kind === 'email') ? whole : finds;
}

function firstOf(a: PrivateKind, b: PrivateKind): PrivateKind {
  return PRIVATE_KINDS.indexOf(a) <= PRIVATE_KINDS.indexOf(b) ? a : b;
}

function replaced(text: string, finds: readonly Find[]): string {
  let result = '';
  let at = 0;
  for (const { kind, from, to } of finds) {
    result += text.slice(at, from) + masked(text.slice(from, to), kind);
    at = to;
  }
  return result + text.slice(at);
}

/** On each side of a seam. */
function masked(secret: string, kind: PrivateKind): string {
  const pieces = secret.split(SEAM).map((piece) => (piece === '' ? '' : `[${kind}]`));
  return pieces.join(SEAM);
}
