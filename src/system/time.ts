/** A time (Unix ms) as it is given to others: ISO 8601 in UTC. */
export function iso(at: number): string {
  return new Date(at).toISOString();
}

/** The same; null stays null. */
export function isoOrNull(at: number | null): string | null {
  return at === null ? null : iso(at);
}

/** Seconds in the two largest units that say something: 42 s, 5 min 3 s, 2 h 10 min, 3 d 4 h. */
export function duration(seconds: number): string {
  const whole = Math.floor(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`;
}

/** How long ago an ISO 8601 time is; `never` for null. What lies ahead (a clock was set back) counts as now. */
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
