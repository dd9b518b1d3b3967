import { z } from 'zod';
import { NOTIFICATION_LEVELS } from './monitorFrames.js';

/*
 * Everything that a backend says to an agent or to its operators, in the form that it should be written. The agent reads
 * more forms than these (docs/protocol.md); a new backend needs no other.
 */

const time = z.iso.datetime();
const PRIORITIES = ['immediate', 'high', 'normal', 'low', 'deferred'] as const;

export const commandSchema = z
  .object({
    command_id: z
      .string()
      .min(1)
      .describe('Chosen by you. A command that is offered again has the same one.'),
    command_type: z.string().min(1),
    payload: z.record(z.string(), z.unknown()),
    priority: z.enum(PRIORITIES).optional(),
    timestamp: z.iso.datetime({ offset: true }).optional().describe('When you created it.'),
  })
  .describe('A command for the agent. Offered again until it is acked.');

export const pingSchema = z.object({ type: z.literal('ping') });
export const pongSchema = z
  .object({ type: z.literal('pong'), timestamp: time.optional() })
  .describe('The answer to a ping: everything before that ping was read and stored.');
export const commandFrameSchema = z.object({
  type: z.literal('command'),
  data: commandSchema,
  timestamp: time.optional(),
});
export const connectedSchema = z
  .object({
    type: z.literal('connected'),
    data: z.object({
      edge_agent_id: z.string().optional(),
      accepts: z
        .array(z.string())
        .optional()
        .describe('Frame types that you read in addition to the basic ones.'),
    }),
    timestamp: time.optional(),
  })
  .describe('The greeting. Optional.');
export const configUpdateSchema = z
  .object({
    type: z.literal('config_update'),
    data: z.record(z.string(), z.unknown()).describe('Settings, nested or dotted.'),
    timestamp: time.optional(),
  })
  .describe('Changes settings while the agent runs. Has no ack.');
export const notificationSchema = z
  .object({
    type: z.literal('notification'),
    data: z.object({
      message: z.string(),
      level: z.enum(NOTIFICATION_LEVELS).optional(),
    }),
    timestamp: time.optional(),
  })
  .describe('Shown to the clients of the monitor. `level` defaults to info.');
export const authSchema = z
  .object({ type: z.literal('auth'), data: z.object({ status: z.string() }), timestamp: time.optional() })
  .describe('Only logged by the agent.');
export const errorFrameSchema = z
  .object({ type: z.literal('error'), data: z.object({ error: z.string() }), timestamp: time.optional() })
  .describe('What was wrong with a frame of the agent. Only logged.');

export const registerReplySchema = z
  .object({
    edge_agent_id: z.string().min(1).optional(),
    auth_token: z.string().min(1).optional().describe('Used if the operator has set no secret.'),
    accepts: z
      .array(z.string())
      .optional()
      .describe('Frame types that you read in addition to the basic ones.'),
  })
  .describe('The agent is registered; the answer may assign its id.');
export type RegisterReply = z.infer<typeof registerReplySchema>;

export const syncReplySchema = z
  .object({
    commands: z
      .array(commandSchema)
      .optional()
      .describe('Every command that is not acked, the oldest first.'),
    ack_events: z.array(z.string()).optional().describe('The event_ids that you have stored.'),
    ack_commands: z
      .array(z.string())
      .optional()
      .describe('The command_ids of this sync whose acks you have stored.'),
    config_updates: z.record(z.string(), z.unknown()).optional(),
  })
  .describe('Commands for the agent, and which of its events and acks you have stored.');

/** The longest pause between bubbles that an agent makes, in ms. */
export const LONGEST_BURST_DELAY_MS = 60_000;

const bubble = z.string().min(1);
const silenceSchema = z.object({ should_respond: z.literal(false) });
const bubblesSchema = z.object({ should_respond: z.literal(true), reply_bubbles: z.array(bubble).min(1) });
const textSchema = z.object({ should_respond: z.literal(true), reply_text: z.string().min(1) });
const reflexSchema = z.object({
  should_respond: z.literal(true),
  reflex_message: z.string().min(1).optional(),
  burst_messages: z.array(bubble),
  burst_delay_ms: z.number().min(0).max(LONGEST_BURST_DELAY_MS).optional(),
});
export const messageReplySchema = z
  .union([silenceSchema, bubblesSchema, textSchema, reflexSchema])
  .describe('The reply to the person, in one of three forms, or none.');
export type MessageReply = z.infer<typeof messageReplySchema>;

export const ackReplySchema = z
  .object({ success: z.literal(true), ack_commands: z.array(z.string()) })
  .describe('The ack is stored. Any 2xx with a JSON object says the same.');
export type AckReply = z.infer<typeof ackReplySchema>;

export const photoReplySchema = z
  .object({ success: z.literal(true), attachment_guid: z.string() })
  .describe('You have the file. Any 2xx with a JSON object says the same.');
export type PhotoReply = z.infer<typeof photoReplySchema>;

export const sendReplySchema = z
  .object({
    success: z.literal(true),
    command_id: z.string().min(1),
    delivery: z
      .enum(['websocket', 'polling', 'known'])
      .describe('Sent by socket, stored for the next sync or connect, or known already.'),
    instant: z.boolean(),
  })
  .describe('The text is stored and will be sent.');
export type SendReply = z.infer<typeof sendReplySchema>;

const milliseconds = z.number().nullable();
const latencySchema = z
  .object({ count: z.int().min(0), p50: milliseconds, p99: milliseconds, longest: milliseconds })
  .describe('From sending a command to its ack, in ms.');
const count = z.int().min(0);
export const statsSchema = z
  .object({
    total_connections: count,
    commands_pending: count,
    commands_acked: count,
    ack_latency_ms: latencySchema,
    connections: z.array(
      z.object({
        edge_agent_id: z.string(),
        connected_since: time,
        last_seen: time,
        pings: count,
        commands_pending: count,
        commands_acked: count,
        ack_latency_ms: latencySchema,
      }),
    ),
  })
  .describe('The connected agents, their waiting commands, and the latency of acks.');
export type Stats = z.infer<typeof statsSchema>;

export const healthSchema = z.object({ status: z.literal('ok'), uptime_seconds: count });
export type HealthReply = z.infer<typeof healthSchema>;

export const refusalSchema = z
  .object({
    error: z.string().describe('For programs.'),
    message: z.string().describe('For a person.'),
    fields: z.array(z.string()).optional().describe('400: each invalid field, and what was expected.'),
  })
  .describe('Why not.');
