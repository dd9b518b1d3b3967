import type { Mistake } from './ConfigError.js';
import { SETTINGS, SETTINGS_BY_KEY } from './settings.js';
import { suggest } from './suggest.js';
import { SECTION, type YamlEntry, type YamlFile } from './yamlFile.js';

/** A setting's value as the file gives it. */
interface FromFile {
  readonly value: unknown;
  readonly line: number;
}

export interface FileSettings {
  readonly values: ReadonlyMap<string, FromFile>;
  /** The line of every key without a value, including sections: where to fill in missing settings. */
  readonly bare: ReadonlyMap<string, number>;
  readonly mistakes: readonly Mistake[];
}

const SECTIONS: readonly string[] = [...new Set(SETTINGS.map((setting) => setting.section))];

/** Sorts the keys of a file into settings and errors. `name` is the name of the file in the errors. */
export function fileSettings(file: YamlFile, name: string): FileSettings {
  const values = new Map<string, FromFile>();
  const bare = new Map<string, number>();
  const mistake = (
    entry: { line: number },
    key: string,
    found: string,
    expected: string,
    suggestion?: string,
  ) => ({
    key,
    line: entry.line,
    found,
    expected,
    source: 'file' as const,
    place: `${name}:${entry.line}`,
    ...(suggestion === undefined ? {} : { suggestion }),
  });
  const mistakes: Mistake[] = file.problems.map((problem) =>
    mistake(problem, problem.key, problem.found, problem.expected),
  );

  for (const entry of file.entries) {
    const [section = '', leaf] = entry.path;
    const key = entry.path.join('.');
    if (leaf === undefined) {
      if (!SECTIONS.includes(section)) {
        mistakes.push(mistake(entry, key, 'an unknown section', oneOf(SECTIONS), hintForSection(section)));
      } else if (entry.value === null || entry.value === SECTION) {
        bare.set(section, entry.line);
      } else {
        const keys = `a section with keys such as "${keysOf(section)[0]}:"`;
        mistakes.push(mistake(entry, key, Array.isArray(entry.value) ? 'a list' : 'a single value', keys));
      }
      continue;
    }
    if (!SECTIONS.includes(section)) continue;
    const setting = leaf.includes('.') ? undefined : SETTINGS_BY_KEY.get(key);
    if (setting === undefined) {
      mistakes.push(
        mistake(entry, key, 'an unknown key', `a key of "${section}:"`, hintForKey(section, leaf)),
      );
    } else if (entry.value === null) {
      bare.set(key, entry.line);
    } else {
      values.set(key, { value: valueFor(setting.kind, entry), line: entry.line });
    }
  }
  return { values, bare, mistakes };
}

function valueFor(kind: string, entry: YamlEntry): unknown {
  return kind === 'number' || kind === 'boolean' ? entry.value : entry.text;
}

function keysOf(section: string): string[] {
  return SETTINGS.filter((setting) => setting.section === section).map((setting) => setting.name);
}

function oneOf(words: readonly string[]): string {
  return `one of ${words.join(', ')}`;
}

function hintForSection(name: string): string | undefined {
  if (looksSecret(name)) return SECRET_HINT;
  const dotted = name.includes('.') ? SETTINGS_BY_KEY.get(name) : undefined;
  if (dotted !== undefined) return `write it as "${dotted.name}:" below "${dotted.section}:"`;
  const elsewhere = SETTINGS.find((setting) => setting.name === name);
  const meant = elsewhere?.key ?? suggest(name, SECTIONS) ?? suggestSetting(name);
  return meant === undefined ? undefined : `did you mean ${meant}?`;
}

function hintForKey(section: string, name: string): string | undefined {
  const elsewhere = SETTINGS.find((setting) => setting.name === name)?.key;
  const near = elsewhere ?? suggest(name, keysOf(section));
  if (near === undefined && looksSecret(name)) return SECRET_HINT;
  const meant = near ?? suggestSetting(name);
  return meant === undefined ? undefined : `did you mean ${meant}?`;
}

/** The setting, of any section, whose own name is nearest. */
function suggestSetting(name: string): string | undefined {
  const nearest = suggest(
    name,
    SETTINGS.map((setting) => setting.name),
  );
  return SETTINGS.find((setting) => setting.name === nearest)?.key;
}

const SECRET_HINT = 'secrets belong in .env: EDGE_SECRET, EDGE_TOKEN, REGISTRATION_TOKEN';

function looksSecret(name: string): boolean {
  return /secret|token|password/i.test(name);
}
