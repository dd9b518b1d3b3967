import type { MessageReply } from '../model/backendBodies.js';
import type { Transaction } from './storage/GatewayDatabase.js';

/*
 * What the application's side of a gateway (API, webhooks) asks of the side that agents talk to.
 */

/** A command as it is asked for (protocol §4). */
export interface WantedCommand {
  readonly commandId: string;
  readonly type: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly priority?: string | undefined;
}

export interface CommandIntake {
  /**
   * Keeps a command for an agent, behind those that were added before; it is pushed once the transaction is durable. One whose id is
   * known stays as it was. `now` is when it was made, Unix ms. False: there is no such agent.
   */
  add(transaction: Transaction, agentId: string, command: WantedCommand, now: number): Promise<boolean>;

  /**
   * The same for an id that no command has yet. All that it asks of the transaction is asked for when it returns, so its answer need not be
   * awaited before the commit. False: nothing was written.
   */
  addFresh(transaction: Transaction, agentId: string, command: WantedCommand, now: number): Promise<boolean>;
}

interface ReplyDesk {
  /**
   * Stores the answer to an incoming message, unless it has one (`late`); the agent's request that waits for it gets it once the
   * transaction is durable. Within the lock of the agent.
   */
  answer(
    transaction: Transaction,
    agentId: string,
    guid: string,
    reply: MessageReply,
  ): Promise<'given' | 'late'>;
}

/** What an application's answer to a message is given to. */
export interface AnswerPorts {
  readonly commands: CommandIntake;
  readonly replies: ReplyDesk;
}
