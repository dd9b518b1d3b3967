import type { SocketSecrets } from '../../gateway/GatewayBackend.js';
import { enterAgent } from '../../gateway/ledger/agents.js';
import type { GatewayDatabase, Transaction } from '../../gateway/storage/GatewayDatabase.js';
import type { Clock } from '../../system/clock.js';

/** One secret for all agents: a caller that has it is an agent, and is registered on its first request. */
export class SharedSecret implements SocketSecrets {
  private readonly entered = new Set<string>();

  constructor(
    private secret: string,
    private readonly database: GatewayDatabase,
    private readonly clock: Clock,
  ) {}

  /** From now on only this secret counts; live sockets stay. */
  rotate(secret: string): void {
    this.secret = secret;
  }

  /** Whichever agent it is; also one that is not named. */
  async of(): Promise<readonly string[]> {
    return [this.secret];
  }

  async invite(transaction: Transaction, agentId: string): Promise<string> {
    await this.enter(transaction, agentId);
    return this.secret;
  }

  async watch(): Promise<void> {
    // A socket outlives the secret that opened it.
  }

  unwatch(): void {
    // None is watched.
  }

  /** From now on commands can be kept for this agent. Rejects as the database does. */
  async know(agentId: string): Promise<void> {
    if (this.entered.has(agentId)) return;
    await this.database.transaction((transaction) => this.enter(transaction, agentId));
  }

  /** The same in a transaction of the caller's. */
  async enter(transaction: Transaction, agentId: string): Promise<void> {
    if (this.entered.has(agentId)) return;
    await enterAgent(transaction, { id: agentId, name: null, isInvited: true }, this.clock.now());
    transaction.afterCommit(() => this.entered.add(agentId));
  }
}
