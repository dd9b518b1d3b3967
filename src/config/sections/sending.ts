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
        'A longer text is cut, counted in characters, or refused (split_long_texts); so is one above 100 000 bytes.',
      ...live,
    }),
  pause_on_operator_reply: z
    .boolean()
    .default(false)
    .register(settingNotes, {
      description:
        'Whether nothing more goes out in a conversation in which a person answered from another device, until it is resumed.',
      ...live,
    }),
  pause_on_loop: z
    .boolean()
    .default(true)
    .register(settingNotes, {
      description:
        'Whether nothing more goes out in a conversation in which a machine answers the agent, until it is resumed.',
      ...live,
    }),
  on_unknown: z
    .enum(['report', 'resend'])
    .default('report')
    .register(settingNotes, {
      description:
        'What becomes of a text that may or may not have been sent. resend may show it to the person twice.',
      ...live,
    }),
  split_long_texts: z
    .boolean()
    .default(true)
    .register(settingNotes, {
      description: 'Whether a text above max_text_length is sent in several instead of refused.',
      ...live,
    }),
  sms_fallback: z
    .enum(['never', 'known', 'always'])
    .default('known')
    .register(settingNotes, {
      description:
        'Whether a text goes by SMS where iMessage refuses the target; known: to people met by SMS or RCS before; never: nor in conversations by SMS.',
      ...live,
    }),
  max_per_minute: count(0, 1000)
    .default(30)
    .register(settingNotes, {
      description:
        'So many texts a minute go to one conversation, however many conversations there are; the others wait, none is dropped. 0 is no limit.',
      ...live,
    }),
  max_new_recipients_per_hour: count(0, 1000)
    .default(20)
    .register(settingNotes, {
      description:
        'So many people an hour are written to that chat.db does not know, the others wait; 0 is no limit.',
      ...live,
    }),
});

/** Files, both ways. */
export const attachments = z.strictObject({
  upload: z
    .boolean()
    .default(true)
    .register(settingNotes, {
      description: 'Whether images of incoming messages are uploaded to the backend.',
      ...live,
    }),
  max_bytes: count(1, 104_857_600)
    .default(8_388_608)
    .register(settingNotes, {
      description: 'A larger file is neither sent nor uploaded.',
      ...live,
    }),
  allowed_roots: z
    .array(z.string().regex(ABSOLUTE_PATH))
    .default([])
    .register(settingNotes, {
      description: 'Directories below which the backend may name files by path, to be sent.',
      expected: 'a list of absolute paths',
      ...live,
    }),
  allow_private_addresses: z
    .boolean()
    .default(false)
    .register(settingNotes, {
      description:
        'Lets files to be sent be fetched from addresses that are not of the public internet, this machine included.',
      ...live,
    }),
});

/** Scheduled texts. */
export const schedule = z.strictObject({
  max_lateness_seconds: range(0, 31_536_000)
    .default(3600)
    .register(settingNotes, {
      description: 'A scheduled text that is later than this (the Mac was off) fails instead of being sent.',
      ...live,
    }),
});

/** Commands of the backend. */
export const commands = z.strictObject({
  max_age_seconds: range(1, 31_536_000)
    .default(3600)
    .register(settingNotes, {
      description: 'A command to send now that is older than this fails instead of being sent.',
      ...remote,
    }),
  reflex_max_age_seconds: range(1, 31_536_000)
    .default(600)
    .register(settingNotes, {
      description: 'The same for reflex bubbles.',
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
        'What is taken out of incoming texts before they leave this machine: ssn, credit_card, email, phone.',
      expected: 'a list of ssn, credit_card, email and phone',
      ...live,
    }),
});
