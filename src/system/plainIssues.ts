import type { z } from 'zod';

/**
 * What a value should have been and what was found (its kind, never the value), in plain words for the sender. Pass it
 * to zod as the `error` of a parse; a schema's own messages take precedence.
 */
export function plainIssue(issue: z.core.$ZodRawIssue): string {
  const found = kindOf(issue.input);
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${KINDS[issue.expected] ?? issue.expected}, found ${found}`;
    case 'invalid_value': {
      const values = issue.values.map((value) => JSON.stringify(value));
      return `expected ${values.length === 1 ? '' : 'one of '}${values.join(', ')}`;
    }
    case 'too_small':
      if (Number(issue.minimum) === 1 && issue.origin === 'string') return 'expected some text, found none';
      return `expected at least ${amount(issue.origin, issue.minimum)}`;
    case 'too_big':
      return `expected at most ${amount(issue.origin, issue.maximum)}`;
    case 'invalid_format':
      return `expected ${FORMATS[issue.format] ?? `text of the form ${issue.format}`}`;
    case 'unrecognized_keys':
      return `unknown: ${issue.keys.join(', ')}`;
    case 'invalid_union':
      return `fits none of its forms: found ${found}`;
    default:
      return 'is not valid';
  }
}

/** What a value is, as a person would say; it names nothing of it. */
export function kindOf(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'string') return value.trim() === '' ? 'an empty string' : 'a string';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** Each error with the path of its field; an unknown key is a field as well. */
export function mistakesIn({ issues }: z.ZodError): { path: PropertyKey[]; message: string }[] {
  return issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({ path: [...issue.path, key], message: 'is not a known field' }))
      : [{ path: issue.path, message: issue.message }],
  );
}

/** Every error of a body with the path of its field, as in `command_acks[0].command_id: expected string`. */
export function fieldErrors(error: z.ZodError, root = ''): string[] {
  return mistakesIn(error).map(({ path, message }) => `${fieldPath(root, path) || 'body'}: ${message}`);
}

function fieldPath(root: string, path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (sofar, key) =>
      typeof key === 'number' ? `${sofar}[${key}]` : sofar === '' ? String(key) : `${sofar}.${String(key)}`,
    root,
  );
}

const KINDS: Readonly<Record<string, string>> = {
  array: 'a list',
  boolean: 'true or false',
  int: 'a whole number',
  nan: 'a number',
  number: 'a number',
  object: 'an object',
  record: 'an object',
  string: 'a string',
};

const FORMATS: Readonly<Record<string, string>> = {
  base64: 'base64',
  datetime: 'a time in ISO 8601 with its zone, such as 2026-12-24T09:00:00Z',
  email: 'an e-mail address',
  url: 'a URL',
};

function amount(origin: string, limit: number | bigint): string {
  if (origin === 'string') return `${limit} characters`;
  return origin === 'array' ? `${limit} entries` : String(limit);
}
