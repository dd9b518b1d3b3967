/** A time (Unix ms) as it is given to others: ISO 8601 in UTC. */
export function iso(at: number): string {
  return new Date(at).toISOString();
}

/** The same; null stays null. */
export function isoOrNull(at: number | null): string | null {
  return at === null ? null : iso(at);
}

/**
 * A time (Unix ms) as people read it: by the clock on their wall, with the name of its zone, such as `2026-12-24 18:30:00 PST`.
 * `timeZone` is the one of this machine unless given.
 */
export function localTime(at: number, timeZone?: string): string {
  const format = new Intl.DateTimeFormat('en-US', {
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
    timeZoneName: 'short',
    ...(timeZone === undefined ? {} : { timeZone }),
  });
  const part = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, value]));
  const { year, month, day, hour, minute, second, timeZoneName } = part;
  return `${year}-${month}-${day} ${hour}:${minute}:${second} ${timeZoneName}`;
}

const ISO_TIME = /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g;

/** Words in which each time that is given to others (see `iso`) is one that people read. */
export function withLocalTimes(words: string, timeZone?: string): string {
  return words.replace(ISO_TIME, (time) => localTime(Date.parse(time), timeZone));
}

/** Seconds in the two largest units that say something: 42 s, 5 min 3 s, 2 h 10 min, 3 d 4 h. */
export function duration(seconds: number): string {
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`;
}

/** How long ago an ISO 8601 time is; `never` for null. A time in the future (a clock was set back) counts as now. */
export function ago(iso: string | null, now: number): string {
  return iso === null ? 'never' : `${since(iso, now)} ago`;
}

/** How long something has lasted that began then. */
export function since(iso: string, now: number): string {
  return duration(Math.max(0, (now - Date.parse(iso)) / 1000));
}

/** How long it is until then. */
export function until(iso: string, now: number): string {
  return since(new Date(now).toISOString(), Date.parse(iso));
}
