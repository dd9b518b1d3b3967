const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A stretch of time in its one or two largest units: 850 ms, 4.2 s, 42 s, 5 min, 2 h 10 min, 3 d 4 h. */
export function duration(ms: number): string {
  if (ms < SECOND) return `${Math.round(ms)} ms`;
  if (ms < 10 * SECOND) return `${(ms / SECOND).toFixed(1).replace('.0', '')} s`;
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < DAY) return joined(Math.floor(ms / HOUR), 'h', Math.floor((ms % HOUR) / MINUTE), 'min');
  return joined(Math.floor(ms / DAY), 'd', Math.floor((ms % DAY) / HOUR), 'h');
}

/** The distance of a time from now: "now", "3 min ago", "in 2 h". */
export function distance(at: number, now: number): string {
  const ms = now - at;
  if (Math.abs(ms) < 5 * SECOND) return 'now';
  const words = largestUnit(Math.abs(ms));
  return ms > 0 ? `${words} ago` : `in ${words}`;
}

function largestUnit(ms: number): string {
  const [, words = ''] = /^(\S+ \S+)/.exec(duration(ms).replace(/\.\d/, '')) ?? [];
  return words;
}

const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const exact = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium', hourCycle: 'h23' });

export const fullTime = (at: number): string => full.format(at);
/** 18:30 */
export const clockTime = (at: number): string => clock.format(at);
/** 18:30:05 */
export const exactTime = (at: number): string => exact.format(at);

const day = new Intl.DateTimeFormat(undefined, { weekday: 'short', day: 'numeric', month: 'short' });

/** 18:30 of today; of another day with its date. */
export function shortTime(at: number, now: number): string {
  const isToday = new Date(at).toDateString() === new Date(now).toDateString();
  return isToday ? clockTime(at) : `${day.format(at)}, ${clockTime(at)}`;
}

/** One text, two texts. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString()} ${count === 1 ? one : many}`;
}

/** `send_message_now` → "send message now". */
export function spoken(name: string): string {
  return name.replaceAll('_', ' ');
}

function joined(count: number, unit: string, rest: number, restUnit: string): string {
  return rest === 0 ? `${count} ${unit}` : `${count} ${unit} ${rest} ${restUnit}`;
}
