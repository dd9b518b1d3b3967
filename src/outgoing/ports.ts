import type { ErrorCode } from '../model/errorCodes.js';
import type { MachineFault } from '../system/failures.js';

/** Fetches files to this Mac. */
export interface FileFetcher {
  /** Fetches and stages a file under that name. Ends by its own deadline; never rejects. */
  fetch(url: string, name: string, stop: AbortSignal): Promise<FetchedFile>;
}

/**
 * `path` is absolute. `kept`: this machine is at fault, so it is fetched again until that is over. `stopped`: we are
 * stopping; the next start fetches it.
 */
export type FetchedFile =
  | { kind: 'kept'; fault: MachineFault }
  | { kind: 'fetched'; path: string }
  | { kind: 'failed'; errorCode: ErrorCode; message: string }
  | { kind: 'stopped' };
