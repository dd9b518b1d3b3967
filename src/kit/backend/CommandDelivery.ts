import { describeError } from '../../errors.js';
import type { AgentConnection } from '../../gateway/agents/AgentConnection.js';
import type { ConnectionRegistry } from '../../gateway/agents/ConnectionRegistry.js';
import type { Channel, DeliveryWay } from '../../gateway/agents/EdgeBackend.js';
import { type Ack, commandFrame, type Envelope, type WireCommand } from '../../gateway/agents/frames.js';
import type { Clock } from '../../system/clock.js';
import { freshId } from '../../system/random.js';
import type { CommandQueue } from './CommandQueue.js';
import type { Faults } from './Faults.js';
import type { Journal } from './Journal.js';

/** A command to be sent: its id, priority and timestamp are filled in where they are not given. */
export interface CommandRequest {
  command_id?: string;
  command_type: string;
  payload?: Readonly<Record<string, unknown>>;
  readonly [key: string]: unknown;
}

export interface DeliveryOptions {
  /** `polling`: only by /edge/sync, even beside a live socket. Else by socket where there is one. */
  via?: DeliveryWay;
  /** The envelope of this frame, where it should not be the backend's own. */
  envelope?: Envelope;
}

export interface Delivery {
  commandId: string;
  /**
   * `websocket`: sent as soon as it is stored. `polling`: laid down for the next sync or reconnect. `known`: the id was there before, and
   * the command was neither stored nor sent again.
   */
  via: DeliveryWay | 'known';
}

interface DeliveryParts {
  clock: Clock;
  registry: ConnectionRegistry;
  queue: CommandQueue;
  faults: Faults;
  journal: Journal;
  envelope: Envelope;
  /** Called for a command that is on its way, each time. */
  setOut: (agentId: string, commandId: string) => void;
  log: (line: string) => void;
}

/** Gets commands to their agents, at least once: each is stored first, and handed out again until it is acked. */
export class CommandDelivery {
  constructor(private readonly parts: DeliveryParts) {}

  /** Stores a command, then sends it if its agent is connected; `stored` tells when. Idempotent by command_id. */
  push(agentId: string, request: CommandRequest, options: DeliveryOptions = {}): Delivery {
    const { clock, queue, registry } = this.parts;
    const now = clock.now();
    const command: WireCommand = {
      ...request,
      command_id: request.command_id ?? freshId('cmd'),
      payload: request.payload ?? {},
      priority: typeof request.priority === 'string' ? request.priority : 'normal',
      timestamp: typeof request.timestamp === 'string' ? request.timestamp : new Date(now).toISOString(),
    };
    const commandId = command.command_id;
    const pollingOnly = options.via === 'polling';
    if (!queue.add(agentId, command, { queuedAt: now, pollingOnly })) {
      return { commandId, via: 'known' };
    }
    const connection = pollingOnly ? undefined : registry.find(agentId);
    if (connection === undefined) return { commandId, via: 'polling' };
    this.parts.setOut(agentId, commandId);
    queue.whenStored(
      () => this.send(connection, command, options.envelope),
      (mistake) => this.parts.log(`Command ${commandId} could not be stored: ${describeError(mistake)}`),
    );
    return { commandId, via: 'websocket' };
  }

  /** Resolves when all that was pushed and acknowledged so far will survive a crash; rejects when it could not be stored. */
  stored(): Promise<void> {
    return new Promise((resolve, reject) => this.parts.queue.whenStored(resolve, reject));
  }

  /** Sends everything unacked over a new connection, oldest first. */
  redeliver(connection: AgentConnection): void {
    for (const { command, pollingOnly } of this.parts.queue.waiting(connection.agentId)) {
      if (!pollingOnly) this.send(connection, command);
    }
  }

  /** Everything unacked, oldest first, for the reply to a sync. */
  handOut(agentId: string): WireCommand[] {
    return this.parts.queue.waiting(agentId).map(({ command }) => {
      this.note(agentId, command, 'polling');
      return command;
    });
  }

  /** Takes an ack. Repeats, corrections and acks for unknown commands are all welcome. */
  acknowledge(agentId: string, ack: Ack, channel: Channel): void {
    this.parts.queue.acknowledge(agentId, ack);
    this.parts.journal.record({ kind: 'ack', agentId, channel, body: ack });
  }

  private send(connection: AgentConnection, command: WireCommand, envelope = this.parts.envelope): boolean {
    const frame = commandFrame(command, envelope);
    if (!connection.send(frame)) return false;
    this.note(connection.agentId, command, 'websocket');
    if (this.parts.faults.takeDuplicate()) {
      connection.send(frame);
      this.note(connection.agentId, command, 'websocket');
    }
    return true;
  }

  private note(agentId: string, command: WireCommand, via: DeliveryWay): void {
    const { queue, clock, journal } = this.parts;
    const commandId = command.command_id;
    this.parts.setOut(agentId, commandId);
    const repeat = queue.delivered(agentId, commandId, clock.now()) > 1;
    journal.record({ kind: 'command', agentId, commandId, commandType: command.command_type, via, repeat });
  }
}
