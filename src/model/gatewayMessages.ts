import { z } from 'zod';

/*
 * Texts that an application has an agent send, as the gateway's API takes and shows them. Times are ISO 8601 in UTC.
 */

const time = z.iso.datetime();

/** The longest text of one message, in UTF-16 units: an agent sends it in up to 100 bubbles. */
export const LONGEST_TEXT = 100_000;

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
    '`queued`: kept for the agent. `accepted`: the agent keeps it until send_at. `sent`: Messages took it. `delivered`, `read`: ' +
      'Messages says so. `failed`: it was not sent, or not delivered. `unknown`: it may or may not have been sent. ' +
      '`cancelled`: it was taken back before it was sent.',
  );

/** What became of a message, as far as is known. */
export type MessageStatus = z.infer<typeof messageStatusSchema>;

export const evidenceSchema = z
  .discriminatedUnion('kind', [
    z.object({ kind: z.literal('request') }).describe('The application asked for it.'),
    z
      .object({ kind: z.literal('ack'), revision: z.int().min(1), outcome: z.string().optional() })
      .describe('The ack of the agent, of this revision.'),
    z
      .object({ kind: z.literal('event'), event_id: z.string(), event_type: z.string() })
      .describe('An event of the agent.'),
  ])
  .describe('By what it is known.');

/** By what a status is known. */
export type StatusEvidence = z.infer<typeof evidenceSchema>;

const statusChangeSchema = z.object({
  status: messageStatusSchema,
  at: time.describe('When it was so, by the clock of the Mac; of `queued`, by that of the gateway.'),
  recorded_at: time.describe('When the gateway stored it.'),
  evidence: evidenceSchema,
  corrects: messageStatusSchema
    .optional()
    .describe('The status that this takes back: later evidence shows that it did not hold.'),
});

/** One step of a message's history. */
export type StatusChange = z.infer<typeof statusChangeSchema>;

export const messageErrorSchema = z.object({
  code: z
    .string()
    .describe('A code of docs/operating.md, as the agent gives it; `rejected` where it gives none.'),
  message: z.string().describe('For a person.'),
});

const outgoingMessageSchema = z
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
        'Of a failed one: whether sending it again, as a new message, cannot give the person two. null: it did not fail.',
      ),
    outcome: z
      .string()
      .nullable()
      .describe(
        'As the agent says: `sent`, `not_sent`, `partly_sent`, `unknown`; null while it says nothing.',
      ),
    message_guid: z.string().nullable().describe('Its id in Messages, of several parts that of the first.'),
    service: z.string().nullable().describe('`iMessage`, `SMS` or `RCS`, once known.'),
    deduplicated: z
      .boolean()
      .describe(
        'The same words were sent as another text (a reflex, or the first bubble of a reply); it shares its end.',
      ),
    cancel_requested_at: time.nullable(),
    created_at: time,
    history: z.array(statusChangeSchema).describe('The oldest first.'),
  })
  .describe('A message that an application sends.');

/** A message with its whole history, as the API shows it. */
export type OutgoingMessage = z.infer<typeof outgoingMessageSchema>;
