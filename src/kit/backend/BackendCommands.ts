import { describeError } from '../../errors.js';
import type { ConnectionRegistry } from '../../gateway/agents/ConnectionRegistry.js';
import type { CommandCounts, DeliveryWay } from '../../gateway/agents/EdgeBackend.js';
import { type Ack, ackSchema, type Envelope, type WireCommand } from '../../gateway/agents/frames.js';
import { ackOf, countAllCommands, countCommands, waitingCommands } from '../../gateway/ledger/commands.js';
import type { CommandDispatch } from '../../gateway/replicas/CommandDispatch.js';
import type { GatewayDatabase } from '../../gateway/storage/GatewayDatabase.js';
import type { Clock } from '../../system/clock.js';
import { freshId } from '../../system/random.js';
import type { CommandWire } from './CommandWire.js';
import type { SharedSecret } from './SharedSecret.js';

/** A command to be sent: its id, priority and timestamp are filled in where they are not given. */
export interface CommandRequest {
  command_id?: string;
  command_type: string;
  payload?: Readonly<Record<string, unknown>>;
  readonly [key: string]: unknown;
}

export interface DeliveryOptions {
  /** `polling`: only by /edge/sync, even with a live socket, as long as this process runs. Else by socket if there is one. */
  via?: DeliveryWay;
  /** The envelope of this frame, where it should not be the backend's own. */
  envelope?: Envelope;
}

export interface Delivery {
  commandId: string;
  /**
   * Resolves when the command is stored. `websocket`: it is sent now. `polling`: stored for the next sync or reconnect.
   * `known`: the id existed already, and the command was neither stored nor sent again. Rejects when it could not be
   * stored, which is logged, too.
   */
  via: Promise<DeliveryWay | 'known'>;
}

interface CommandsParts {
  clock: Clock;
  database: GatewayDatabase;
  agents: SharedSecret;
  dispatch: CommandDispatch;
  registry: ConnectionRegistry;
  wire: CommandWire;
  log: (line: string) => void;
}

/** So many waiting commands are read at once. */
const PAGE = 500;

/** The commands of a development backend: what it is asked to send, and what became of it. */
export class BackendCommands {
  constructor(private readonly parts: CommandsParts) {}

  /** Has a command stored, behind those that were asked for before it, and then sent. Idempotent by `command_id`. */
  push(agentId: string, request: CommandRequest, options: DeliveryOptions = {}): Delivery {
    const commandId = request.command_id ?? freshId('cmd');
    const via = this.add(agentId, commandId, request, options);
    via.catch((mistake) => {
      this.parts.log(`Command ${commandId} could not be stored: ${describeError(mistake)}`);
    });
    return { commandId, via };
  }

  /** The unacked ones of an agent, oldest first. */
  async waiting(agentId: string): Promise<readonly WireCommand[]> {
    const commands: WireCommand[] = [];
    let after = 0;
    for (;;) {
      const page = await waitingCommands(this.parts.database, agentId, after, PAGE);
      commands.push(...page.flatMap(({ command }) => command ?? []));
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE) return commands;
      after = last.position;
    }
  }

  /** The ack that counts (the highest revision), if there is one. */
  async lastAck(agentId: string, commandId: string): Promise<Ack | undefined> {
    const ack = await ackOf(this.parts.database, agentId, commandId);
    return ack === undefined ? undefined : ackSchema.parse(ack);
  }

  /** How many of one agent, or of all, wait, and how many were ever acked. */
  async counts(agentId?: string): Promise<CommandCounts> {
    const { database } = this.parts;
    if (agentId === undefined) return countAllCommands(database);
    return (await countCommands(database, [agentId])).get(agentId) ?? { pending: 0, acked: 0 };
  }

  private async add(
    agentId: string,
    commandId: string,
    { command_id: _, command_type: type, payload = {}, priority, ...more }: CommandRequest,
    { via, envelope }: DeliveryOptions,
  ): Promise<DeliveryWay | 'known'> {
    const { clock, database, agents, dispatch, registry, wire } = this.parts;
    const pollingOnly = via === 'polling';
    const isUp = registry.find(agentId) !== undefined;
    const now = clock.now();
    const command = { commandId, type, payload, more, ...(typeof priority === 'string' ? { priority } : {}) };
    const added = await database.transaction(async (transaction) => {
      await agents.enter(transaction, agentId);
      const { kind } = await dispatch.add(transaction, agentId, command, now);
      const isOdd = pollingOnly || envelope !== undefined;
      if (kind === 'added' && isOdd) wire.make(agentId, commandId, { pollingOnly, envelope });
      return kind;
    });
    if (added !== 'added') return 'known';
    return isUp && !pollingOnly ? 'websocket' : 'polling';
  }
}
