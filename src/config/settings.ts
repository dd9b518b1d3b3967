import { z } from 'zod';
import { shownAddress } from './backendUrls.js';
import { configSchema } from './schema.js';
import { type SettingNotes, settingNotes } from './settingNotes.js';

type SettingKind = 'text' | 'number' | 'boolean' | 'choice' | 'list';

/** One leaf of the schema. */
export interface Setting extends SettingNotes {
  /** Its path in the configuration: `backend.sync_interval_seconds`. */
  readonly key: string;
  readonly section: string;
  readonly name: string;
  /** Its environment names; the first is the documented one and wins over the second. */
  readonly variables: readonly [string, ...string[]];
  readonly kind: SettingKind;
  readonly options: readonly string[];
  /** Undefined where there is none: the setting is optional, required, or has a derived default. */
  readonly default: unknown;
  readonly required: boolean;
  /** Completes "expected …": type, unit and range. */
  readonly expected: string;
  readonly schema: z.ZodType;
}

type Checked =
  | { readonly kind: 'fits'; readonly value: unknown }
  | { readonly kind: 'unfit'; readonly expected: string };

/** A row of the reference documentation. `default` is null where there is none, words where it is derived. */
export interface SettingDocumentation {
  readonly key: string;
  readonly env: string;
  readonly default: string | number | boolean | readonly string[] | null;
  readonly type: string;
  readonly description: string;
  /** The default is in words. */
  readonly derived: boolean;
  readonly required: boolean;
  readonly remote: boolean;
  readonly reload: boolean;
}

/** Every setting, in the order of the schema. */
export const SETTINGS: readonly Setting[] = Object.entries(configSchema.shape).flatMap(([section, schema]) =>
  Object.entries(schema.shape).map(([name, leaf]) => describeSetting(section, name, leaf)),
);

export const SETTINGS_BY_KEY: ReadonlyMap<string, Setting> = new Map(
  SETTINGS.map((setting) => [setting.key, setting]),
);

/** Judges one value by the schema alone (not against other settings). Pure; for live changes as for loading. */
export function checkSetting(setting: Setting, value: unknown): Checked {
  const result = setting.schema.safeParse(value);
  if (result.success) return { kind: 'fits', value: result.data };
  const own = result.error.issues.find((issue) => issue.code === 'custom');
  return { kind: 'unfit', expected: own?.message ?? setting.expected };
}

/** A value as it may be shown to people who may see the configuration. */
export function shownValue(setting: Setting, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  if (setting.secretUser === true) return shownAddress(value);
  if (setting.secretPath !== true) return value;
  return value.replace(/^([a-z]+:\/\/)?(?:[^/]*@)?([^/]*).*$/is, '$1$2/…');
}

/** The reference of all settings, straight from the schema. */
export function configDocumentation(): SettingDocumentation[] {
  return SETTINGS.map((setting) => ({
    key: setting.key,
    env: setting.variables[0],
    default: setting.derived ?? documentedDefault(setting.default),
    type: setting.expected.replace(/^an? /, ''),
    description: setting.description,
    derived: setting.derived !== undefined,
    required: setting.required,
    remote: setting.remote === true,
    reload: setting.reload === true,
  }));
}

function describeSetting(section: string, name: string, schema: z.ZodType): Setting {
  const notes = settingNotes.get(schema);
  if (notes === undefined) throw new Error(`${section}.${name} has no notes in the schema`);
  const inner = unwrap(schema);
  const long = `EDGE_${section}_${name}`.toUpperCase();
  return {
    ...notes,
    key: `${section}.${name}`,
    section,
    name,
    variables: notes.variable === undefined || notes.variable === long ? [long] : [notes.variable, long],
    kind: kindOf(inner),
    options: inner instanceof z.ZodEnum ? inner.options.map(String) : [],
    default: schema instanceof z.ZodDefault ? schema.def.defaultValue : undefined,
    required: notes.derived === undefined && !schema.safeParse(undefined).success,
    expected: notes.expected ?? expectation(inner, name),
    schema,
  };
}

function unwrap(schema: z.ZodType): unknown {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodOptional) return schema.unwrap();
  return schema;
}

function kindOf(schema: unknown): SettingKind {
  if (schema instanceof z.ZodNumber) return 'number';
  if (schema instanceof z.ZodBoolean) return 'boolean';
  if (schema instanceof z.ZodEnum) return 'choice';
  if (schema instanceof z.ZodArray) return 'list';
  return 'text';
}

function expectation(schema: unknown, name: string): string {
  if (schema instanceof z.ZodBoolean) return 'true or false';
  if (schema instanceof z.ZodEnum) return `one of ${schema.options.join(', ')}`;
  if (schema instanceof z.ZodNumber) {
    const number = schema.format === 'safeint' ? 'a whole number' : 'a number';
    return `${number}${unit(name)} from ${schema.minValue} to ${schema.maxValue}`;
  }
  return 'a text';
}

/** The unit is at the end of a setting's name. */
function unit(name: string): string {
  if (name.endsWith('_seconds')) return ' of seconds';
  if (name.endsWith('_days')) return ' of days';
  if (name.endsWith('_hours')) return ' of hours';
  if (name.endsWith('_minutes')) return ' of minutes';
  if (name.endsWith('_ms')) return ' of milliseconds';
  return '';
}

function documentedDefault(value: unknown): SettingDocumentation['default'] {
  if (Array.isArray(value)) return value.map(String);
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  return null;
}
