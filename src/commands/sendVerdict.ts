import type { ErrorCode } from '../errors.js';
import type { Verdict } from './verdict.js';

/** How a text ended, as the outgoing room tells it. */
export type TextOutcome =
  | { kind: 'sent'; confirmed: boolean; guid: string | null; service: string | null; late: boolean }
  | { kind: 'deduplicated' }
  | { kind: 'failed'; errorCode: ErrorCode; message: string }
  | { kind: 'unknown'; message: string };

/** What the ack of a send says. `retry_safe` is true only where sending again cannot give the person two texts. */
export function sendVerdict(outcome: TextOutcome): Verdict {
  switch (outcome.kind) {
    case 'sent':
      return {
        kind: 'completed',
        result: {
          outcome: 'sent',
          retry_safe: false,
          confirmed: outcome.confirmed,
          ...(outcome.guid === null ? {} : { message_guid: outcome.guid }),
          ...(outcome.service === null ? {} : { service: outcome.service }),
          ...(outcome.late ? { late: true } : {}),
        },
      };
    case 'deduplicated':
      return { kind: 'completed', result: { outcome: 'sent', retry_safe: false, deduplicated: true } };
    case 'failed':
      return {
        kind: 'failed',
        code: outcome.errorCode,
        message: outcome.message,
        result: { outcome: 'not_sent', retry_safe: true },
      };
    case 'unknown':
      return {
        kind: 'failed',
        code: 'outcome_unknown',
        message: `${outcome.message} It may still arrive; it is not sent again.`,
        result: { outcome: 'unknown', retry_safe: false },
      };
  }
}
