import type { ErrorCode } from '../../model/errorCodes.js';

/**
 * What may be done after a send that provably did not start. `fallback`: the same text to another form of
 * the target, at once; `later`: the same again after a pause; `never`: it is final.
 */
export type RetryPolicy = 'fallback' | 'later' | 'never';

/**
 * Why it is not known whether the text was sent. `timeout`: we killed the script at its deadline; `ae_timeout`: -1712;
 * `connection_lost`: -609; `after_dispatch`: another error after the marker; `killed`: ended by a signal that was not
 * ours, after the marker.
 */
export type UnknownReason = 'timeout' | 'ae_timeout' | 'connection_lost' | 'after_dispatch' | 'killed';

/**
 * How one invocation of osascript ended. `accepted` says that Messages took the text, not that it arrived:
 * only a row in chat.db proves that. `notStarted` is proof that nothing was sent by this invocation.
 * `unknown` must never be sent again blindly.
 * `code` is AppleScript's error number. `message` and `remedy` are for a person and name neither text nor
 * recipient; `detail` is the last line osascript printed, which may name both: for debug logs only.
 */
export type SendResult = { readonly kind: 'accepted' } | NotStarted | Unknown;

export interface NotStarted {
  readonly kind: 'notStarted';
  readonly code: number | null;
  readonly reason: ErrorCode;
  readonly retry: RetryPolicy;
  readonly message: string;
  readonly remedy: string;
  readonly detail: string;
}

interface Unknown {
  readonly kind: 'unknown';
  readonly code: number | null;
  readonly reason: UnknownReason;
  readonly message: string;
  readonly remedy: string;
  readonly detail: string;
}
