/** A time (Unix ms) as it is given to others: ISO 8601 in UTC. */
export function iso(at: number): string {
  return new Date(at).toISOString();
}

/** The same; null stays null. */
export function isoOrNull(at: number | null): string | null {
  return at === null ? null : iso(at);
}
