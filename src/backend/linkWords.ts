import type { Loss } from './linkTypes.js';

/** What ended a socket or a dial, for a log line and for status. */
export function describeLoss(loss: Loss): string {
  switch (loss.kind) {
    case 'closed':
      return `closed with ${loss.code}${loss.reason ? ` (${loss.reason})` : ''}`;
    case 'refused':
      return `Unexpected server response: ${loss.status}${loss.detail ? ` (${loss.detail})` : ''}`;
    case 'failed':
      return loss.detail;
    case 'hung':
      return 'no answer to the handshake within its deadline';
    case 'silent':
      return 'opened, but no frame came';
    case 'unanswered':
      return 'a ping met no answer';
    case 'replaced':
      return loss.why;
  }
}
