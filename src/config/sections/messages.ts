import { z } from 'zod';
import { live, path, pathNotes, range, remote, settingNotes } from '../settingNotes.js';

/** A person's address or a group's id as chat.db has it; what it means is found out where it is compared. */
const FORWARD_ENTRY = /^[^\s,][^,]*$/;
const FORWARD_EXPECTED = 'a list of phone numbers, e-mail addresses and group ids';

/** Messages on this Mac. */
export const imessage = z.strictObject({
  db_path: path()
    .default('~/Library/Messages/chat.db')
    .register(settingNotes, {
      description: 'The database of Messages; it is only read.',
      ...pathNotes,
    }),
  attachments_path: path()
    .default('~/Library/Messages/Attachments')
    .register(settingNotes, {
      description: 'The directory in which Messages keeps attachments; need not exist yet.',
      ...pathNotes,
    }),
  osascript_path: path()
    .default('/usr/bin/osascript')
    .register(settingNotes, {
      description: 'The program that runs AppleScript.',
      ...pathNotes,
    }),
  max_message_age_seconds: range(1, 2_592_000)
    .default(21_600)
    .register(settingNotes, {
      description:
        'Incoming messages older than this are not forwarded; time during which the agent or the backend was down is not counted.',
      ...remote,
    }),
  catch_up_hours: range(0, 720)
    .default(24)
    .register(settingNotes, {
      description: 'The maximum age of a message to forward, downtime included.',
      ...live,
    }),
  send_timeout_seconds: range(1, 600)
    .default(90)
    .register(settingNotes, {
      description: 'How long osascript may run before it is killed; the outcome of its text is then unknown.',
      ...live,
    }),
  stall_minutes: range(0, 10_080)
    .default(240)
    .register(settingNotes, {
      description:
        'On macOS: if chat.db gets no new row for this long, Messages is nudged and the backend gets an event; 0: never.',
      ...live,
    }),
  canary_minutes: range(0, 10_080)
    .default(0)
    .register(settingNotes, {
      description:
        'On macOS: after this long without a new row, a text is sent to your own number to see whether it arrives; 0: never.',
      ...live,
    }),
});

/** What is reported to the backend about incoming messages. */
export const forward = z.strictObject({
  allow: z
    .array(z.string().regex(FORWARD_ENTRY))
    .default([])
    .register(settingNotes, {
      description: 'If not empty, the backend sees only these people, in any chat, and these groups.',
      expected: FORWARD_EXPECTED,
      ...live,
    }),
  ignore: z
    .array(z.string().regex(FORWARD_ENTRY))
    .default([])
    .register(settingNotes, {
      description: 'The backend never sees these people, not even in groups, nor these groups.',
      expected: FORWARD_EXPECTED,
      ...live,
    }),
  unknown_senders: z
    .boolean()
    .default(true)
    .register(settingNotes, {
      description:
        'Whether to forward people whom Messages filters as unknown, or in whose chat nothing was ever sent from this account.',
      ...live,
    }),
  one_time_codes: z
    .boolean()
    .default(false)
    .register(settingNotes, {
      description: 'Whether to forward one-time sign-in codes.',
      ...live,
    }),
  reactions: z
    .boolean()
    .default(true)
    .register(settingNotes, {
      description: 'Whether to report tapbacks and stickers as events.',
      ...live,
    }),
  edits: z
    .boolean()
    .default(true)
    .register(settingNotes, {
      description: 'Whether to report as an event that the sender edited a forwarded message.',
      ...live,
    }),
  unsends: z
    .boolean()
    .default(true)
    .register(settingNotes, {
      description: 'Whether to report as an event that the sender unsent a forwarded message.',
      ...live,
    }),
  group_events: z
    .boolean()
    .default(true)
    .register(settingNotes, {
      description: 'Whether to report as an event that the members or the name of a group changed.',
      ...live,
    }),
  transcriptions: z
    .boolean()
    .default(true)
    .register(settingNotes, {
      description:
        'Whether to report as an event the transcription of a forwarded audio message, if it appears later.',
      ...live,
    }),
  filtered: z
    .boolean()
    .default(true)
    .register(settingNotes, {
      description:
        'Whether to report as an event, without its text, that a message was not forwarded because of its kind or age.',
      ...live,
    }),
  delivery: z
    .boolean()
    .default(true)
    .register(settingNotes, {
      description:
        'Whether to report as an event that a text was delivered, read or sent as SMS. Failures are always reported.',
      ...live,
    }),
});
