import type { Mistake, Source } from './ConfigError.js';
import type { FileSettings } from './fileSettings.js';
import { checkSetting, type Setting, shownValue } from './settings.js';
import { suggest } from './suggest.js';
import { SECTION } from './yamlFile.js';

/** A value that was set for a setting. */
export interface Given {
  readonly source: Source;
  readonly value: unknown;
  readonly line: number | null;
  readonly place: string;
  /** Where relative paths start. */
  readonly base: string;
}

/** The error in a value, or undefined if it is valid. `conceal` removes secrets from the displayed value. */
export function judgeGiven(
  setting: Setting,
  { value, source, line, place }: Given,
  conceal: (text: string) => string,
): Mistake | undefined {
  const checked = checkSetting(setting, value);
  if (checked.kind === 'fits') return undefined;
  const suggestion = hint(setting, value, source);
  return {
    key: setting.key,
    line,
    found: describeFound(setting, value, conceal),
    expected: checked.expected,
    source,
    place,
    ...(suggestion === undefined ? {} : { suggestion }),
  };
}

/** A value for an error message: short, on one line, without secrets and without credentials in a URL. */
function describeFound(setting: Setting, value: unknown, conceal: (text: string) => string): string {
  if (value === SECTION) return 'a section';
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) {
    const items = value.map((item) => describeFound(setting, item, conceal));
    return items.length === 0 ? 'an empty list' : `[${items.join(', ')}]`;
  }
  if (typeof value !== 'string') return conceal(String(value));
  // No choice is that long: it is something misplaced, such as the secret below "auth:".
  if (setting.kind === 'choice' && value.length > 16) return `a text of ${value.length} characters`;
  if (setting.secretPath === true) return JSON.stringify(shownValue(setting, conceal(value)));
  // Concealed before it is cut, so that no half of a secret stays.
  const bare = conceal(value)
    .replace(/^.*:.*@/s, '…@')
    .replace(/\?.*$/s, '?…');
  return JSON.stringify(bare.length > 80 ? `${bare.slice(0, 80)}…` : bare);
}

function hint(setting: Setting, value: unknown, source: Source): string | undefined {
  if (typeof value !== 'string') return undefined;
  if (setting.kind === 'choice') {
    const meant = suggest(value, setting.options);
    return meant === undefined ? undefined : `did you mean ${meant}?`;
  }
  if (
    setting.kind === 'number' &&
    source === 'file' &&
    value.trim() !== '' &&
    checkSetting(setting, Number(value)).kind === 'fits'
  ) {
    return 'write it without quotes';
  }
  if (setting.kind === 'boolean' && source === 'file' && /^(?:true|false|yes|no|on|off)$/i.test(value)) {
    return `write ${/^(?:true|yes|on)$/i.test(value)} without quotes`;
  }
  if (setting.key === 'edge.user_phone') {
    const bare = value.replace(/[\s().-]/g, '');
    if (checkSetting(setting, bare).kind === 'fits') return `did you mean "${bare}"?`;
  }
  return undefined;
}

/** The error for a missing required setting, at the line where it could be added. */
export function missing(setting: Setting, file: FileSettings, name: string | null): Mistake {
  const line = file.bare.get(setting.key) ?? file.bare.get(setting.section) ?? null;
  const place = name === null ? 'no config file' : line === null ? name : `${name}:${line}`;
  // Of an account that has no number, the address does.
  const others = setting.key === 'edge.user_phone' ? ', or edge.user_address (USER_ADDRESS)' : '';
  const suggestion = `give it there or as ${setting.variables[0]}${others}`;
  const withoutFile = `give it as ${setting.variables[0]} or in a config.yaml${others}`;
  return {
    key: setting.key,
    line,
    found: 'nothing',
    expected: setting.expected,
    source: 'default',
    place,
    suggestion: name === null ? withoutFile : suggestion,
  };
}
