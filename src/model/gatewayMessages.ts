import { z } from 'zod';

/*
 * Texts that an application has an agent send, as the gateway's API takes and shows them. Times are ISO 8601 in UTC.
 */

const time = z.iso.datetime();

/** The longest text of one message, in UTF-16 units: an agent sends it in up to 100 bubbles. */
export const LONGEST_TEXT = 100_000;

/** The largest file that comes within a request, in characters of base64 (8 MiB of bytes). */
const LONGEST_BASE64 = Math.ceil((8 * 1024 * 1024) / 3) * 4;

const PHONE = /^\+[1-9]\d{6,14}$/;
const EMAIL = /^[!-9;-?A-~]+@[!-9;-?A-~]+$/;
const HTTPS = /^https:\/\//i;

/** How people address a person: E.164, or e-mail. */
const addressSchema = z
  .string()
  .max(254)
  .refine((text) => PHONE.test(text) || EMAIL.test(text), {
    error: 'expected a phone number like +13105551234, or an e-mail address',
  });

const newAttachmentSchema = z
  .union([
    z.strictObject({
      url: z.string().max(2_048).regex(HTTPS, 'expected an https URL'),
      filename: z.string().min(1).max(255).optional(),
    }),
    z.strictObject({
      data_base64: z.base64('expected base64').min(1).max(LONGEST_BASE64),
      filename: z.string().min(1).max(255).optional(),
    }),
  ])
  .describe('A file: an https address from which the Mac fetches it, or its content.');

export const newMessageSchema = z
  .strictObject({
    agent: z
      .string()
      .min(1)
      .optional()
      .describe('The agent that sends it. Required if the key may use several.'),
    to: addressSchema.optional().describe('A person: a phone number in E.164, or an e-mail address.'),
    chat: z
      .string()
      .min(1)
      .max(2_048)
      .optional()
      .describe('A conversation as named in an event (`conversation`), such as a group. Instead of `to`.'),
    text: z.string().min(1).max(LONGEST_TEXT).optional(),
    attachments: z.array(newAttachmentSchema).min(1).max(20).optional(),
    send_at: z.iso
      .datetime({ offset: true, error: 'expected a time with a zone, such as 2026-12-24T09:00:00-08:00' })
      .optional()
      .describe('When the Mac sends it. Default: now.'),
    in_reply_to: z.string().min(1).max(2_048).optional().describe('The id of the message that it answers.'),
    bubble_type: z
      .enum(['reflex', 'burst', 'normal'])
      .optional()
      .describe(
        '`reflex`: the quick first bubble of an answer. `burst`: a bubble that keeps the pause between bubbles.',
      ),
    priority: z
      .enum(['immediate', 'high', 'normal', 'low', 'deferred'])
      .optional()
      .describe('Orders waiting conversations, never the texts within one.'),
  })
  .superRefine((message, context) => {
    const need = (field: string, problem: string) =>
      context.addIssue({ code: 'custom', path: [field], message: problem });
    if ((message.to === undefined) === (message.chat === undefined))
      need('to', 'expected either `to` or `chat`');
    if (message.text === undefined && message.attachments === undefined)
      need('text', 'expected a text, or attachments');
    if (message.send_at !== undefined && message.bubble_type === 'reflex')
      need('bubble_type', 'a reflex is sent now: leave out send_at');
  })
  .describe('A text, files, or both, to a person or a conversation.');

/** The body of `POST /v1/messages`. */
export type NewMessage = z.infer<typeof newMessageSchema>;

export const MESSAGE_STATUSES = [
  'queued',
  'accepted',
  'sent',
  'delivered',
  'read',
  'failed',
  'unknown',
  'cancelled',
] as const;

export const messageStatusSchema = z
  .enum(MESSAGE_STATUSES)
  .describe(
    '`queued`: stored for the agent. `accepted`: the agent keeps it until send_at. `sent`: Messages accepted it. `delivered`, `read`: ' +
      'reported by Messages. `failed`: it was not sent, or not delivered. `unknown`: it may or may not have been sent. ' +
      '`cancelled`: it was cancelled before it was sent.',
  );

/** What became of a message, as far as is known. */
export type MessageStatus = z.infer<typeof messageStatusSchema>;

export const evidenceSchema = z
  .discriminatedUnion('kind', [
    z.object({ kind: z.literal('request') }).describe('The request of the application.'),
    z
      .object({ kind: z.literal('ack'), revision: z.int().min(1), outcome: z.string().optional() })
      .describe('The ack of the agent with this revision.'),
    z
      .object({ kind: z.literal('event'), event_id: z.string(), event_type: z.string() })
      .describe('An event of the agent.'),
    z.object({ kind: z.literal('removal') }).describe('The agent was removed from the gateway.'),
    z.object({ kind: z.literal('damage') }).describe('The stored data cannot be read.'),
  ])
  .describe('The evidence for it.');

/** By what a status is known. */
export type StatusEvidence = z.infer<typeof evidenceSchema>;

const statusChangeSchema = z.object({
  status: messageStatusSchema,
  at: time.describe(
    'The time of the step, by the clock of the Mac; for `queued`, a removal and damage by that of the gateway.',
  ),
  recorded_at: time.describe('When the gateway stored it.'),
  evidence: evidenceSchema,
  corrects: messageStatusSchema
    .optional()
    .describe('The status that this corrects: later evidence shows that it was wrong.'),
});

/** One step of a message's history. */
export type StatusChange = z.infer<typeof statusChangeSchema>;

export const messageErrorSchema = z.object({
  code: z
    .string()
    .describe(
      'A code of docs/operating.md from the agent; `rejected` if it gives none; `agent_removed` if the agent was removed.',
    ),
  message: z.string().describe('For a person.'),
});

export const outgoingMessageSchema = z
  .object({
    id: z.string().describe('Also the command_id of its command.'),
    agent: z.string(),
    conversation: z.string().describe('The phone number or address of the person, or the id of the group.'),
    text: z.string().nullable(),
    attachments: z
      .array(z.object({ filename: z.string().nullable(), url: z.string().nullable() }))
      .describe('Without their content.'),
    send_at: time.nullable(),
    in_reply_to: z.string().nullable(),
    status: messageStatusSchema,
    status_at: time,
    error: messageErrorSchema.nullable(),
    retry_safe: z
      .boolean()
      .nullable()
      .describe(
        'If it failed: whether a new message with this text is certain not to be a duplicate. null: it did not fail.',
      ),
    outcome: z
      .string()
      .nullable()
      .describe('Reported by the agent: `sent`, `not_sent`, `partly_sent`, `unknown`; null until then.'),
    message_guid: z
      .string()
      .nullable()
      .describe('Its id in Messages; if there are several parts, that of the first.'),
    service: z.string().nullable().describe('`iMessage`, `SMS` or `RCS`, once known.'),
    deduplicated: z
      .boolean()
      .describe(
        'The same words were sent as another text (a reflex, or the first bubble of a reply); it shares the outcome.',
      ),
    cancel_requested_at: time.nullable(),
    created_at: time,
    history: z.array(statusChangeSchema).describe('The oldest first.'),
  })
  .describe('A message that an application sends.');

/** A message with its whole history, as the API shows it. */
export type OutgoingMessage = z.infer<typeof outgoingMessageSchema>;
