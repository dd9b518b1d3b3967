import { z } from 'zod';
import { EdgeError } from '../errors.js';
import {
  type AgentStatus,
  agentStatusSchema,
  type ChatMessage,
  chatMessageSchema,
  type NotificationLevel,
  notificationSchema,
} from '../model/monitorFrames.js';
import type { Monitoring } from './Monitoring.js';

/**
 * What a program that embeds the agent may say to those who watch it, and how many they are. Says nothing while the agent is not
 * running or serves no channel (`monitor.enabled`); then the counts are 0.
 */
export interface LocalChannel {
  /** To everybody who is authenticated. Throws EdgeError `invalid_payload`, which names the field, like the others. */
  broadcastAgentStatus(status: AgentStatus): void;
  broadcastChatMessage(message: ChatMessage): void;
  /** To everybody, or to every connection of one user (the name in the token). */
  sendNotification(level: NotificationLevel, message: string, userId?: string): void;
  /** How many are connected. */
  getClientsCount(): number;
  /** How many of them showed a valid token. */
  getAuthenticatedClientsCount(): number;
}

const SCHEMAS = {
  status: agentStatusSchema.shape.data,
  message: chatMessageSchema.shape.data,
  notification: notificationSchema.shape.data,
};

/** `monitoring` is asked at each use: it comes and goes with the agent. */
export function localChannel(monitoring: () => Monitoring | undefined): LocalChannel {
  return {
    broadcastAgentStatus(status) {
      const data = judged(SCHEMAS.status, status);
      monitoring()?.server?.broadcastStatus(data);
    },
    broadcastChatMessage(message) {
      const data = judged(SCHEMAS.message, message);
      monitoring()?.server?.broadcastChatMessage(data);
    },
    sendNotification(level, message, userId) {
      monitoring()?.notify(judged(SCHEMAS.notification, { level, message }), userId);
    },
    getClientsCount: () => monitoring()?.view().connected ?? 0,
    getAuthenticatedClientsCount: () => monitoring()?.view().authenticated ?? 0,
  };
}

function judged<T>(schema: z.ZodType<T>, value: unknown): T {
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  throw new EdgeError('invalid_payload', z.prettifyError(read.error), 'See docs/embedding.md.');
}
