import type { LogFields } from './Logger.js';

export type LogFormat = 'text' | 'json';
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** One event of the log, before it is a line. */
export interface LogEvent {
  /** Wall-clock Unix time in ms. */
  readonly time: number;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

/** A function that writes an event as exactly one line, newline included. `conceal` sees every text first. */
type LineFormatter = (event: LogEvent, conceal: (text: string) => string) => string;

export const FORMATTERS: Readonly<Record<LogFormat, LineFormatter>> = { text: formatText, json: formatJson };

/**
 * What ends a line for some reader, moves a terminal's cursor or changes what a person sees of a line: C0, DEL, C1, Unicode's two
 * line separators, and the characters that change the direction of writing (Unicode, UAX #9).
 */
const UNPRINTABLE = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;
const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };
/** Longer texts are cut: a line is for reading, and must fit what is kept while the disk is full. */
const LONGEST_TEXT = 16_384;
const NEEDS_QUOTES = /[\s"=\\]|^$/;

/** The same event with every text as a line would show it: concealed, then cut. */
export function concealedEvent(event: LogEvent, conceal: (text: string) => string): LogEvent {
  const fields = Object.entries(event.fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => [conceal(key), concealed(value ?? null, conceal)] as const);
  return {
    ...event,
    message: shown(event.message, conceal),
    fields: Object.fromEntries(fields),
  };
}

/** `[2025-11-05T20:35:13.500Z] [INFO] message key=value other="two words"`. */
function formatText({ time, level, message, fields }: LogEvent, conceal: (text: string) => string): string {
  let line = `[${isoTime(time)}] [${level.toUpperCase()}] ${shown(message, conceal)}`;
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const text = shown(String(value), conceal);
    line += ` ${conceal(key)}=${NEEDS_QUOTES.test(text) ? JSON.stringify(text) : text}`;
  }
  return `${onOneLine(line)}\n`;
}

/** `{"time":"…","level":"info","msg":"…",…fields}`; a field that would shadow one of the three gets a `_` behind. */
function formatJson({ time, level, message, fields }: LogEvent, conceal: (text: string) => string): string {
  const record: Record<string, unknown> = { time: isoTime(time), level, msg: shown(message, conceal) };
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const name = conceal(key);
    record[name in record ? `${name}_` : name] = concealed(value, conceal);
  }
  return `${onOneLine(JSON.stringify(record))}\n`;
}

/** A number or truth value stays what it is unless a secret shows in it. */
function concealed(
  value: string | number | boolean | null,
  conceal: (text: string) => string,
): string | number | boolean | null {
  const text = String(value);
  const safe = shown(text, conceal);
  return safe === text ? value : safe;
}

/** Concealed before it is cut, so that no half of a secret stays. */
function shown(text: string, conceal: (text: string) => string): string {
  const safe = conceal(text);
  if (safe.length <= LONGEST_TEXT) return safe;
  return `${safe.slice(0, LONGEST_TEXT)}… (${safe.length - LONGEST_TEXT} characters more)`;
}

/** The text with what would end its line, move a terminal's cursor or reorder it, written as an escape (`\\n`, `\\u001b`). Idempotent. */
export function onOneLine(text: string): string {
  return text.replace(
    UNPRINTABLE,
    (character) => SHORT[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** A clock beyond what a date can hold must not cost the line. */
function isoTime(time: number): string {
  if (time !== last.time) last = { time, iso: isoTimeOf(time) };
  return last.iso;
}

/** Many lines have the same time. */
let last = { time: Number.NaN, iso: '' };

function isoTimeOf(time: number): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? 'unknown time' : date.toISOString();
}

/** A shorter one is a word, or part of many: hiding it would garble what is said and hide nothing. In UTF-16 units. */
const SHORTEST_HIDDEN = 6;
/** A shorter one is hidden as a whole value only, not within a longer word. */
const SHORTEST_ANYWHERE = 16;

/**
 * A function that puts `[secret]` in the place of every given secret in a text, also where the secret is written as in JSON or
 * percent-encoded. One of less than 16 characters is hidden where it is a whole value (no letter, digit, `_` or `-` touches it), one
 * of less than 6 nowhere. With none the text comes back as it is.
 */
export function redactor(secrets: readonly string[]): (text: string) => string {
  const forms = new Set(secrets.filter((secret) => secret.length >= SHORTEST_HIDDEN).flatMap(formsOf));
  if (forms.size === 0) return (text) => text;
  // The longest first: a secret that begins like another must not leave its end behind.
  const longestFirst = [...forms].toSorted((a, b) => b.length - a.length);
  const pattern = new RegExp(longestFirst.map(patternOf).join('|'), 'gu');
  return (text) => text.replace(pattern, '[secret]');
}

function formsOf(secret: string): string[] {
  return [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(wellFormed(secret))];
}

/** Half a surrogate pair cannot be percent-encoded. */
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\uFFFD');
}

function patternOf(form: string): string {
  const escaped = escapePattern(form);
  return form.length >= SHORTEST_ANYWHERE ? escaped : `(?<![\\p{L}\\p{N}_-])${escaped}(?![\\p{L}\\p{N}_-])`;
}

function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}
