/** What a plain file says of `state.directory`: its value, or undefined where it does not name it. */
interface PlainFile {
  readonly stateDirectory: string | undefined;
}

/**
 * What may be in a comment: ASCII, Latin letters, punctuation and arrows. Tabs, control characters and the rest are left to the parser.
 * Ranges, because the classes of Unicode (`\p{C}`) take V8 longer to compile than a file to read.
 */
const SHOWN = ' -~\\u00a1-\\u00ac\\u00ae-\\u024f\\u2010-\\u2027\\u2030-\\u205e\\u2190-\\u21ff';
/** The same in quotation marks of that kind. */
const quotable = (without: string) => `(?:(?!${without})[${SHOWN}])*`;
/** Whole-line comments and blank lines. */
const NOTHING = new RegExp(`^ *(?:#[${SHOWN}]*)?$`);
const COMMENT = `(?: +#[${SHOWN}]*| *)`;
const SECTION = new RegExp(`^([a-z_]+):${COMMENT}$`);
const PLAIN = '[A-Za-z0-9/~+.](?:[A-Za-z0-9/~+._@%=?&,;()-]|:(?=[A-Za-z0-9/])| (?=[A-Za-z0-9/~+._(]))*';
const VALUE = `(?:"(${quotable('["\\\\]')})"|'(${quotable("'")})'|\\[\\]|(${PLAIN}))`;
const SETTING = new RegExp(`^  ([a-z_]+):(?: +${VALUE})?${COMMENT}$`);
const ITEM = new RegExp(`^    - ${VALUE}${COMMENT}$`);
/** A plain value that is a text for sure, not a number, a date or a word that YAML knows. */
const SURELY_TEXT = /^(?:\/|~\/)/;

/**
 * Reads a configuration file that is written as the shipped one is: sections at the margin, settings two spaces in, one
 * line each. Whatever it answers, the YAML parser would say too; it answers undefined for every file that has a single
 * line of another form, or a key twice, and then the parser must be asked.
 */
export function readPlainYaml(source: string): PlainFile | undefined {
  const seen = new Set<string>();
  let section: string | undefined;
  let mayHaveItems = false;
  let stateDirectory: string | undefined;
  for (const line of source.split('\n')) {
    if (NOTHING.test(line)) continue;
    const opened = SECTION.exec(line)?.[1];
    const [, setting, double, single, plain] = SETTING.exec(line) ?? [];
    if (opened !== undefined) {
      if (seen.has(opened)) return undefined;
      seen.add(opened);
      section = opened;
      mayHaveItems = false;
    } else if (setting !== undefined && section !== undefined) {
      const key = `${section}.${setting}`;
      if (seen.has(key)) return undefined;
      seen.add(key);
      const quoted = double ?? single;
      mayHaveItems = quoted === undefined && plain === undefined && !line.includes('[');
      if (key !== 'state.directory') continue;
      if (quoted === undefined && (plain === undefined || !SURELY_TEXT.test(plain))) return undefined;
      stateDirectory = quoted ?? plain;
    } else if (!mayHaveItems || !ITEM.test(line)) return undefined;
  }
  return { stateDirectory };
}
