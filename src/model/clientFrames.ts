import { z } from 'zod';

/** The topics to which a monitor client may subscribe in addition to the standard frames. */
export const TOPICS = [
  'link',
  'commands',
  'logs',
  'sends',
  'queues',
  'schedule',
  'pauses',
  'problems',
  'doctor',
] as const;

export type Topic = (typeof TOPICS)[number];

export const PRESENCES = ['online', 'away', 'busy', 'offline'] as const;

/** `offline` is also what a user is whose last connection has gone. */
export type Presence = (typeof PRESENCES)[number];

const LONGEST_ID = 64;

/** The schema by which clients' frames are read. */
export const clientFrameSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ping') }),
  z.object({ type: z.literal('pong') }),
  z.object({ type: z.literal('user_presence'), data: z.enum(PRESENCES) }),
  z.object({
    type: z.literal('subscribe'),
    data: z.object({ topics: z.array(z.enum(TOPICS)).max(TOPICS.length) }),
  }),
  z.object({
    type: z.literal('request'),
    data: z.object({
      id: z.string().min(1).max(LONGEST_ID),
      verb: z.string().max(LONGEST_ID),
      args: z.record(z.string(), z.unknown()).default({}),
    }),
  }),
]);

/** What a client may send. */
export type WrittenClientFrame = z.input<typeof clientFrameSchema>;

/** The same as it was read. */
export type ClientFrame = z.output<typeof clientFrameSchema>;
