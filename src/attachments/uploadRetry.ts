import { type MachineFault, machinePause } from '../system/failures.js';
import type { Random } from '../system/random.js';

/**
 * How one attempt ended. `missing`: the file has not arrived. `later`: something stood in the way that may go. `kept`: this
 * machine is at fault.
 */
export type UploadEnd =
  | { kind: 'done' }
  | { kind: 'failed'; why: string }
  | { kind: 'missing'; why: string }
  | { kind: 'kept'; why: string; fault: MachineFault }
  | { kind: 'later'; why: string; afterMs?: number };

type NextUpload =
  | { kind: 'done' }
  | { kind: 'failed'; why: string }
  | { kind: 'retry'; inMs: number; why: string };

/** A file that Messages has not got by then has to be asked for in Messages. */
const ARRIVAL_MS = 10 * 60_000;
/** chat.db's size is not always the file's; after this the file is taken as it is. */
const SIZE_MS = 2 * 60_000;
const GIVEN_UP_MS = 24 * 3_600_000;
/** A clock that was set makes no wait of it: so often is looked for a file that is missing, or has another size. */
const LEAST_LOOKS = 20;
const LEAST_FOR_SIZE = 8;
const FIRST_MS = 1_000;
const LONGEST_MS = 5 * 60_000;
const LONGEST_ARRIVAL_MS = 30_000;
const LONGEST_RETRY_AFTER_MS = 3_600_000;

/**
 * What follows from an attempt: waits of 1–2 s at first, up to 5 minutes, for a day; for the file itself 10 minutes; without end where
 * this machine is at fault.
 */
export const uploadRetry = {
  next(
    upload: { attempts: number },
    end: UploadEnd,
    /** For how long, in ms, the file has been waited for, and anything at all was tried. */
    waited: { ofFile: number; inAll: number },
    random: Random,
  ): NextUpload {
    if (end.kind === 'done' || end.kind === 'failed') return end;
    if (end.kind === 'kept') {
      return { kind: 'retry', inMs: machinePause(upload.attempts + 1), why: end.why };
    }
    const isMissing = end.kind === 'missing';
    const isOver = isMissing
      ? waited.ofFile > ARRIVAL_MS && upload.attempts >= LEAST_LOOKS
      : waited.inAll > GIVEN_UP_MS;
    if (isOver) return { kind: 'failed', why: end.why };
    const longest = isMissing ? LONGEST_ARRIVAL_MS : LONGEST_MS;
    const backoff = Math.min(FIRST_MS * 2 ** Math.min(upload.attempts, 20), longest);
    const asked = end.kind === 'later' ? Math.min(end.afterMs ?? 0, LONGEST_RETRY_AFTER_MS) : 0;
    const wait = Math.max(asked, (backoff * (1 + random())) / (upload.attempts === 0 ? 1 : 2));
    return { kind: 'retry', inMs: Math.round(wait), why: end.why };
  },

  /** A file of another size than chat.db says, once it has been waited for long enough. */
  asItIs<T>(partial: T | undefined, attempts: number, waitedMs: number): T | undefined {
    return waitedMs > SIZE_MS && attempts >= LEAST_FOR_SIZE ? partial : undefined;
  },
};
