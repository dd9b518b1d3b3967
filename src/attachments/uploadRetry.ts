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
  | { kind: 'retry'; at: number; why: string };

/** A file that Messages has not got by then has to be asked for in Messages. */
const ARRIVAL_MS = 10 * 60_000;
/** chat.db's size is not always the file's; after this the file is taken as it is. */
const SIZE_MS = 2 * 60_000;
const GIVEN_UP_MS = 24 * 3_600_000;
const FIRST_MS = 1_000;
const LONGEST_MS = 5 * 60_000;
const LONGEST_ARRIVAL_MS = 30_000;
const LONGEST_RETRY_AFTER_MS = 3_600_000;

/** What follows from an attempt: waits of 1–2 s at first, up to 5 minutes, for a day; for the file itself 10 minutes; without end where this machine is at fault. */
export const uploadRetry = {
  next(
    upload: { attempts: number; queuedAt: number },
    end: UploadEnd,
    now: number,
    random: Random,
  ): NextUpload {
    if (end.kind === 'done' || end.kind === 'failed') return end;
    if (end.kind === 'kept') {
      return { kind: 'retry', at: now + machinePause(upload.attempts + 1), why: end.why };
    }
    const isMissing = end.kind === 'missing';
    if (now - upload.queuedAt > (isMissing ? ARRIVAL_MS : GIVEN_UP_MS))
      return { kind: 'failed', why: end.why };
    const longest = isMissing ? LONGEST_ARRIVAL_MS : LONGEST_MS;
    const backoff = Math.min(FIRST_MS * 2 ** Math.min(upload.attempts, 20), longest);
    const asked = end.kind === 'later' ? Math.min(end.afterMs ?? 0, LONGEST_RETRY_AFTER_MS) : 0;
    const wait = Math.max(asked, (backoff * (1 + random())) / (upload.attempts === 0 ? 1 : 2));
    return { kind: 'retry', at: now + Math.round(wait), why: end.why };
  },

  /** A file of another size than chat.db says, once it has been waited for long enough. */
  asItIs<T>(partial: T | undefined, waitedMs: number): T | undefined {
    return waitedMs > SIZE_MS ? partial : undefined;
  },
};
