/** The result of an attempt to send, as far as it shows the state of Messages. `code` is AppleScript's error number. */
export interface AttemptEnd {
  readonly kind: 'accepted' | 'notStarted' | 'unknown';
  readonly code?: number | null;
  readonly reason?: string;
}

/**
 * `answered`: Messages works. `timeout`: it hung or ended during the request. `notRunning`: it was not running.
 * `silent`: the attempt never reached Messages (no permission, no osascript) and shows nothing about it.
 */
type Sign = 'answered' | 'timeout' | 'notRunning' | 'silent';

const NOT_RUNNING = -600;
/** Also where it is proven that nothing was sent. */
const TIMED_OUT: readonly (number | null | undefined)[] = [-1712, -609];
const HUNG: readonly (string | undefined)[] = ['timeout', 'ae_timeout', 'connection_lost'];
/** Everything else that keeps an attempt from its start is on our side of Messages. */
const REFUSED_BY_MESSAGES = 'send_refused';

/** What an attempt says of Messages. Timeouts are -1712, -609 and an osascript that was killed at its deadline. */
export function judgeAttempt({ kind, code, reason }: AttemptEnd): Sign {
  if (kind === 'accepted') return 'answered';
  if (code === NOT_RUNNING) return 'notRunning';
  if (TIMED_OUT.includes(code)) return 'timeout';
  if (kind === 'unknown') {
    if (HUNG.includes(reason)) return 'timeout';
    return reason === 'after_dispatch' ? 'answered' : 'silent';
  }
  return reason === REFUSED_BY_MESSAGES && typeof code === 'number' ? 'answered' : 'silent';
}
