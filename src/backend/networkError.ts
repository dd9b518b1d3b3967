import { describeError } from '../errors.js';

/** The words of a failed connection, for a person: never empty, also for Node's wordless AggregateError. */
export function describeNetworkError(error: unknown): string {
  if (error instanceof AggregateError) {
    const first: unknown = error.errors[0];
    if (first !== undefined) return describeNetworkError(first);
  }
  const code = (error as { code?: unknown } | null)?.code;
  const words = describeError(error);
  return typeof code === 'string' && !words.includes(code) ? `${code}: ${words}` : words;
}

/** Where a redirect points, by its host alone; undefined where it names none. */
export function redirectHost(location: string | undefined, base: string): string | undefined {
  if (location === undefined) return undefined;
  try {
    return new URL(location, base).host;
  } catch {
    // A Location that is no URL names no host.
    return undefined;
  }
}
