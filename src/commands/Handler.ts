import { z } from 'zod';
import type { HandlerResult, ReceivedCommand } from '../model/command.js';
import { INPUT_LIMITS } from '../system/inputLimits.js';
import { kindOf } from '../system/plainIssues.js';
import { sendableText } from '../system/utf8.js';

/** The other names under which a field of a payload may come, by the name that we use. */
export type Aliases = Readonly<Record<string, readonly string[]>>;

type ParsedPayload<T> = { kind: 'ok'; payload: T } | { kind: 'invalid'; message: string };

/** Of a list of a million wrong things, enough to see what is wrong. */
const MOST_TOLD = 20;
const LONGEST_MESSAGE = 4_000;

/**
 * Reads a payload by its schema after renaming aliased fields (the first name that is present wins). An error names the
 * field as it was sent, what was found (its kind, never its value) and what is expected.
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

/**
 * What is done for one command type. `run` is called inside the write that stores the command and does nothing but
 * write to the store: command and effect are on the disk together or not at all.
 */
export interface Handler {
  /** The type and its aliases. */
  types: readonly string[];
  run(command: ReceivedCommand): HandlerResult;
}

/** A handler that sees only payloads which fit its schema; others fail with an ack that names the field. */
export function handlerOf<T>(definition: {
  types: readonly string[];
  aliases: Aliases;
  /** May depend on what the payload has. */
  schema: z.ZodType<T> | ((payload: Record<string, unknown>) => z.ZodType<T>);
  /** Reads what nearly every payload is, without the schema; undefined where that is to decide. Gives what the schema gives. */
  plain?(payload: Record<string, unknown>): T | undefined;
  run(command: ReceivedCommand, payload: T): HandlerResult;
}): Handler {
  const { types, schema, aliases } = definition;
  return {
    types,
    run(command) {
      const plain = definition.plain?.(command.payload);
      if (plain !== undefined) return definition.run(command, plain);
      const fitting = typeof schema === 'function' ? schema(command.payload) : schema;
      const parsed = parsePayload(fitting, aliases, command.payload);
      if (parsed.kind === 'invalid')
        return { kind: 'failed', code: 'invalid_payload', message: parsed.message };
      return definition.run(command, parsed.payload);
    },
  };
}

/** Names under which backends send the fields that several commands share. */
export const THREAD_ALIASES = { thread_id: ['chat_guid'] } as const;
export const TEXT_ALIASES = { text: ['message_text', 'message'] } as const;
export const TIME_ALIASES = { send_at: ['schedule_time'] } as const;

const THREAD = 'a phone number, an e-mail address or a chat id';
/** What has a semicolon is a chat's guid (`iMessage;-;+1…`, `any;+;chat…`); nothing else has one. */
const THREAD_ID = /^(?:[A-Za-z]*;[-+];)?[^;]+$/;
export const threadId = filled(THREAD).refine(
  (value) =>
    value.length <= INPUT_LIMITS.identifier && THREAD_ID.test(value.trim()) && !/\p{Cc}/u.test(value),
  THREAD,
);
export const text = filled('a text');
/** A text with files may be empty. */
export const textBesideFiles = z
  .string('a text')
  .nullish()
  .transform((given) => ((given ?? '').trim() === '' ? '' : (given ?? '')));

const TIME = 'a time in ISO 8601, such as 2026-02-16T18:30:00Z';
const HAS_ZONE = /(z|[+-]\d{2}:?\d{2})$/i;
const DATE_AND_TIME = /^\d{4}-\d{2}-\d{2}([t ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(z|[+-]\d{2}:?\d{2})?)?$/i;

/** ISO 8601 to Unix ms; a time without a zone is UTC. */
export const instant = z.string(TIME).transform((value, context) => {
  const written = value.trim();
  const dateOnly = written.length === 10;
  const zoned = dateOnly || HAS_ZONE.test(written) ? written : `${written}Z`;
  const at = DATE_AND_TIME.test(written) ? Date.parse(zoned) : Number.NaN;
  if (!Number.isNaN(at)) return at;
  context.addIssue({ code: 'custom', message: TIME });
  return z.NEVER;
});
