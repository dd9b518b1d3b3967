import type { ErrorCode } from './errorCodes.js';

/** Orders conversations that wait for their turn to send; never texts within one (protocol §4). */
export type Priority = 'immediate' | 'high' | 'normal' | 'low' | 'deferred';

/**
 * A command as every document's form of it reads. It always has a usable `commandId`, so it can be acked; its payload may still
 * be wrong for its type, and that is for the executor to say.
 */
export interface ReceivedCommand {
  readonly commandId: string;
  /** As the backend wrote it, in lower case: the executor knows the aliases. '' if there was none. */
  readonly commandType: string;
  readonly payload: Record<string, unknown>;
  readonly priority: Priority;
  /** When the backend made it, Unix ms; null if it did not say. */
  readonly timestamp: number | null;
  /** What is wrong with the command itself (payload not an object, no type), for its ack; null if nothing is. */
  readonly fault: string | null;
}

/** The same with the command object as it was received, in whatever form. */
export interface Command extends ReceivedCommand {
  readonly raw: Record<string, unknown>;
}

/** The ack of a command. `result` is for programs, `message` for people; `code` comes before it. */
export type Verdict =
  | { kind: 'completed'; result?: Record<string, unknown> }
  | { kind: 'failed'; code: ErrorCode | null; message: string; result?: Record<string, unknown> };

/** What a handler knows when it returns: the end, or that the end comes later with the text's outcome. */
export type HandlerResult = Verdict | { kind: 'deferred' };
