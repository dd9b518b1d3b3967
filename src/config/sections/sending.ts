import { z } from 'zod';
import { count, live, range, remote, settingNotes } from '../settingNotes.js';

/** A directory other than the root itself. */
const ABSOLUTE_PATH = /^\/[^\0]*[^\0/]\/*$/;

/** Texts on their way out. */
export const outgoing = z.strictObject({
  bubble_delay_ms: count(0, 60_000)
    .default(800)
    .register(settingNotes, {
      description: 'The pause between two bubbles of one reply.',
      ...remote,
    }),
  max_text_length: count(1, 100_000)
    .default(10_000)
    .register(settingNotes, {
      description:
        'The maximum length of a text, in characters; a longer text, or one above 100 000 bytes, is split or refused (split_long_texts).',
      ...live,
    }),
  pause_on_operator_reply: z
    .boolean()
    .default(false)
    .register(settingNotes, {
      description: 'Whether to pause a conversation when the operator answers in it from another device.',
      ...live,
    }),
  pause_on_loop: z
    .boolean()
    .default(true)
    .register(settingNotes, {
      description: 'Whether to pause a conversation in which a machine answers the agent.',
      ...live,
    }),
  on_unknown: z
    .enum(['report', 'resend'])
    .default('report')
    .register(settingNotes, {
      description:
        'What to do with a text that may or may not have been sent. With resend the person may get it twice.',
      ...live,
    }),
  split_long_texts: z
    .boolean()
    .default(true)
    .register(settingNotes, {
      description: 'Whether to split a text longer than max_text_length instead of refusing it.',
      ...live,
    }),
  sms_fallback: z
    .enum(['never', 'known', 'always'])
    .default('known')
    .register(settingNotes, {
      description:
        'Whether to use SMS when iMessage refuses the target; known: for people with earlier SMS or RCS messages; never: not even in SMS conversations.',
      ...live,
    }),
  max_per_minute: count(0, 1000)
    .default(30)
    .register(settingNotes, {
      description:
        'The maximum number of texts per minute to one conversation; the others wait, none is dropped. 0: no limit.',
      ...live,
    }),
  max_new_recipients_per_hour: count(0, 1000)
    .default(20)
    .register(settingNotes, {
      description:
        'The maximum number of new recipients (not in chat.db) per hour; texts to others wait. 0: no limit.',
      ...live,
    }),
});

/** Files, both ways. */
export const attachments = z.strictObject({
  upload: z
    .boolean()
    .default(true)
    .register(settingNotes, {
      description: 'Whether to upload images of incoming messages to the backend.',
      ...live,
    }),
  max_bytes: count(1, 104_857_600)
    .default(8_388_608)
    .register(settingNotes, {
      description: 'The maximum size of a file to send or upload.',
      ...live,
    }),
  allowed_roots: z
    .array(z.string().regex(ABSOLUTE_PATH))
    .default([])
    .register(settingNotes, {
      description: 'Directories from which the backend may send files by path.',
      expected: 'a list of absolute paths',
      ...live,
    }),
  allow_private_addresses: z
    .boolean()
    .default(false)
    .register(settingNotes, {
      description: 'Whether files to send may be fetched from private addresses, this machine included.',
      ...live,
    }),
});

/** Scheduled texts. */
export const schedule = z.strictObject({
  max_lateness_seconds: range(0, 31_536_000)
    .default(3600)
    .register(settingNotes, {
      description:
        'How late a scheduled text may be sent (for example because the Mac was off); after that it fails.',
      ...live,
    }),
});

/** Commands of the backend. */
export const commands = z.strictObject({
  max_age_seconds: range(1, 31_536_000)
    .default(3600)
    .register(settingNotes, {
      description: 'The maximum age of a command to send a text now; an older one fails.',
      ...remote,
    }),
  reflex_max_age_seconds: range(1, 31_536_000)
    .default(600)
    .register(settingNotes, {
      description: 'The same for reflexes.',
      ...remote,
    }),
});

/** What a command is answered with. */
export const acks = z.strictObject({
  scheduled: z
    .enum(['stored', 'sent', 'both'])
    .default('both')
    .register(settingNotes, {
      description: 'When a schedule_message is acknowledged: once stored, once sent, or both times.',
      ...live,
    }),
});

/** What never leaves this machine. */
export const privacy = z.strictObject({
  redact: z
    .array(z.enum(['ssn', 'credit_card', 'email', 'phone']))
    .default([])
    .register(settingNotes, {
      description:
        'What to remove from incoming texts before they leave this machine: ssn, credit_card, email, phone.',
      expected: 'a list of ssn, credit_card, email and phone',
      ...live,
    }),
});
