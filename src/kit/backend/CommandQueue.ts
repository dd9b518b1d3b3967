import type { CommandCounts } from '../../gateway/agents/EdgeBackend.js';
import type { Ack, WireCommand } from '../../gateway/agents/frames.js';

/** A command that the agent has not acked. */
export interface WaitingCommand {
  readonly command: WireCommand;
  /** Unix ms. */
  readonly queuedAt: number;
  /** True: only handed out by /edge/sync, even while a socket is up. */
  readonly pollingOnly: boolean;
  /** How often it was handed out, by either way. */
  deliveries: number;
  /** Unix ms of the last time; undefined before the first. */
  deliveredAt: number | undefined;
}

/** What an ack meant: the first for its command, a repeat or an older revision, a correction, or for none of ours. */
export type AckEffect = 'first' | 'repeated' | 'corrected' | 'unknown';

/**
 * The commands of all agents, each kept until it is acked, in the order of adding. Every call takes effect at once; what is
 * said to others because of it (a command sent, an ack answered) waits for `whenStored`. Ids are per agent: one agent's
 * ack never clears another's command.
 */
export interface CommandQueue {
  /** Idempotent: a known id, acked or not, changes nothing and returns false. */
  add(agentId: string, command: WireCommand, options: { queuedAt: number; pollingOnly: boolean }): boolean;
  /** The unacked ones, oldest first. */
  waiting(agentId: string): readonly WaitingCommand[];
  /** Notes that a waiting command was handed out; returns how often it now was (0: no such command waits). */
  delivered(agentId: string, commandId: string, at: number): number;
  acknowledge(agentId: string, ack: Ack): AckEffect;
  /** The ack that counts (the highest revision), if there is one. */
  lastAck(agentId: string, commandId: string): Ack | undefined;
  /** Of one agent, or of all. */
  counts(agentId?: string): CommandCounts;
  /**
   * Calls `then` when everything done so far will survive a crash, or `otherwise` when it could not be stored and is undone.
   * At once where nothing is outstanding; always in the order of calling.
   */
  whenStored(then: () => void, otherwise: (mistake: unknown) => void): void;
}

interface Shelf {
  waiting: Map<string, WaitingCommand>;
  acked: Map<string, Ack>;
  /** How many were ever acked; `acked` itself forgets. */
  ackedInAll: number;
}

/** How many acked ids are remembered per agent. */
const ACKED_KEPT = 100_000;

/** In memory: what waits is lost with the process. Acked ids beyond the newest 100 000 of an agent are forgotten. */
export class MemoryCommandQueue implements CommandQueue {
  private readonly shelves = new Map<string, Shelf>();

  add(agentId: string, command: WireCommand, options: { queuedAt: number; pollingOnly: boolean }): boolean {
    const shelf = this.shelf(agentId);
    const id = command.command_id;
    if (shelf.waiting.has(id) || shelf.acked.has(id)) return false;
    shelf.waiting.set(id, { command, ...options, deliveries: 0, deliveredAt: undefined });
    return true;
  }

  waiting(agentId: string): readonly WaitingCommand[] {
    return [...(this.shelves.get(agentId)?.waiting.values() ?? [])];
  }

  delivered(agentId: string, commandId: string, at: number): number {
    const waiting = this.shelves.get(agentId)?.waiting.get(commandId);
    if (waiting === undefined) return 0;
    waiting.deliveries += 1;
    waiting.deliveredAt = at;
    return waiting.deliveries;
  }

  acknowledge(agentId: string, ack: Ack): AckEffect {
    const shelf = this.shelves.get(agentId);
    if (shelf === undefined) return 'unknown';
    const id = ack.command_id;
    const last = shelf.acked.get(id);
    if (last !== undefined) {
      if (ack.revision <= last.revision) return 'repeated';
      shelf.acked.set(id, ack);
      return 'corrected';
    }
    if (!shelf.waiting.delete(id)) return 'unknown';
    shelf.acked.set(id, ack);
    shelf.ackedInAll += 1;
    if (shelf.acked.size > ACKED_KEPT) {
      const oldest = shelf.acked.keys().next();
      if (!oldest.done) shelf.acked.delete(oldest.value);
    }
    return 'first';
  }

  lastAck(agentId: string, commandId: string): Ack | undefined {
    return this.shelves.get(agentId)?.acked.get(commandId);
  }

  counts(agentId?: string): CommandCounts {
    const all = agentId === undefined ? [...this.shelves.values()] : [this.shelves.get(agentId)];
    return {
      pending: all.reduce((sum, shelf) => sum + (shelf?.waiting.size ?? 0), 0),
      acked: all.reduce((sum, shelf) => sum + (shelf?.ackedInAll ?? 0), 0),
    };
  }

  whenStored(then: () => void): void {
    then();
  }

  private shelf(agentId: string): Shelf {
    const known = this.shelves.get(agentId);
    if (known !== undefined) return known;
    const fresh: Shelf = { waiting: new Map(), acked: new Map(), ackedInAll: 0 };
    this.shelves.set(agentId, fresh);
    return fresh;
  }
}
