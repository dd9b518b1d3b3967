import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  visit,
} from 'yaml';
import { INPUT_LIMITS } from '../system/inputLimits.js';

/** One key of the file: a section (value `SECTION`) or a setting, with the line of its key. */
export interface YamlEntry {
  readonly path: readonly string[];
  readonly line: number;
  /** As YAML types it: `+1310…` without quotes is a number here. */
  readonly value: unknown;
  /** The same with unquoted numbers and truth values as they were written, for settings that are texts. */
  readonly text: unknown;
}

/** Something that keeps the file from being understood. `key` is empty when it concerns the file as such. */
interface YamlProblem {
  readonly key: string;
  readonly line: number;
  readonly found: string;
  readonly expected: string;
}

export interface YamlFile {
  readonly entries: readonly YamlEntry[];
  readonly problems: readonly YamlProblem[];
  /** False when the syntax is broken: nothing can be said about what the file does not contain. */
  readonly complete: boolean;
}

/** What begins or ends a key. Counted in texts and comments too, where few are. */
const KEY = /:(?=\s|$)|\?(?=\s)|\{/g;

/** The number of syntax errors that are listed individually. */
const MOST_FAULTS = 20;

/** Marks a mapping where a value was expected. */
export const SECTION: unique symbol = Symbol('a section');

/**
 * Reads a configuration file, two levels deep, keeping the line of every key. Never throws, never evaluates
 * a tag, and never quotes the file in a problem. A key without a value has the value null.
 */
export function readYaml(source: string): YamlFile {
  if (source.length > INPUT_LIMITS.configFile)
    return unreadable(
      `${source.length} characters`,
      `a configuration of at most ${INPUT_LIMITS.configFile} characters: name fewer addresses, or move notes to another file`,
    );
  const keys = source.match(KEY)?.length ?? 0;
  if (keys > INPUT_LIMITS.configKeys)
    return unreadable(
      `${keys} keys`,
      `a configuration of at most ${INPUT_LIMITS.configKeys} keys: remove those that are not settings`,
    );
  const lines = new LineCounter();
  if (isNestedTooDeep(source)) return unreadable('a syntax error (nested too deep)');
  const document = parseDocument(source, {
    lineCounter: lines,
    uniqueKeys: false,
    prettyErrors: false,
    // Not 'silent', which would also let a second document pass.
    logLevel: 'error',
  });

  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) {
    const problems = faults.slice(0, MOST_FAULTS).map((fault) => ({
      key: '',
      line: lines.linePos(fault.pos[0]).line,
      found: withoutQuotation(fault.message),
      expected: 'YAML',
    }));
    const left = faults.length - problems.length;
    const next = faults[MOST_FAULTS];
    if (next !== undefined)
      problems.push({
        key: '',
        line: lines.linePos(next.pos[0]).line,
        found: `the first of ${left} further syntax errors`,
        expected: 'YAML',
      });
    return { entries: [], problems, complete: false };
  }

  const entries: YamlEntry[] = [];
  const problems: YamlProblem[] = [];
  const named = aliasesOf(document);
  const resolve = (node: unknown): unknown => (isAlias(node) ? named.get(node) : node);
  // A list may be named by thousands of aliases: it is read once.
  const once = (asWritten: boolean) => memoised((node: unknown) => plain(node, resolve, asWritten));
  const typed = once(false);
  const written = once(true);
  const lineOf = (node: unknown, otherwise: number): number => {
    const start = (node as Node | null)?.range?.[0];
    return start === undefined ? otherwise : lines.linePos(start).line;
  };

  const walk = (pairs: readonly Pair[], parent: readonly string[], parentLine: number) => {
    const seen = new Map<string, number>();
    for (const pair of pairs) {
      const line = lineOf(pair.key, parentLine);
      const path = [...parent, keyName(pair.key)];
      const name = path.join('.');
      const first = seen.get(name);
      if (first !== undefined) {
        const expected = `it once (it is already on line ${first})`;
        problems.push({ key: name, line, found: 'the same key again', expected });
        continue;
      }
      seen.set(name, line);
      const node = resolve(pair.value);
      entries.push({ path, line, value: typed(node), text: written(node) });
      if (isMap(node) && path.length === 1) walk(node.items, path, line);
    }
  };

  const top = resolve(document.contents);
  if (isMap(top)) walk(top.items, [], 1);
  else if (top !== null && top !== undefined) {
    const found = isSeq(top) ? 'a list' : 'a single value';
    const expected = 'sections such as "edge:" and "backend:"';
    problems.push({ key: '', line: lineOf(top, 1), found, expected });
  }
  return { entries, problems, complete: true };
}

function unreadable(found: string, expected = 'YAML'): YamlFile {
  return { entries: [], problems: [{ key: '', line: 1, found, expected }], complete: false };
}

function memoised(read: (node: unknown) => unknown): (node: unknown) => unknown {
  const known = new Map<unknown, unknown>();
  return (node) => {
    if (!known.has(node)) known.set(node, read(node));
    return known.get(node);
  };
}

/** The target of each alias, in one walk: the parser's own look-up walks the document once for each alias. */
function aliasesOf(document: Document): ReadonlyMap<unknown, unknown> {
  const anchors = new Map<string, unknown>();
  const named = new Map<unknown, unknown>();
  visit(document, (_key, node) => {
    if (isAlias(node)) named.set(node, anchors.get(node.source));
    else if (isMap(node) || isSeq(node) || isScalar(node)) {
      if (node.anchor !== undefined) anchors.set(node.anchor, node);
    }
  });
  return named;
}

/** Spaces, dashes and question marks before the first word of a line: each level of blocks has one at least. */
const DEEP_LINE = /^[ \-?:\t]{129}/m;

/**
 * The parser has no limit but the stack, and V8 ends the process where a pattern is compiled at its end. Two levels are all that
 * a configuration has, so brackets in texts may count as well.
 */
function isNestedTooDeep(source: string): boolean {
  let depth = 0;
  for (const [bracket] of source.matchAll(/[[{\]}]/g)) {
    depth = bracket === '[' || bracket === '{' ? depth + 1 : Math.max(0, depth - 1);
    if (depth > INPUT_LIMITS.nesting) return true;
  }
  return DEEP_LINE.test(source);
}

function keyName(key: unknown): string {
  return isScalar(key) ? String(key.source ?? key.value) : '(a key that is not a word)';
}

/** Lists are taken one level deep: no setting has more, and a list may contain itself. */
function plain(node: unknown, resolve: (node: unknown) => unknown, asWritten: boolean): unknown {
  if (isSeq(node)) {
    return node.items.map((item) => {
      const resolved = resolve(item);
      return isSeq(resolved) ? [] : plain(resolved, resolve, asWritten);
    });
  }
  if (isMap(node)) return SECTION;
  if (!isScalar(node)) return null;
  const isPlainNonText = typeof node.value !== 'string' && node.value !== null;
  return asWritten && isPlainNonText && node.source !== undefined ? node.source : node.value;
}

/** The parser's messages may end in a piece of the file, which may be a misplaced secret. */
function withoutQuotation(message: string): string {
  const [head = message] = message.split(/: |\n/);
  return `a syntax error (${head})`;
}
