import type { ErrorCode } from '../model/errorCodes.js';
import type { SendRecord } from '../model/sending.js';

/** The text that went out, or is to go out, in the place of a duplicate. */
export interface DuplicateOf {
  /** The command that asked for it; null for a bubble of a reply. */
  commandId: string | null;
  /** The message that it answers, where that is known. */
  answers: string | null;
  /** Its row in chat.db; null while there is none. */
  guid: string | null;
}

/**
 * How a text ended. `confirmed` is false where chat.db could not be read. `late`: it had been reported as unknown, or as failed,
 * before. `unknown` is never sent again by us. `guid` of a failure: the row that says so, which Messages may yet send by itself.
 * `deduplicated`: it was not sent, as the same words went out by `duplicateOf`. A duplicate of a text that failed with a row, or
 * whose outcome is unknown, shares that end, and names it too.
 */
export type SendOutcome =
  | { kind: 'sent'; confirmed: boolean; guid: string | null; service: string | null; late: boolean }
  | { kind: 'deduplicated'; duplicateOf?: DuplicateOf; late?: boolean }
  | { kind: 'failed'; errorCode: ErrorCode; message: string; guid?: string; duplicateOf?: DuplicateOf }
  | { kind: 'unknown'; message: string; duplicateOf?: DuplicateOf };

/** What is said of a text whose row has an error of Messages. */
export function notDelivered(error: number): string {
  return `Messages reported error ${error}: the text was not delivered. Messages may still send it on its own.`;
}

/** Told of every outcome inside the write that stores it, so that what follows from it is stored with it. */
export type OutcomeListener = (send: SendRecord, outcome: SendOutcome) => void;
