import {
  Document,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Pair,
  parseDocument,
  type YAMLMap,
} from 'yaml';
import { EdgeError } from '../errors.js';
import { readYaml, type YamlFile } from './yamlFile.js';

/** The file's own text, taken apart. `newline` is how its lines end. */
interface Parsed {
  readonly source: string;
  readonly lines: LineCounter;
  readonly root: unknown;
  readonly newline: string;
}

/**
 * The text of a configuration file with other values for some settings (by key), and every other character unchanged:
 * comments, order, quotes and blank lines. A new setting gets its own line, after the comment that shows its default if
 * there is one. Throws EdgeError `config_unreadable` if the file cannot be changed that way, for example because
 * another key uses the same value by an alias; then it must be changed manually.
 */
export function yamlWith(source: string, changes: ReadonlyMap<string, unknown>): string {
  let text = source;
  for (const [key, value] of changes) text = withSetting(text, key, value);
  const before = readYaml(source);
  const after = readYaml(text);
  const isAsWanted = after.complete && after.problems.length <= before.problems.length;
  const keepsComments = commentsOf(source).join('\n') === commentsOf(text).join('\n');
  if (isAsWanted && keepsComments && sameBut(changes, before, after)) return text;
  throw byHand();
}

function byHand(): EdgeError {
  return new EdgeError(
    'config_unreadable',
    'The configuration file is written in a form that cannot be changed without changing other settings or comments. Nothing was changed.',
    'Change it yourself: edge-agent config edit',
  );
}

function withSetting(source: string, key: string, value: unknown): string {
  const [section = '', name = ''] = key.split('.');
  const lines = new LineCounter();
  const document = parseDocument(source, {
    lineCounter: lines,
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'error',
  });
  if (document.errors.length > 0) throw byHand();
  const newline = source.includes('\r\n') ? '\r\n' : '\n';
  const file: Parsed = { source, lines, root: document.contents, newline };
  if (file.root === null || (isScalar(file.root) && file.root.value === null))
    return appended(file, '', section, name, value);
  if (!isMap(file.root)) throw byHand();
  const inRoot = pairOf(file.root, section);
  if (inRoot === undefined) {
    if (file.root.flow === true) return inFlow(file, file.root, `${section}: { ${name}: ${inlined(value)} }`);
    return appended(file, ' '.repeat(columnOf(file, file.root.items[0]?.key)), section, name, value);
  }
  const below = inRoot.value;
  if (isMap(below)) {
    const pair = pairOf(below, name);
    if (pair !== undefined) return replaced(file, pair, value, below.flow === true);
    if (below.flow === true) return inFlow(file, below, `${name}: ${inlined(value)}`);
    return inserted(file, inRoot, ' '.repeat(columnOf(file, below.items[0]?.key)), name, value);
  }
  if (below === null || (isScalar(below) && below.value === null && (below.source ?? '') === ''))
    return inserted(file, inRoot, `${' '.repeat(columnOf(file, inRoot.key))}  `, name, value);
  throw byHand();
}

function pairOf(map: YAMLMap, name: string): Pair | undefined {
  return map.items.find(({ key }) => isScalar(key) && String(key.source ?? key.value) === name);
}

/** Another value in the place of the one that is there. */
function replaced({ source, newline }: Parsed, pair: Pair, value: unknown, isFlow: boolean): string {
  const node = pair.value as { range?: [number, number, number] | null } | null;
  const keyEnd = rangeOf(pair.key)[1];
  const isEmpty = node === null || (isScalar(node) && node.value === null && (node.source ?? '') === '');
  if (isEmpty) {
    const colon = source.indexOf(':', keyEnd) + 1;
    if (colon === 0) throw byHand();
    return `${source.slice(0, colon)} ${inlined(value)}${source.slice(colon)}`;
  }
  const [start, end] = rangeOf(node);
  const old = source.slice(start, end);
  // A block scalar or list ends behind its line.
  const tail = /\s*$/.exec(old)?.[0] ?? '';
  const fresh =
    isSeq(node) && node.flow !== true && Array.isArray(value) && value.length > 0
      ? value.map((item) => `- ${inlined(item)}`).join(`${newline}${indentBefore(source, start)}`)
      : isFlow || Array.isArray(value)
        ? inlined(value)
        : scalar(value);
  return `${source.slice(0, start)}${fresh}${tail}${source.slice(end)}`;
}

/** A line for a setting, in a section that has none of that name. */
function inserted(
  { source, newline }: Parsed,
  section: Pair,
  indent: string,
  name: string,
  value: unknown,
): string {
  const begin = lineEnd(source, rangeOf(section.key)[1]);
  const shown = new RegExp(`^[ \\t]*# ?${name}:`);
  let at = begin;
  // The comments and settings of the section, up to the first line that begins left of them.
  for (let from = begin; from < source.length; ) {
    const end = lineEnd(source, from);
    const line = source.slice(from, end);
    if (/^[^\s#]/.test(line)) break;
    if (shown.test(line)) {
      at = end;
      break;
    }
    from = end;
  }
  const needsBreak = at > 0 && source[at - 1] !== '\n';
  const line = `${needsBreak ? newline : ''}${indent}${name}: ${Array.isArray(value) ? inlined(value) : scalar(value)}${newline}`;
  return `${source.slice(0, at)}${line}${source.slice(at)}`;
}

/** A new section, at the end. */
function appended(
  { source, newline }: Parsed,
  indent: string,
  section: string,
  name: string,
  value: unknown,
): string {
  const gap = source === '' || source.endsWith('\n') ? '' : newline;
  const shown = Array.isArray(value) ? inlined(value) : scalar(value);
  return `${source}${gap}${indent}${section}:${newline}${indent}  ${name}: ${shown}${newline}`;
}

/** An entry behind the opening brace. */
function inFlow({ source }: Parsed, map: YAMLMap, entry: string): string {
  const at = rangeOf(map)[0] + 1;
  const more = map.items.length === 0 ? ' ' : ',';
  return `${source.slice(0, at)} ${entry}${more}${source.slice(at)}`;
}

/** As a value on its own line: plain if YAML reads that as the same text. */
function scalar(value: unknown): string {
  const written = new Document(value).toString({ lineWidth: 0 }).trimEnd();
  return written.includes('\n') ? inlined(value) : written;
}

/** As it may stand anywhere: JSON is YAML. */
function inlined(value: unknown): string {
  return JSON.stringify(value);
}

function rangeOf(node: unknown): [number, number] {
  const range = (node as { range?: [number, number, number] | null } | null)?.range;
  if (range === undefined || range === null) throw byHand();
  return [range[0], range[1]];
}

function columnOf({ lines }: Parsed, node: unknown): number {
  return lines.linePos(rangeOf(node)[0]).col - 1;
}

/** Behind the line break of the line that `at` is on. */
function lineEnd(source: string, at: number): number {
  const found = source.indexOf('\n', at);
  return found < 0 ? source.length : found + 1;
}

function indentBefore(source: string, at: number): string {
  return ' '.repeat(at - (source.lastIndexOf('\n', at - 1) + 1));
}

/** The text after each `#` that begins a comment. */
function commentsOf(source: string): string[] {
  const tokens = [...new Lexer().lex(source)];
  // U+001F says that the next token is a scalar.
  return tokens.filter((token, index) => token.startsWith('#') && tokens[index - 1] !== '\u001f');
}

/** Whether both files say the same, but for what was to be changed, which the second says as wanted. */
function sameBut(changes: ReadonlyMap<string, unknown>, before: YamlFile, after: YamlFile): boolean {
  const said = (file: YamlFile) =>
    new Map(
      file.entries
        .filter(({ path }) => path.length > 1)
        .map(({ path, value, text }) => [path.join('.'), { value, text }]),
    );
  const [old, now] = [said(before), said(after)];
  for (const [key, value] of changes) {
    const found = now.get(key);
    if (JSON.stringify(found?.value) !== JSON.stringify(value)) return false;
    old.delete(key);
    now.delete(key);
  }
  const sections = (file: YamlFile) =>
    file.entries.filter(({ path }) => path.length === 1).map(({ path }) => path.join());
  const isKnown = new Set(sections(after));
  return (
    JSON.stringify([...old]) === JSON.stringify([...now]) &&
    sections(before).every((name) => isKnown.has(name))
  );
}
