import { describeError } from '../../errors.js';
import type { Logger } from '../../logging/Logger.js';
import type { Clock } from '../../system/clock.js';
import type { AgentConnection } from '../agents/AgentConnection.js';
import type { ConnectionRegistry } from '../agents/ConnectionRegistry.js';
import { type Interposer, NO_FAULTS } from '../agents/Interposer.js';
import {
  type AddedCommand,
  addCommand,
  addFreshCommand,
  type NewCommand,
  newestWaiting,
  type StoredCommand,
} from '../ledger/commands.js';
import { holderOf } from '../ledger/connections.js';
import { ringAfterCommit } from '../ledger/eventLog.js';
import { setAsideUnreadable } from '../ledger/unreadableCommands.js';
import type { GatewayDatabase, Transaction } from '../storage/GatewayDatabase.js';
import { CommandOffer } from './CommandOffer.js';
import type { PushedCommand } from './notices.js';

/** How many agents one look of the sweep asks for. */
const SWEPT_AT_ONCE = 500;

interface DispatchParts {
  database: GatewayDatabase;
  clock: Clock;
  log: Logger;
  registry: ConnectionRegistry;
  replicaId: string;
  /** Of a server that works unless given. */
  interposer?: Pick<Interposer, 'commandFrames'>;
  /** Notifies the replica that holds the socket of an agent of a command for it, which is durable. Never throws. */
  wakeAt(replicaId: string, pushed: PushedCommand): void;
  /** Rings after a commit that published events. */
  ring: (isForWebhooks: boolean) => void;
  /** Called for a command that is on its way, each time. */
  setOut(agentId: string, commandId: string): void;
}

/** `isPushed`: its agent has a socket, to which it goes after the commit. */
type DispatchedCommand =
  | (AddedCommand & { readonly kind: 'added' } & { readonly isPushed: boolean })
  | (AddedCommand & { readonly kind: 'known' | 'unknown_agent' });

/**
 * Gets commands to the sockets of their agents: stored first, then sent by the replica that holds the socket, in their order. What
 * is unacked is offered again on every new socket.
 */
export class CommandDispatch {
  private readonly offers = new Map<AgentConnection, CommandOffer>();

  constructor(private readonly parts: DispatchParts) {}

  /** Keeps a command; it is sent after the commit. Takes the lock of the agent. */
  async add(
    transaction: Transaction,
    agentId: string,
    command: NewCommand,
    now: number,
  ): Promise<DispatchedCommand> {
    // Within the lock of the agent, which a socket takes too: it sees this command, or we see it. In one round trip.
    const [added, holder] = await Promise.all([
      addCommand(transaction, agentId, command, now),
      holderOf(transaction, agentId),
    ]);
    if (added.kind !== 'added') return added;
    if (holder !== undefined) transaction.afterCommit(() => this.send(agentId, holder.replicaId, added));
    return { ...added, isPushed: holder !== undefined };
  }

  /**
   * The same for an id that no command has yet, without waiting: see `addFreshCommand`. False: there is no such agent, and nothing was
   * written.
   */
  async addFresh(
    transaction: Transaction,
    agentId: string,
    command: NewCommand,
    now: number,
  ): Promise<boolean> {
    const answers = Promise.all([
      addFreshCommand(transaction, agentId, command, now),
      holderOf(transaction, agentId),
    ]);
    // Where the commit is known, so are the answers before it.
    transaction.afterCommit(() => {
      void answers.then(([added, holder]) => {
        if (added !== undefined && holder !== undefined) this.send(agentId, holder.replicaId, added);
      });
    });
    const [added] = await answers;
    return added !== undefined;
  }

  /** Offers a new socket what waits for its agent, and from now on what is added. */
  async start(connection: AgentConnection): Promise<void> {
    const { database, interposer = NO_FAULTS, setOut } = this.parts;
    const setAside = (position: number) => this.setAside(connection.agentId, position);
    const offer = new CommandOffer({ database, connection, interposer, setOut, setAside });
    this.offers.set(connection, offer);
    await offer.catchUp();
  }

  /** Forgets a socket that closed. */
  end(connection: AgentConnection): void {
    this.offers.delete(connection);
  }

  /** There may be something new for these agents; for one in `pushed` that is this command, which is durable. */
  wake(agentIds: readonly string[], pushed: readonly PushedCommand[] = []): void {
    const known = new Map(pushed.map(([agentId, ...next]) => [agentId, next]));
    for (const agentId of agentIds) this.offer(agentId, ...(known.get(agentId) ?? []));
  }

  /** Offers every socket here what it has not been offered. Never rejects. */
  async sweep(): Promise<void> {
    const { registry, database, log } = this.parts;
    const agentIds = registry.all().map(({ agentId }) => agentId);
    try {
      for (let from = 0; from < agentIds.length; from += SWEPT_AT_ONCE) {
        const some = agentIds.slice(from, from + SWEPT_AT_ONCE);
        for (const { agentId, position } of await newestWaiting(database, some)) {
          const connection = registry.find(agentId);
          const offer = connection === undefined ? undefined : this.offers.get(connection);
          if (connection !== undefined && offer?.hasOffered(position) === false) this.catchUp(connection);
        }
      }
    } catch (mistake) {
      log.warn(`Could not look for commands that wait; will retry: ${describeError(mistake)}`);
    }
  }

  /**
   * Sets aside a command that cannot be read (`setAsideUnreadable`). Never rejects: where it fails, it is found again when the agent asks
   * again, and the commands behind it wait for nothing.
   */
  async setAside(agentId: string, position: number): Promise<void> {
    const { database, clock, log, ring } = this.parts;
    try {
      const id = await database.transaction((transaction) => {
        ringAfterCommit(transaction, ring);
        return setAsideUnreadable(transaction, agentId, position, clock.now());
      });
      if (id !== undefined)
        log.error('A command could not be read and was set aside', { code: 'item_set_aside', commandId: id });
    } catch (mistake) {
      log.warn(`A command that cannot be read could not be set aside; will retry: ${describeError(mistake)}`);
    }
  }

  private send(
    agentId: string,
    holder: string,
    { position, command }: AddedCommand & { kind: 'added' },
  ): void {
    const { replicaId, wakeAt } = this.parts;
    if (holder !== replicaId) {
      // Where another one has it by now, that one reads everything itself.
      wakeAt(holder, [agentId, position, command]);
      return;
    }
    this.offer(agentId, position, command);
  }

  /** Offers a command to the socket here, if there is one: this one where it is the next, otherwise all that was not offered. */
  private offer(agentId: string, ...next: [] | [position: number, command: StoredCommand]): void {
    const connection = this.parts.registry.find(agentId);
    if (connection === undefined) return;
    const offer = this.offers.get(connection);
    if (offer === undefined) return;
    const [position, command] = next;
    if (position === undefined || command === undefined || !offer.offerNext(position, command))
      this.catchUp(connection);
  }

  private catchUp(connection: AgentConnection): void {
    this.offers
      .get(connection)
      ?.catchUp()
      .catch((mistake) => {
        // The agent connects again, and is offered everything.
        this.parts.log.warn(`The commands of a socket could not be read: ${describeError(mistake)}`);
        connection.drop();
      });
  }
}
