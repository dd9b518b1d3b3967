import { EdgeError } from '../errors.js';
import type { ErrorCode } from '../model/errorCodes.js';

/** A shorter prefix is not accepted: it would match one id today and another tomorrow. */
const SHORTEST = 4;
const MOST_SHOWN = 5;

/**
 * The id that is meant by its beginning, which must be that of no other; undefined if there is none. Throws EdgeError of that code,
 * with the candidates as `shown` writes them, where several begin so.
 */
export function wholeId(
  written: string,
  ids: readonly string[],
  code: ErrorCode,
  shown: (id: string) => string = (id) => id,
): string | undefined {
  if (ids.includes(written)) return written;
  return written.length < SHORTEST
    ? undefined
    : onlyOne(
        written,
        ids.filter((id) => id.startsWith(written)),
        code,
        shown,
      );
}

/** The only one of the candidates; undefined if there is none. Throws EdgeError of that code where there are several. */
export function onlyOne(
  written: string,
  candidates: readonly string[],
  code: ErrorCode,
  shown: (id: string) => string = (id) => id,
): string | undefined {
  if (candidates.length < 2) return candidates[0];
  const listed = candidates.slice(0, MOST_SHOWN).map(shown);
  const more = candidates.length > MOST_SHOWN ? ` and ${candidates.length - MOST_SHOWN} more` : '';
  throw new EdgeError(
    code,
    `"${written}" may be any of ${candidates.length}: ${listed.join(', ')}${more}.`,
    'Write more of it.',
  );
}
