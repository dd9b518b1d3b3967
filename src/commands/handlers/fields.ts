import { z } from 'zod';
import { INPUT_LIMITS } from '../../system/inputLimits.js';
import { filled } from '../payload.js';

/** Names under which backends send the fields that several commands share. */
export const THREAD_ALIASES = { thread_id: ['chat_guid'] } as const;
export const TEXT_ALIASES = { text: ['message_text', 'message'] } as const;
export const TIME_ALIASES = { send_at: ['schedule_time'] } as const;

const THREAD = 'a phone number, an e-mail address or a chat id';
/** What has a semicolon is a chat's guid (`iMessage;-;+1…`, `any;+;chat…`); nothing else has one. */
const THREAD_ID = /^(?:[A-Za-z]*;[-+];)?[^;]+$/;
export const threadId = filled(THREAD).refine(
  (value) =>
    value.length <= INPUT_LIMITS.identifier && THREAD_ID.test(value.trim()) && !/\p{Cc}/u.test(value),
  THREAD,
);
export const text = filled('a text');
/** What goes out with files may be files alone. */
export const textBesideFiles = z
  .string('a text')
  .nullish()
  .transform((given) => ((given ?? '').trim() === '' ? '' : (given ?? '')));

const TIME = 'a time in ISO 8601, such as 2026-02-16T18:30:00Z';
const HAS_ZONE = /(z|[+-]\d{2}:?\d{2})$/i;
const DATE_AND_TIME = /^\d{4}-\d{2}-\d{2}([t ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(z|[+-]\d{2}:?\d{2})?)?$/i;

/** ISO 8601 to Unix ms; a time without a zone is UTC. */
export const instant = z.string(TIME).transform((value, context) => {
  const written = value.trim();
  const dateOnly = written.length === 10;
  const zoned = dateOnly || HAS_ZONE.test(written) ? written : `${written}Z`;
  const at = DATE_AND_TIME.test(written) ? Date.parse(zoned) : Number.NaN;
  if (!Number.isNaN(at)) return at;
  context.addIssue({ code: 'custom', message: TIME });
  return z.NEVER;
});
