import { EdgeError } from '../../errors.js';
import type { ErrorCode } from '../../model/errorCodes.js';

/** What passes: the same request succeeds once the database does. After `commit_unknown` it finds out whether it had. */
const PASSING: ReadonlySet<ErrorCode> = new Set([
  'storage_unavailable',
  'storage_read_only',
  'commit_unknown',
  'disk_full',
]);

/** Whether a request failed because the storage behind it does not work now. */
export function isUnavailability(mistake: unknown): boolean {
  return mistake instanceof EdgeError && PASSING.has(mistake.code);
}
