const UNITS_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const TIME_OF_DAY = /^(\d{1,2}):(\d{2})(?::(\d{2}))?$/;
const DATE_AND_TIME =
  /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:?\d{2})?)?$/i;

/** A stretch of time as a person writes it (`90s`, `10m`, `2h`, `1d`), in ms; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const [, count = '', unit = ''] = /^(\d{1,6}) ?([a-z]+)$/.exec(text.trim()) ?? [];
  const unitMs = Object.hasOwn(UNITS_MS, unit) ? UNITS_MS[unit] : undefined;
  return unitMs === undefined ? undefined : Number(count) * unitMs;
}

/** A date, with or without a time; local unless it has a zone. Unix ms; undefined for anything else. */
function parseDate(text: string): number | undefined {
  const written = text.trim();
  if (!DATE_AND_TIME.test(written)) return undefined;
  // A date alone would be parsed as UTC.
  const at = Date.parse(written.length === 10 ? `${written}T00:00` : written.replace(' ', 'T'));
  return Number.isNaN(at) ? undefined : at;
}

/** A time in the past: so long before `now`, a time of day (the last that was), or a date. */
export function parsePast(text: string, now: number): number | undefined {
  const ms = parseDuration(text);
  if (ms !== undefined) return now - ms;
  return atTimeOfDay(text, now, (at) => (at > now ? -1 : 0)) ?? parseDate(text);
}

/** A time to come: so long after `now`, a time of day (the next that comes), or a date. */
export function parseFuture(text: string, now: number): number | undefined {
  const ms = parseDuration(text.trim().replace(/^(?:\+|in )/, ''));
  if (ms !== undefined) return now + ms;
  return atTimeOfDay(text, now, (at) => (at <= now ? 1 : 0)) ?? parseDate(text);
}

/** That time of the day of `now`, so many days later as `shift` says of it; undefined if it is none. */
function atTimeOfDay(text: string, now: number, shift: (at: number) => number): number | undefined {
  const [, hours, minutes, seconds = '0'] = TIME_OF_DAY.exec(text.trim()) ?? [];
  if (hours === undefined || minutes === undefined) return undefined;
  if (Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) > 59) return undefined;
  const at = new Date(now);
  at.setHours(Number(hours), Number(minutes), Number(seconds), 0);
  at.setDate(at.getDate() + shift(at.getTime()));
  return at.getTime();
}
