import type { AckBody } from '../model/agentBodies.js';
import type { Verdict } from '../model/command.js';
import type { CommandRecord } from '../store/commands.js';
import type { LedgerGap } from '../store/ledgerGap.js';
import type { Store } from '../store/Store.js';
import type { Clock } from '../system/clock.js';

type AckListener = (command: CommandRecord, verdict: Verdict) => void;

/** So long after a restore a command may be one that was acked before it, in ms: a backend offers what is open as soon as it can. */
const OFFERED_AGAIN_MS = 86_400_000;

/**
 * The number of an ack, and whether it says that its store was restored. After a restore nobody here knows which acks the backend has.
 * What is certain of a text counts above all of them; a doubt, or a word that depends on what the store forgot, counts only where there
 * is none, so it has the number that it would have had, and says so.
 */
export function numberOf(
  verdict: Verdict,
  command: Pick<CommandRecord, 'revision' | 'receivedAt'>,
  gap: Pick<LedgerGap, 'reason' | 'until' | 'foundAt' | 'revisions'> | undefined,
): { revision: number; isRestored: boolean } {
  const next = command.revision + 1;
  const mayBeAcked =
    gap !== undefined &&
    gap.reason !== 'new' &&
    command.receivedAt <= Math.max(gap.until, gap.foundAt) + OFFERED_AGAIN_MS;
  if (!mayBeAcked || next > gap.revisions) return { revision: next, isRestored: false };
  const outcome = verdict.result?.outcome;
  const isCertain = outcome !== undefined && outcome !== 'unknown';
  return isCertain
    ? { revision: gap.revisions + 1, isRestored: false }
    : { revision: next, isRestored: true };
}

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
    const { revision, isRestored } = numberOf(verdict, known, this.store.lineage.gap());
    const words = failed && verdict.code !== null ? `${verdict.code}: ${verdict.message}` : null;
    const ack: AckBody = {
      command_id: commandId,
      status: verdict.kind,
      success: !failed,
      error: failed ? (words ?? verdict.message) : null,
      completed_at: at,
      timestamp: at,
      revision,
      ...(verdict.result === undefined && !isRestored
        ? {}
        : { result: { ...verdict.result, ...(isRestored ? { restored: true } : {}) } }),
    };
    this.store.commands.finish(ack);
    this.store.lineage.advance();
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
