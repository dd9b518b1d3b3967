import type { AckBody } from '../store/acks.js';
import type { CommandRecord } from '../store/commands.js';
import type { Store } from '../store/Store.js';
import type { Clock } from '../system/clock.js';
import type { Verdict } from './verdict.js';

export type AckListener = (command: CommandRecord, verdict: Verdict) => void;

/** Writes acks: into the command's row for every later repeat, and into the outbox. Called inside a write. */
export class Acks {
  private readonly listeners: AckListener[] = [];

  constructor(
    private readonly store: Store,
    private readonly clock: Clock,
  ) {}

  /** Told of each ack that is given, inside the write that stores it. `command` is as it was before. */
  onGiven(listener: AckListener): void {
    this.listeners.push(listener);
  }

  /** Acks a command; a second ack of the same command has the next `revision` and corrects the first. */
  give(commandId: string, verdict: Verdict): void {
    const known = this.store.commands.find(commandId);
    if (known === undefined) return;
    const at = new Date(this.clock.now()).toISOString();
    const failed = verdict.kind === 'failed';
    const words = failed && verdict.code !== null ? `${verdict.code}: ${verdict.message}` : null;
    const ack: AckBody = {
      command_id: commandId,
      status: verdict.kind,
      success: !failed,
      error: failed ? (words ?? verdict.message) : null,
      completed_at: at,
      timestamp: at,
      revision: known.revision + 1,
      ...(verdict.result === undefined ? {} : { result: verdict.result }),
    };
    this.store.commands.finish(ack);
    // What the backend never sent it never hears the end of.
    if (known.via !== 'operator') this.store.acks.add(ack);
    for (const listener of this.listeners) listener(known, verdict);
  }

  /** Sends the last ack of a command again; nothing if it has none yet. `marked` adds `result.repeated`. */
  repeat(last: AckBody | null, marked: boolean): void {
    if (last === null) return;
    const ack = marked ? { ...last, result: { ...last.result, repeated: true } } : last;
    this.store.acks.addAgain(ack);
  }
}
