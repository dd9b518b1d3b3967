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
      description: 'Where Messages keeps attachments; need not exist yet.',
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
        'An incoming message older than this is not forwarded; time that we or the backend were down is not counted.',
      ...remote,
    }),
  catch_up_hours: range(0, 720)
    .default(24)
    .register(settingNotes, {
      description: 'The oldest message that is still forwarded, downtime counted.',
      ...live,
    }),
  send_timeout_seconds: range(1, 600)
    .default(90)
    .register(settingNotes, {
      description:
        'After this long an osascript that does not end is killed; its text then counts as "outcome unknown".',
      ...live,
    }),
  stall_minutes: range(0, 10_080)
    .default(240)
    .register(settingNotes, {
      description:
        'On macOS: when chat.db gets no row at all for so long, Messages is nudged and the backend is told; 0 is never.',
      ...live,
    }),
  canary_minutes: range(0, 10_080)
    .default(0)
    .register(settingNotes, {
      description:
        'On macOS: after so long without a row a text is sent to our own number, to see whether it arrives; 0 is never.',
      ...live,
    }),
});

/** What the backend is told of what comes in. */
export const forward = z.strictObject({
  allow: z
    .array(z.string().regex(FORWARD_ENTRY))
    .default([])
    .register(settingNotes, {
      description:
        'If it names anybody, the backend sees only these people, wherever they write, and these groups.',
      expected: FORWARD_EXPECTED,
      ...live,
    }),
  ignore: z
    .array(z.string().regex(FORWARD_ENTRY))
    .default([])
    .register(settingNotes, {
      description: 'The backend never sees these people, in groups either, nor these groups.',
      expected: FORWARD_EXPECTED,
      ...live,
    }),
  unknown_senders: z
    .boolean()
    .default(true)
    .register(settingNotes, {
      description:
        'Whether the backend sees people whom Messages filters as unknown, or in whose chat nothing was ever sent from here.',
      ...live,
    }),
  one_time_codes: z
    .boolean()
    .default(false)
    .register(settingNotes, {
      description: 'Whether the backend sees codes for signing in somewhere.',
      ...live,
    }),
  reactions: z
    .boolean()
    .default(true)
    .register(settingNotes, {
      description: 'Whether tapbacks and stickers on messages are told as events.',
      ...live,
    }),
  edits: z
    .boolean()
    .default(true)
    .register(settingNotes, {
      description: 'Whether it is told as an event that a forwarded message was changed by its sender.',
      ...live,
    }),
  unsends: z
    .boolean()
    .default(true)
    .register(settingNotes, {
      description: 'Whether it is told as an event that a forwarded message was taken back by its sender.',
      ...live,
    }),
  group_events: z
    .boolean()
    .default(true)
    .register(settingNotes, {
      description: 'Whether it is told as an event that people or the name of a group changed.',
      ...live,
    }),
  transcriptions: z
    .boolean()
    .default(true)
    .register(settingNotes, {
      description:
        'Whether it is told as an event what was said in a forwarded audio message, where that is written down later.',
      ...live,
    }),
  filtered: z
    .boolean()
    .default(true)
    .register(settingNotes, {
      description:
        'Whether it is told as an event, without its text, that a message was kept back for what it is or its age.',
      ...live,
    }),
  delivery: z
    .boolean()
    .default(true)
    .register(settingNotes, {
      description:
        'Whether it is told as an event that a text was delivered, read or turned into an SMS. Failures always are.',
      ...live,
    }),
});
