import type { ErrorCode } from '../errors.js';
import type { SendRecord } from '../store/sendRecord.js';

/**
 * How a text ended. `confirmed` is false where chat.db could not be read. `late`: it had been reported as unknown, or as failed,
 * before. `unknown` is never sent again by us. `guid` of a failure: the row that says so, which Messages may yet send by itself.
 */
export type SendOutcome =
  | { kind: 'sent'; confirmed: boolean; guid: string | null; service: string | null; late: boolean }
  | { kind: 'deduplicated' }
  | { kind: 'failed'; errorCode: ErrorCode; message: string; guid?: string }
  | { kind: 'unknown'; message: string };

/** Told of every outcome inside the write that stores it, so that what follows from it is stored with it. */
export type OutcomeListener = (send: SendRecord, outcome: SendOutcome) => void;
