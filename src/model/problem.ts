import type { ErrorCode } from './errorCodes.js';

/**
 * A fault that affects the agent's work. `since` is Unix ms inside the agent (`Problem<number>`), ISO 8601 in reports.
 * `message` says what happened and why, `remedy` what to do about it.
 */
export interface Problem<Instant extends number | string = string, Code extends ErrorCode = ErrorCode> {
  readonly code: Code;
  readonly since: Instant;
  readonly message: string;
  readonly remedy: string;
}

/** Why something that was asked for failed, in the words of the agent's own errors. `code` is mostly an ErrorCode. */
export interface RequestFault {
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
}
