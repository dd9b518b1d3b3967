import { z } from 'zod';
import { ERROR_CODES, type ErrorCode } from './errorCodes.js';
import type { Problem } from './problem.js';
import { vitalSignsSchema } from './vitalSigns.js';

/*
 * What the agent says of itself: to the backend (`status` frames of the protocol), to `edge-agent status --json`, to those who
 * watch. Fields are only ever added.
 */

const time = z.iso.datetime();
const count = z.int().min(0);

const problemSchema = z.object({
  code: z.enum(Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]]),
  since: time,
  message: z.string(),
  remedy: z.string(),
}) satisfies z.ZodType<Problem>;

const link = z.object({
  state: z.string(),
  since: time,
  attempt: count,
  rtt_ms: z.number().nullable(),
  last_pong_at: time.nullable(),
  reconnects_24h: count,
  next_attempt_at: time.nullable(),
  poller: z.enum(['running', 'paused', 'off']),
  last_disconnect: z.object({ cause: z.string(), at: time }).nullable(),
});

export const statusSchema = z
  .object({
    schema: z.literal(1),
    version: z.string(),
    agent_id: z.string().nullable(),
    pid: z.int(),
    uptime_seconds: z.number().min(0),
    state: z.enum(['healthy', 'degraded']).describe('Healthy exactly when there are no problems.'),
    problems: z.array(problemSchema),
    vital_signs: vitalSignsSchema.describe('The state of each part of the job, with its evidence.'),
    link: z.enum(['realtime', 'polling', 'offline']),
    link_detail: link,
    scheduled_messages: count,
    commands_waiting: count,
    acks_undelivered: count,
    events_undelivered: count,
    incoming_queued: count,
    incoming_parked: count,
    /** Given up in the last 7 days because they were too old to be answered. */
    incoming_expired: count,
    sends_queued: count,
    /** Those of them that wait for a limit of `outgoing`. */
    sends_held: z.object({ new_recipients: count, per_minute: count }),
    /** Images that the backend does not have yet. */
    uploads_queued: count,
    incoming_left_out: z.record(z.string(), z.number()),
    /** Messages since the start whose attributedBody was damaged, so that their text was saved by other means. */
    decode_fallbacks: count,
    /** A conversation in which nothing is sent until it is resumed; `conversation` is the argument of `edge-agent resume`. */
    paused: z
      .array(
        z.object({
          conversation: z.string().describe('* means all of them.'),
          reason: z.enum(['manual', 'operator', 'loop']),
          since: time,
          incoming: z.boolean().describe('Incoming messages of it are not posted either.'),
        }),
      )
      .nullable()
      .describe(
        'Null only if the agent has not started and its store cannot be read; then the counts are not known either.',
      ),
    last_incoming_at: time.nullable(),
    last_sent_at: time.nullable(),
    last_error: z.string().nullable(),
    last_error_at: time.nullable(),
    /** When the next scheduled text is due. */
    next_scheduled_at: time.nullable(),
    /** The names are those of the counts. */
    oldest: z
      .object({
        commands_waiting: time.nullable(),
        acks_undelivered: time.nullable(),
        events_undelivered: time.nullable(),
        incoming_queued: time.nullable(),
        incoming_parked: time.nullable(),
        sends_queued: time.nullable(),
        uploads_queued: time.nullable(),
      })
      .describe('Since when the oldest item of each count has been waiting.'),
    derived_settings: z
      .array(z.string())
      .describe(
        'Settings that were derived from another one, as in "edge.user_phone from edge.agent_id (.env:2)".',
      ),
    /** Its ROWID, and how many rows follow it; null: not known. */
    chatdb: z
      .object({ row_id: z.int().nullable(), rows_behind: count.nullable() })
      .describe('How far chat.db has been read.'),
    update: z
      .object({ version: z.string(), checked_at: time })
      .optional()
      .describe('A newer version of the agent, if updates.check is on and has found one.'),
    memory_usage_mb: z.number().min(0),
    monitor: z
      .object({ port: count.nullable(), connected: count, authenticated: count })
      .describe('The local channel: its port (null: not served), and the number of clients.'),
  })
  .describe('The status of the agent.');

/** The status of the agent. Times are ISO 8601. */
export type StatusSnapshot = z.infer<typeof statusSchema>;
