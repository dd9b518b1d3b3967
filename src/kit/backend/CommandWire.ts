import type { DeliveryWay } from '../../gateway/agents/EdgeBackend.js';
import { commandFrame, type Envelope, type WireCommand } from '../../gateway/agents/frames.js';
import type { Journal } from './Journal.js';

/** What of one command is to go over the wire otherwise than a gateway sends it. */
interface OddCommand {
  /** True: only by /edge/sync, even with a live socket. */
  readonly pollingOnly: boolean;
  readonly envelope: Envelope | undefined;
}

/** Commands as they leave: oddities that were asked for, and a note of each time that one leaves. Known to this process alone. */
export class CommandWire {
  private readonly odd = new Map<string, OddCommand>();
  /** How often each unacked command left. */
  private readonly departures = new Map<string, number>();

  constructor(
    private readonly journal: Journal,
    private readonly envelope: Envelope,
  ) {}

  /** From now on this command leaves so, until it is acked. */
  make(agentId: string, commandId: string, odd: OddCommand): void {
    this.odd.set(keyOf(agentId, commandId), odd);
  }

  /** The frame for a command; undefined where it does not go by socket. */
  frame(agentId: string, command: WireCommand): string | undefined {
    const odd = this.odd.get(keyOf(agentId, command.command_id));
    if (odd?.pollingOnly === true) return undefined;
    return commandFrame(command, odd?.envelope ?? this.envelope);
  }

  /** A command as in the reply to a sync. */
  inSync(agentId: string, command: WireCommand): WireCommand {
    this.left(agentId, command, 'polling');
    return command;
  }

  /** A command leaves. */
  left(agentId: string, { command_id: commandId, command_type: commandType }: WireCommand, via: DeliveryWay) {
    const key = keyOf(agentId, commandId);
    const before = this.departures.get(key) ?? 0;
    this.departures.set(key, before + 1);
    this.journal.record({ kind: 'command', agentId, commandId, commandType, via, repeat: before > 0 });
  }

  /** It leaves no more. */
  acked(agentId: string, commandId: string): void {
    this.odd.delete(keyOf(agentId, commandId));
    this.departures.delete(keyOf(agentId, commandId));
  }
}

const keyOf = (agentId: string, commandId: string) => `${agentId} ${commandId}`;
