import { stripVTControlCharacters, styleText } from 'node:util';

/** What the place that output goes to can show. */
export interface Terminal {
  /** A person sits in front of it. */
  isTerminal: boolean;
  colour: boolean;
  /** Characters beyond ASCII. */
  unicode: boolean;
  columns: number;
}

export type Style = 'red' | 'yellow' | 'green' | 'dim' | 'bold';

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

/** The text in a colour, where there are colours. */
export function paint(terminal: Pick<Terminal, 'colour'>, style: Style, text: string): string {
  return terminal.colour ? styleText(style, text, { validateStream: false }) : text;
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

const BEYOND_ASCII = /⚠️|[^\p{ASCII}]/gu;

/** The text as a terminal without UTF-8 can show it: signs by their nearest spelling, anything else as `?`. */
export function legible(text: string, terminal: Pick<Terminal, 'unicode'>): string {
  return terminal.unicode ? text : text.replace(BEYOND_ASCII, (sign) => IN_ASCII[sign] ?? '?');
}

const BREAKS = /[\t\n\v\f\r\u0085\u2028\u2029]+/g;
/** C0, DEL and C1, and what turns the direction of writing for the rest of a line (Unicode, UAX #9). */
const CONTROLS = /[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu;

/** What somebody else wrote, in one line that a terminal shows and does not obey: a sign stands for each control. */
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

function widthOf(text: string): number {
  return stripVTControlCharacters(text).length;
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
