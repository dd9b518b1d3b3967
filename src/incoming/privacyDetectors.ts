import { type CountryCode, findPhoneNumbersInText, isSupportedCountry } from 'libphonenumber-js/min';

/** What can be recognised. Postal addresses and names are not included: they cannot be recognised without guessing. */
export const PRIVATE_KINDS = ['ssn', 'credit_card', 'email', 'phone'] as const;
export type PrivateKind = (typeof PRIVATE_KINDS)[number];

/** A stretch of a text, in UTF-16 units. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
}

/** What may still be spent on one text, in characters that the library for phone numbers looks at. */
export interface Effort {
  left: number;
  /** What the library found in what it has looked at: a text is searched again after something was taken out. */
  readonly known: Map<string, readonly Stretch[]>;
}

/** Finds one kind in a text in plain form (see plainForm.ts). `region` (ISO 3166) reads nationally written numbers. */
type Detector = (plain: string, region: string, effort: Effort) => Stretch[];

export const DETECTORS: Readonly<Record<PrivateKind, Detector>> = {
  ssn: findSsns,
  credit_card: findCards,
  email: findAddresses,
  phone: findPhones,
};

/**
 * US Social Security and taxpayer numbers (SSA: no area 000 or 666, no group 00, no serial 0000; 9xx is an ITIN): three,
 * two and four digits apart. Whatever else divides nine digits, or nothing does, they may be anything, so they count only
 * in a text that says what they are.
 */
const SSN_APART = /(?<!\d)(?!000|666)\d{3}[ .-]{1,2}(?!00)\d{2}[ .-]{1,2}(?!0000)\d{4}(?!\d)/g;
const SSN_EVENLY_APART = /(?<!\d)(?!000|666)\d{3}([\s./\\|_·•*-]{1,3})(?!00)\d{2}\1(?!0000)\d{4}(?!\d)/g;
const SSN_NAMED = [
  /(?<!\d)(?!000|666)\d{3}(?!00)\d{2}(?!0000)\d{4}(?!\d)/g,
  /(?<!\d)(?!000|666)\d{3}[^\p{L}\d]{1,3}(?!00)\d{2}[^\p{L}\d]{1,3}(?!0000)\d{4}(?!\d)/gu,
  /(?<!\d)(?!000|666)\d{3}[^\p{L}\d]{1,3}(?!00)\d{3}[^\p{L}\d]{1,3}\d{3}(?!\d)/gu,
];
const SSN_WORDS = /\b(?:ssn|itin|social\s+security|social|tax(?:payer)?\s+id)\b/i;

function findSsns(plain: string): Stretch[] {
  const patterns = [SSN_APART, SSN_EVENLY_APART, ...(SSN_WORDS.test(plain) ? SSN_NAMED : [])];
  return patterns.flatMap((pattern) => stretches(plain, pattern));
}

/** ISO/IEC 7812: 12 to 19 digits are allowed, 13 to 19 are in use; 2 to 6 are the banks' and card companies' ranges. */
const SHORTEST_CARD = 13;
const LONGEST_CARD = 19;
const DIGIT_GROUPS = /\d+(?:[^\p{L}\d]{1,3}\d+)*/gu;
const PLAIN_GAP = /^[ .-]{1,2}$/;
/**
 * How a card's number is printed, by the lengths of its groups. Anything may stand between those; other groups with more
 * between them than a space or a dash are a list of numbers, of which one in ten would pass Luhn's check.
 */
const PRINTED = /^(?:4,4,4,4,(?:[1-3],)?|4,4,4,[1-3],|4,6,[45],|8,8,)$/;
const PRINTED_FIRST: ReadonlySet<number> = new Set([4, 8]);
const PRINTED_START = /^(?:2[2-7]|[3-6])/;

/** Numbers that pass Luhn's check (ISO/IEC 7812-1, annex B: from the right, each second digit is doubled), in one piece or in groups; other digits may stand before and behind the groups. */
function findCards(plain: string): Stretch[] {
  return [...plain.matchAll(DIGIT_GROUPS)].flatMap((run) => cardsIn(run[0], run.index));
}

/** Digits of a run without anything between them; `isNear`: only a space, a dot or a dash or two of them stand before. */
interface DigitGroup extends Stretch {
  readonly isNear: boolean;
}

/** One pass over the codes: a text of single digits has as many groups as it has digits. */
function groupsIn(run: string): DigitGroup[] {
  const groups: DigitGroup[] = [];
  let end = 0;
  for (let at = 0; at < run.length; at += 1) {
    if (!isDigit(run.charCodeAt(at))) continue;
    const from = at;
    while (at < run.length && isDigit(run.charCodeAt(at))) at += 1;
    groups.push({ from, to: at, isNear: from - end <= 2 && PLAIN_GAP.test(run.slice(end, from)) });
    end = at;
  }
  return groups;
}

function cardsIn(run: string, offset: number): Stretch[] {
  const groups = groupsIn(run);
  const found: Stretch[] = [];
  for (const [first, start] of groups.entries()) {
    const leading = run.charCodeAt(start.from) - ZERO;
    if (leading < 2 || leading > 6) continue;
    const canBePrinted = PRINTED_FIRST.has(start.to - start.from);
    let areNear = true;
    let count = 0;
    let even = 0;
    let odd = 0;
    // Nothing is made in here: where every digit is a group, this is what most of the time goes into.
    for (let last = first; last < groups.length; last += 1) {
      const group = groups[last] ?? start;
      areNear &&= last === first || group.isNear;
      if ((!areNear && !canBePrinted) || count + group.to - group.from > LONGEST_CARD) break;
      for (let at = group.from; at < group.to; at += 1, count += 1) {
        const digit = run.charCodeAt(at) - ZERO;
        const doubled = digit > 4 ? digit * 2 - 9 : digit * 2;
        even += count % 2 === 0 ? doubled : digit;
        odd += count % 2 === 0 ? digit : doubled;
      }
      if (count < SHORTEST_CARD || (count % 2 === 0 ? even : odd) % 10 !== 0) continue;
      if (areNear || isPrinted(run, groups.slice(first, last + 1)))
        found.push({ from: offset + start.from, to: offset + group.to });
    }
  }
  return found;
}

function isPrinted(run: string, groups: readonly DigitGroup[]): boolean {
  const lengths = groups.map(({ from, to }) => `${to - from},`).join('');
  return (
    PRINTED_START.test(groups.map(({ from, to }) => run.slice(from, to)).join('')) && PRINTED.test(lengths)
  );
}

const ZERO = 0x30;

function isDigit(code: number): boolean {
  return code >= ZERO && code <= ZERO + 9;
}

const LOCAL = /^[\p{L}\p{N}._%+'!#$&*/=?^`{|}~-]$/u;
/** The same of ASCII, which nearly all of them are: looking it up takes a tenth of the time. */
const ASCII_LOCAL = Array.from({ length: 0x80 }, (_, code) => LOCAL.test(String.fromCharCode(code)));
const DOMAIN_START = /^[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+/u;
/** RFC 5321, 4.5.3.1, doubled: a longer one is cut, and what is left of it is no address. */
const LONGEST_PART = 512;

/** E-mail addresses, from each `@` outwards: no text takes longer than its length. */
function findAddresses(plain: string): Stretch[] {
  const found: Stretch[] = [];
  for (let at = plain.indexOf('@'); at >= 0; at = plain.indexOf('@', at + 1)) {
    const local = localBefore(plain, at);
    const domain =
      local === '' ? undefined : DOMAIN_START.exec(plain.slice(at + 1, at + 1 + LONGEST_PART))?.[0];
    if (local !== '' && domain !== undefined) {
      found.push({ from: at - local.length, to: at + 1 + domain.length });
    }
  }
  return found;
}

/** The mailbox name before an `@`. Read backwards from the `@`: a pattern would start at every character. */
function localBefore(plain: string, at: number): string {
  let from = at;
  while (from > 0 && at - from < LONGEST_PART) {
    const unit = plain.charCodeAt(from - 1);
    const width = unit >= 0xdc00 && unit <= 0xdfff && from > 1 ? 2 : 1;
    if (!(ASCII_LOCAL[unit] ?? LOCAL.test(plain.slice(from - width, from)))) break;
    from -= width;
  }
  return plain.slice(from, at);
}

/**
 * Everything between letters that has enough digits for a phone number, with its surroundings; the rest is skipped to
 * save time.
 */
const BETWEEN_LETTERS = /[^\p{L}]+/gu;
const FEWEST_DIGITS = 5;
const BESIDE = 3;

/**
 * So many characters of one text go through the library, at some 10 µs each, each stretch once. No person writes so many digits; where it is
 * not enough, every number of as many digits counts as one of a phone: rather too much is taken out than too little.
 */
export const MOST_EFFORT = 4_000;
/** Digits and what the library allows between them, as far as the plain form has it. */
const ANY_NUMBER = /[+(]?\d(?:[\s()[\]./~\u2053\u223c-]{0,4}\d){4,}/g;

/** Phone numbers that are valid in the numbering plans, written internationally or as in the region (libphonenumber). */
function findPhones(plain: string, region: string, effort: Effort): Stretch[] {
  const defaultCountry: CountryCode = isSupportedCountry(region) ? region : 'US';
  return [...plain.matchAll(BETWEEN_LETTERS)]
    .filter(([part]) => part.replace(/\D/g, '').length >= FEWEST_DIGITS)
    .flatMap((part) => {
      const offset = Math.max(0, part.index - BESIDE);
      const around = plain.slice(offset, part.index + part[0].length + BESIDE);
      const known = effort.known.get(around);
      if (known !== undefined) return moved(known, offset);
      if (around.length > effort.left) return moved(stretches(part[0], ANY_NUMBER), part.index);
      effort.left -= around.length;
      const numbers = findPhoneNumbersInText(around, { defaultCountry });
      const found = numbers.map(({ startsAt, endsAt }) => ({ from: startsAt, to: endsAt }));
      effort.known.set(around, found);
      return moved(found, offset);
    });
}

function moved(found: readonly Stretch[], by: number): Stretch[] {
  return found.map(({ from, to }) => ({ from: from + by, to: to + by }));
}

function stretches(plain: string, pattern: RegExp): Stretch[] {
  return [...plain.matchAll(pattern)].map((match) => ({
    from: match.index,
    to: match.index + match[0].length,
  }));
}
