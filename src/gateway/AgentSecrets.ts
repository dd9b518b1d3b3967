import { describeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import type { Clock, Timer } from '../system/clock.js';
import type { AgentConnection } from './agents/AgentConnection.js';
import { CLOSE } from './agents/frames.js';
import { addAgent, findAgent, secretsOf } from './ledger/agents.js';
import type { SecretBox } from './ledger/SecretBox.js';
import { oneByOne } from './oneByOne.js';
import { notifyOfChange, RecentAnswers } from './RecentAnswers.js';
import type { GatewayDatabase, StopListening, Transaction } from './storage/GatewayDatabase.js';

const CHANNEL = 'gateway_credentials';

/** How often the secrets of every socket are looked at without word of a change, in ms. */
const LOOK_MS = 300_000;

interface SecretsParts {
  database: GatewayDatabase;
  box: SecretBox;
  clock: Clock;
  log: Logger;
}

/** Notifies every replica that secrets of this agent are no longer valid. To be called once that is durable. */
export function notifyOfSecrets(database: GatewayDatabase, agentId: string): Promise<void> {
  return notifyOfChange(database, CHANNEL, agentId);
}

/**
 * The secrets of agents, as requests are judged by them; and the sockets that were opened with them: one whose secrets count no more,
 * because they were rotated out or the agent was removed, is closed (1008).
 */
export class AgentSecrets {
  private readonly recent: RecentAnswers<readonly string[]>;
  /** The secrets that counted when each socket was opened. */
  private readonly sockets = new Map<AgentConnection, readonly string[]>();
  /** How often something has changed. */
  private changes = 0;
  private timer: Timer | undefined;
  private looking: Promise<void> = Promise.resolve();
  private isStopped = false;
  private stopListening: StopListening = async () => undefined;

  constructor(private readonly parts: SecretsParts) {
    this.recent = new RecentAnswers(parts.clock);
  }

  /** Rejects with `storage_unavailable` if the database does not listen. */
  async start(): Promise<void> {
    const { database } = this.parts;
    const missed = () => this.changed(() => true);
    this.stopListening = await database.listen(
      CHANNEL,
      (changedId) => this.changed(({ agentId }) => agentId === changedId),
      missed,
    );
    this.next();
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    this.timer?.cancel();
    await this.stopListening();
    await this.looking;
  }

  /** Those that count, the newest first; none of an agent that is unknown. Rejects as the database does. */
  async of(agentId: string): Promise<readonly string[]> {
    const secrets = await this.recent.of(agentId, async () => {
      const counting = await this.read(agentId);
      // One that is unknown may be added at any moment.
      return counting.length === 0 ? undefined : counting;
    });
    return secrets ?? [];
  }

  /** The secret of an agent that was invited, which is made if it is new; undefined for one that an operator added. */
  async invite(transaction: Transaction, agentId: string, now: number): Promise<string | undefined> {
    const { box } = this.parts;
    const made = await addAgent(transaction, box, { id: agentId, name: null, isInvited: true }, now);
    if (made !== undefined) return made;
    if ((await findAgent(transaction, agentId))?.isInvited !== true) return undefined;
    return (await secretsOf(transaction, box, agentId, now))[0];
  }

  /** From now on this socket is closed once none of the secrets counts that count now. Rejects as the database does. */
  async watch(connection: AgentConnection): Promise<void> {
    const before = this.changes;
    const secrets = await this.of(connection.agentId);
    if (!connection.open) return;
    this.sockets.set(connection, secrets);
    if (secrets.length === 0) end(connection);
    else if (before !== this.changes) this.look((one) => one === connection);
  }

  /** A socket that was watched has ended. */
  unwatch(connection: AgentConnection): void {
    this.sockets.delete(connection);
  }

  private changed(concerns: (connection: AgentConnection) => boolean): void {
    this.changes += 1;
    this.recent.forget();
    this.look(concerns);
  }

  private next(): void {
    if (this.isStopped) return;
    this.timer = this.parts.clock.after(LOOK_MS, () => {
      this.look(() => true);
      this.next();
    });
  }

  private look(concerns: (connection: AgentConnection) => boolean): void {
    this.looking = this.looking.then(() => this.lookAt([...this.sockets.keys()].filter(concerns)));
  }

  private async lookAt(connections: readonly AgentConnection[]): Promise<void> {
    try {
      await oneByOne(connections, async (connection) => {
        if (this.isStopped) return;
        const counting = await this.read(connection.agentId);
        if (this.sockets.get(connection)?.some((secret) => counting.includes(secret)) === false)
          end(connection);
      });
    } catch (error) {
      this.parts.log.debug('The secrets of sockets could not be checked; will retry', {
        reason: describeError(error),
      });
    }
  }

  private read(agentId: string): Promise<readonly string[]> {
    const { database, box, clock } = this.parts;
    return secretsOf(database.soon, box, agentId, clock.now());
  }
}

function end(connection: AgentConnection): void {
  connection.close(CLOSE.policy, 'the secret of this socket is no longer valid');
}
