import { MAX_TEXT_BYTES } from './textLimit.js';

/** Whatever sends so much in one text does not mean a person to read it. */
export const MOST_PARTS = 100;

const graphemes = new Intl.Segmenter('und', { granularity: 'grapheme' });
const words = new Intl.Segmenter('und', { granularity: 'word' });

/** Enough of the text behind a place to know whether a grapheme or word goes on there, in UTF-16 units. */
const LOOKAHEAD = 256;

/**
 * Cuts a text into parts of at most so many characters (code points) and 100 000 bytes: at the last line break in the
 * second half of a part, else the last white space there, else between words, else between graphemes; inside a
 * grapheme only where one alone is too long. But for white space at the cuts nothing is lost, and no part is blank.
 */
export function splitText(text: string, maxCharacters: number): string[] {
  const parts: string[] = [];
  let rest = text;
  for (;;) {
    const end = reach(rest, maxCharacters);
    if (end === rest.length) {
      if (rest.trim() !== '') parts.push(rest);
      return parts;
    }
    const cut = bestCut(rest, end);
    const part = rest.slice(0, cut).trimEnd();
    if (part !== '') parts.push(part);
    rest = rest.slice(cut).trimStart();
  }
}

/** How far into the text one part may reach, in UTF-16 units; never between two halves of a character, at least one. */
function reach(text: string, maxCharacters: number): number {
  let bytes = 0;
  let at = 0;
  for (let characters = 0; at < text.length; characters++) {
    const code = text.codePointAt(at) ?? 0;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (characters > 0 && (characters >= maxCharacters || bytes > MAX_TEXT_BYTES)) return at;
    at += code > 0xffff ? 2 : 1;
  }
  return at;
}

function bestCut(text: string, end: number): number {
  const least = Math.floor(end / 2);
  const head = text.slice(0, end);
  const line = head.lastIndexOf('\n');
  if (line >= least && line > 0) return line;
  const blank = lastBlank(text, end, least);
  if (blank > 0) return blank;
  const word = boundary(words, text, end);
  const between = boundary(graphemes, text, word >= least && word > 0 ? word : end);
  return between > 0 ? between : end;
}

/** The last white space in front of `end`, or at it: a part may end right where the next word would begin. */
function lastBlank(text: string, end: number, least: number): number {
  for (let at = end; at >= least && at > 0; at--) {
    if (/\s/u.test(text.charAt(at))) return at;
  }
  return -1;
}

/** The last boundary at `end` or before it. */
function boundary(segmenter: Intl.Segmenter, text: string, end: number): number {
  const segment = segmenter.segment(text.slice(0, end + LOOKAHEAD)).containing(end);
  return segment?.index ?? end;
}
