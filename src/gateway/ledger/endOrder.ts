import { z } from 'zod';
import type { Transaction } from '../storage/GatewayDatabase.js';
import { commandTypeOf } from './commands.js';
import { eventId, publish } from './eventLog.js';
import type { MessageEvidence } from './messageStatus.js';
import { knownMessage, learnOf } from './messages.js';

/** A command that waits, as it is stored. */
export const orderRow = z.object({ position: z.number(), command_id: z.string(), command: z.string() });

/** Why an order ends without a word of its agent, and when (Unix ms). */
interface OrderEnd {
  /** What is learnt of a text. */
  readonly evidence: MessageEvidence;
  /** The event for a command that is not a message. */
  readonly error: string;
  /** Distinguishes the event of this end from those of others. */
  readonly id: string;
  readonly at: number;
}

/**
 * Ends a waiting command and publishes its event: it is withdrawn and has no ack. If the agent still sends one, it
 * counts as the first. Within the lock of the agent.
 */
export async function endOrder(
  transaction: Transaction,
  agentId: string,
  { position, command_id: id, command }: z.infer<typeof orderRow>,
  end: OrderEnd,
  now: number,
): Promise<void> {
  void transaction.query('UPDATE commands SET acked_at = $3 WHERE agent_id = $1 AND position = $2', [
    agentId,
    position,
    now,
  ]);
  if (await endText(transaction, agentId, id, end.evidence, now)) return;
  const { error, at } = end;
  const command_type = commandTypeOf(command);
  const data = { command_id: id, command_type, status: 'failed', revision: 1, error, result: null } as const;
  const event = { id: eventId('command.status', agentId, id, end.id), conversation: null, at };
  await publish(transaction, { ...event, type: 'command.status', agentId, data }, now);
}

/** Ends the text of a command. False: there is no such text. Within the lock of the agent. */
export async function endText(
  transaction: Transaction,
  agentId: string,
  id: string,
  evidence: MessageEvidence,
  now: number,
): Promise<boolean> {
  const message = await knownMessage(transaction, agentId, id);
  if (message === undefined) return false;
  await learnOf(transaction, message, evidence, now);
  return true;
}
