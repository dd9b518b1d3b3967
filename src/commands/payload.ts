import { z } from 'zod';
import { kindOf } from '../system/plainIssues.js';
import { sendableText } from '../system/utf8.js';

/** The other names under which a field of a payload may come, by the name that we use. */
export type Aliases = Readonly<Record<string, readonly string[]>>;

type ParsedPayload<T> = { kind: 'ok'; payload: T } | { kind: 'invalid'; message: string };

/** Of a list of a million wrong things, enough to see what is wrong. */
const MOST_TOLD = 20;
const LONGEST_MESSAGE = 4_000;

/**
 * Reads a payload by its schema after giving aliased fields their own names (the first name that is present wins).
 * A mistake is told with the field as it was sent, what was found (its kind, never its value) and what is expected.
 */
export function parsePayload<T>(
  schema: z.ZodType<T>,
  aliases: Aliases,
  sent: Record<string, unknown>,
): ParsedPayload<T> {
  const named: Record<string, unknown> = { ...sent };
  const sentAs: Record<string, string> = {};
  for (const [field, others] of Object.entries(aliases)) {
    const present = [field, ...others].find((name) => sent[name] !== undefined && sent[name] !== null);
    if (present === undefined) continue;
    named[field] = sent[present];
    sentAs[field] = present;
  }
  const parsed = schema.safeParse(named);
  if (parsed.success) return { kind: 'ok', payload: parsed.data };
  const mistakes = parsed.error.issues.slice(0, MOST_TOLD).map((issue) => {
    const [top, ...rest] = issue.path.map(String);
    const field = [sentAs[top ?? ''] ?? top ?? '', ...rest].join('.');
    const others = aliases[top ?? ''];
    const found = kindOf(issue.path.reduce<unknown>(step, named));
    const also = others === undefined ? '' : ` (also accepted as ${others.join(', ')})`;
    return `payload.${field}: expected ${issue.message}${also}, found ${found}`;
  });
  return { kind: 'invalid', message: mistakes.join('; ').slice(0, LONGEST_MESSAGE) };
}

/** A string with something in it other than white space. */
export function filled(what: string) {
  return z.string(what).refine((value) => sendableText(value).trim() !== '', what);
}

function step(value: unknown, key: PropertyKey): unknown {
  return typeof value === 'object' && value !== null
    ? (value as Record<PropertyKey, unknown>)[key]
    : undefined;
}
