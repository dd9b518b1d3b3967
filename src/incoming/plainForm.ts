import { SEAM } from '../system/seams.js';

/** A text levelled for searching, with the way back: `starts[i]` and `ends[i]` bound plain unit `i` in the original. */
interface PlainForm {
  readonly plain: string;
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

/** Formatting characters and variation selectors: what nobody sees would hide a number from any pattern. */
const INVISIBLE = /\p{Cf}|\p{Variation_Selector}/u;
const DIGIT = /^\p{Nd}$/u;
const DASH = /^[\p{Pd}\u2212]$/u;
/** Not the line breaks: an address or a phone number does not go on behind one. */
const SPACE = /^\p{Zs}$/u;
const ZERO = 0x30;

/** How the texts at a seam may be read: as two lines, two words or one (see seams.ts). */
export const SEAM_READINGS = ['\n', ' ', ''] as const;

/**
 * The forms to search: invisible characters may stand inside a number or between two, and a program that reads the text may
 * take either; so may it read a seam in several ways. `readings`: for each form how its seams are read, in turn; by default all
 * of them alike. Only one form for a text that has neither.
 */
export function plainForms(text: string, readings?: readonly (readonly string[])[]): PlainForm[] {
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

/** What stands in `levels` for a character that is not seen. */
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
