import type { ErrorCode } from '../model/errorCodes.js';

/** What an ack says of a command. `result` is for programs, `message` for a person; `code` stands before it. */
export type Verdict =
  | { kind: 'completed'; result?: Record<string, unknown> }
  | { kind: 'failed'; code: ErrorCode | null; message: string; result?: Record<string, unknown> };

/** What a handler knows when it returns: the end, or that the end comes later with the text's outcome. */
export type HandlerResult = Verdict | { kind: 'deferred' };
