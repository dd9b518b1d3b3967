import { inspect } from 'node:util';
import stringWidth from 'string-width';
import { onOneLine } from '../logging/formatLine.js';

/** What the place that output goes to can show. */
export interface Terminal {
  /** A person sits in front of it. */
  isTerminal: boolean;
  colour: boolean;
  /** Characters beyond ASCII. */
  unicode: boolean;
  columns: number;
}

export type Style = 'red' | 'yellow' | 'green' | 'magenta' | 'cyan' | 'grey' | 'dim' | 'bold';

const STYLES: readonly Style[] = ['red', 'yellow', 'green', 'magenta', 'cyan', 'grey', 'dim', 'bold'];
/**
 * Where a style begins and ends in a line that is not yet printed: Unicode noncharacters from U+FDD0 on, two for each
 * style. `printable` turns them into escape sequences after it has disarmed everything else, so that no escape sequence
 * in a foreign text reaches a terminal.
 */
const FIRST_MARK = 0xfdd0;
const MARK = /[\ufdd0-\ufddf]/g;

const USUAL_COLUMNS = 80;
const NARROWEST = 40;

/**
 * What a stream can show: colours on a terminal unless NO_COLOR is set (no-color.org) or it is a dumb one, characters
 * beyond ASCII unless the locale says another encoding than UTF-8 (LC_ALL over LC_CTYPE over LANG, as POSIX has it).
 */
export function terminalOf(
  stream: Pick<NodeJS.WriteStream, 'isTTY' | 'columns'>,
  env: NodeJS.ProcessEnv,
): Terminal {
  const locale = [env.LC_ALL, env.LC_CTYPE, env.LANG].find((value) => value !== undefined && value !== '');
  const isTerminal = stream.isTTY === true;
  return {
    isTerminal,
    colour: isTerminal && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb',
    unicode: locale === undefined || /utf-?8/i.test(locale),
    columns: Math.max(NARROWEST, (isTerminal ? stream.columns : undefined) ?? USUAL_COLUMNS),
  };
}

/** The text in a colour, where there are colours. To be printed through `printable`. */
export function paint(terminal: Pick<Terminal, 'colour'>, style: Style, text: string): string {
  if (!terminal.colour) return text;
  const mark = FIRST_MARK + 2 * STYLES.indexOf(style);
  return `${String.fromCharCode(mark)}${text}${String.fromCharCode(mark + 1)}`;
}

/**
 * One line as it is written to a terminal or file: our colours, and every other control character written as an escape. Texts of
 * strangers, answers of backends and lines of files pass through here, so that none can forge a line, move the cursor, set the title
 * of a window or turn the direction of writing. No more of it than so many columns hold.
 */
export function printable(
  line: string,
  terminal: Pick<Terminal, 'unicode' | 'colour'>,
  columns = Number.POSITIVE_INFINITY,
): string {
  const harmless = legible(line.split('\t').map(onOneLine).join('\t'), terminal);
  return cut(harmless, columns).replace(MARK, (mark) => (terminal.colour ? escapeOf(mark) : ''));
}

function escapeOf(mark: string): string {
  const at = mark.charCodeAt(0) - FIRST_MARK;
  const style = STYLES[at >> 1] ?? 'bold';
  const code = inspect.colors[style]?.[at & 1] ?? 0;
  return `\u001b[${code}m`;
}

const IN_ASCII: Readonly<Record<string, string>> = {
  '…': '...',
  '–': '-',
  '—': '-',
  '→': '->',
  '✗': 'x',
  '✓': 'ok',
  '✅': '[ok]',
  '❌': '[failed]',
  '📥': '[in]',
  '⚠️': '[!]',
  '•': '*',
  '·': '-',
  '│': '|',
  '×': 'x',
  '≤': '<=',
  '“': '"',
  '”': '"',
  '’': "'",
};

const BEYOND_ASCII = /⚠️|[^\p{ASCII}\ufdd0-\ufddf]/gu;

/** The text as a terminal without UTF-8 can show it: signs by their nearest spelling, anything else as `?`. */
export function legible(text: string, terminal: Pick<Terminal, 'unicode'>): string {
  return terminal.unicode ? text : text.replace(BEYOND_ASCII, (sign) => IN_ASCII[sign] ?? '?');
}

const BREAKS = /[\t\n\v\f\r\u0085\u2028\u2029]+/g;

/** C0, DEL and C1, and what changes the direction of writing (Unicode, UAX #9). */
const CONTROLS = /[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** A foreign text in one line: a space for each line break, U+FFFD for each control character. */
export function shownText(text: string): string {
  return text.replace(BREAKS, ' ').replace(CONTROLS, '\ufffd');
}

/**
 * The words in lines of at most `columns`, colours not counted, the first after `first` and the others after `rest`; a
 * longer word stays whole.
 */
export function wrap(text: string, columns: number, first: string, rest: string): string[] {
  const lines: string[] = [];
  let line = first;
  let isFresh = true;
  for (const word of text.split(' ')) {
    if (!isFresh && widthOf(line) + 1 + widthOf(word) > columns) {
      lines.push(line);
      line = rest;
      isFresh = true;
    }
    line += isFresh ? word : ` ${word}`;
    isFresh = false;
  }
  return [...lines, line];
}

/** What takes one column each, and is all that most lines have. */
const NARROW = /^[ -~–—…·•×≤→“”’]*$/;

/**
 * Emoji of every Unicode version that this Node knows; string-width knows those of Unicode 12. Made for the first text that is not
 * plain: to make and to compile it takes longer than all else that most verbs do.
 */
let emoji: RegExp | undefined;

/** How many columns of a terminal a text takes: two for an emoji and a CJK character, none for a combining one or our colours. */
function widthOf(text: string): number {
  const bare = text.replace(MARK, '');
  if (NARROW.test(bare)) return bare.length;
  // A literal with the flag v is refused for our target, which every Node of ours is past.
  // biome-ignore lint/complexity/useRegexLiterals: see there.
  emoji ??= new RegExp('\\p{RGI_Emoji}', 'gv');
  return stringWidth(bare.replace(emoji, '  '));
}

/** Made for the first line that has to be cut, as it loads the tables of Unicode. */
let graphemes: Intl.Segmenter | undefined;

/** As much of a line as so many columns hold, colours as they are. A character that does not fit whole is left out. */
function cut(line: string, columns: number): string {
  if (line.length <= columns / 2 || widthOf(line) <= columns) return line;
  let room = columns;
  let kept = '';
  graphemes ??= new Intl.Segmenter();
  for (const { segment } of graphemes.segment(line)) {
    room -= widthOf(segment);
    // Behind the end only colours are kept: one that began must end.
    if (room >= 0) kept += segment;
    else kept += segment.match(MARK)?.join('') ?? '';
  }
  return kept;
}

/** A cell of so many columns; a wider one stays whole. */
export function padded(cell: string, columns: number): string {
  return cell + ' '.repeat(Math.max(0, columns - widthOf(cell)));
}

/** Rows of cells as lines, each column as wide as its widest cell. The last column is not padded. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows)
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, widthOf(cell));
  return rows.map((row) =>
    row
      .map((cell, at) => (at === row.length - 1 ? cell : padded(cell, widths[at] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

/** An entry of a list: in as many lines as it needs at a terminal, in one line elsewhere, where lines are counted and searched. */
export function entryLines(
  text: string,
  terminal: Pick<Terminal, 'isTerminal' | 'columns'>,
  first = '',
  rest = '    ',
): string[] {
  return terminal.isTerminal ? wrap(text, terminal.columns, first, rest) : [first + text];
}
