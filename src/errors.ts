import type { ErrorCode } from './model/errorCodes.js';

/**
 * The one error class. `message` tells a person what happened and why, `remedy` what to do next;
 * `code` is stable and for programs. Expected outcomes are returned as unions, never thrown.
 */
export class EdgeError extends Error {
  override readonly name = 'EdgeError';

  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly remedy: string = '',
    options: { cause?: unknown } = {},
  ) {
    super(message, options);
  }

  /** The message as a person is shown it, in as many lines as it has by design. */
  get lines(): readonly string[] {
    return [this.message];
  }
}

/** The words of anything thrown, for a log line: never empty, never a stack. */
export function describeError(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message || thrown.name;
  return String(thrown);
}
