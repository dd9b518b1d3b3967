import { hash } from 'node:crypto';
import { describeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import type { AckBody } from '../model/agentBodies.js';
import type { HandlerResult, ReceivedCommand, Verdict } from '../model/command.js';
import { type CommandRecord, UNKNOWN_BODY_HASH } from '../store/commands.js';
import { diskFault } from '../store/diskFault.js';
import type { LedgerGap } from '../store/ledgerGap.js';
import type { Store } from '../store/Store.js';
import type { Clock } from '../system/clock.js';
import type { Handler } from './Handler.js';

type AckListener = (command: CommandRecord, verdict: Verdict) => void;

/** So long after a restore a command may be one that was acked before it, in ms: a backend offers what is open as soon as it can. */
const OFFERED_AGAIN_MS = 86_400_000;

/**
 * The number of an ack, and whether it says that its store was restored. After a restore it is not known which acks the
 * backend has. A certain outcome of a text counts above all of them; a doubt, or an ack that depends on forgotten
 * state, counts only if the backend has none, so it has the number that it would have had, and is marked.
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

  /** Called for each created ack, inside the write that stores it. `command` is its previous state. */
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
    // A command that the backend did not send is not acked.
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

/** Where a command came from: the backend by one of its channels, or the operator of this Mac. */
type Channel = 'websocket' | 'http' | 'operator';

const CHANNEL_NAMES: Readonly<Record<Channel, string>> = {
  websocket: 'WebSocket',
  http: 'HTTP',
  operator: 'edge-agent send',
};

/** A command that may have been executed before the store was damaged. */
const FORGOTTEN: HandlerResult = {
  kind: 'failed',
  code: 'outcome_unknown',
  message:
    'Records of commands were damaged, possibly that of this one: it is not known whether it was executed.',
  result: { outcome: 'unknown', retry_safe: false },
};

/** After a salvage that lost ids a command without a timestamp is doubted for so long since the backend could offer it, in ms. */
const UNDATED_DOUBTED_MS = 120_000;

/** What became of a command, once it is stored. */
type CommandStage = 'received' | 'completed' | 'failed';

/** Called after the commit; must not throw. */
type StageListener = (commandId: string, stage: CommandStage, code: string | null) => void;

/**
 * Takes commands in. Each is stored, executed and, where its end is known, acked in one durable write together with
 * the others of its batch; an id that was ever seen is never executed again, its last ack is sent again instead.
 */
export class Commands {
  private readonly handlers = new Map<string, Handler>();
  private readonly listeners: StageListener[] = [];

  constructor(
    private readonly store: Store,
    private readonly acks: Acks,
    private readonly log: Logger,
    handlers: readonly Handler[],
    /** What our clock showed, at the earliest, when the backend's showed this (Unix ms). */
    private readonly ownTime: (backendTime: number) => number = (time) => time,
    /** Calls its argument at the end of this turn of the loop: what came by the socket in it is one commit. At once if left out. */
    private readonly atTurnEnd?: (work: () => void) => void,
  ) {
    for (const handler of handlers) for (const type of handler.types) this.handlers.set(type, handler);
    // Of every ack: a scheduled text has one when it is stored and one when it was sent.
    acks.onGiven(({ commandId }, verdict) => store.report(() => this.logVerdict(commandId, verdict)));
  }

  /**
   * Throws if the batch cannot be stored; then nothing of it was done and nothing is acked. A command that causes an
   * internal error fails alone. Commands by the socket may share a commit with other writes of this turn of the event
   * loop; if that fails, it is logged.
   */
  receive(commands: readonly ReceivedCommand[], via: Channel): void {
    if (this.store.setAside.isWatching) for (const command of commands) this.takeWatched(command, via);
    else if (via === 'websocket' && this.atTurnEnd !== undefined)
      this.receiveTogether(commands, via, this.atTurnEnd);
    else this.receiveAtOnce(commands, via);
  }

  private receiveAtOnce(commands: readonly ReceivedCommand[], via: Channel): void {
    try {
      this.store.write(() => {
        for (const command of commands) this.take(command, via);
      });
    } catch (error) {
      if (diskFault(error) !== undefined) throw error;
      for (const command of commands) this.takeAlone(command, via);
    }
  }

  /** Each for itself, so that those behind one that trips keep their order. */
  private receiveTogether(
    commands: readonly ReceivedCommand[],
    via: Channel,
    atTurnEnd: (work: () => void) => void,
  ): void {
    this.store.togetherUntil(atTurnEnd);
    let isRefused = false;
    const refused = (fault: unknown) => {
      if (isRefused) return;
      isRefused = true;
      this.log.error('Could not store commands; none of it was acked', { cause: describeError(fault) });
    };
    for (const command of commands)
      this.store.share({
        take: () => this.take(command, via),
        ended: (end) => {
          if (end.kind === 'refused') refused(end.fault);
          else if (end.kind === 'failed') this.refuseLater(command, via, end.fault, refused);
        },
      });
  }

  /** Where no caller would catch a disk error. */
  private refuseLater(
    command: ReceivedCommand,
    via: Channel,
    fault: unknown,
    refused: (fault: unknown) => void,
  ): void {
    try {
      this.refuse(command, via, fault);
    } catch (error) {
      refused(error);
    }
  }

  onStage(listener: StageListener): void {
    this.listeners.push(listener);
  }

  private announce(commandId: string, stage: CommandStage, code: string | null = null): void {
    for (const listener of this.listeners) listener(commandId, stage, code);
  }

  private takeAlone(command: ReceivedCommand, via: Channel): void {
    try {
      this.store.write(() => this.take(command, via));
    } catch (error) {
      if (diskFault(error) !== undefined) throw error;
      this.refuse(command, via, error);
    }
  }

  /** The agent ended without notice: a command that ended it several times is not tried again. */
  private takeWatched(command: ReceivedCommand, via: Channel): void {
    const taken = this.store.setAside.attempt('command', command.commandId, () =>
      this.takeAlone(command, via),
    );
    if (taken.kind === 'done') return;
    if (diskFault(taken.error) !== undefined) throw taken.error;
    this.refuse(command, via, taken.error);
  }

  /**
   * Stores and acks a command that causes an internal error; if even that cannot be stored, only its id is kept. Throws
   * only disk errors: the later commands of the batch are still accepted.
   */
  private refuse(command: ReceivedCommand, via: Channel, fault: unknown): void {
    const { commandId } = command;
    const cause = describeError(fault);
    const message = `The agent could not handle this command: ${cause}`;
    const verdict: HandlerResult = { kind: 'failed', code: 'internal', message };
    this.log.error('A command could not be handled: internal error', { trace: commandId, cause });
    const end = (kept: ReceivedCommand) =>
      this.store.write(() => {
        this.take(kept, via, verdict);
        this.store.setAside.note('command', commandId, cause);
      });
    try {
      end(command);
    } catch (error) {
      if (diskFault(error) !== undefined) throw error;
      end({ ...command, payload: {} });
    }
  }

  /** What a command asked to be sent has ended, in all its parts; inside the write that stores the last outcome. */
  requestEnded(request: { commandId: string | null; scheduleId: string | null }, verdict: Verdict): void {
    if (request.commandId === null || request.scheduleId !== null) return;
    this.finish(request.commandId, verdict);
  }

  private take(command: ReceivedCommand, via: Channel, known?: HandlerResult): void {
    const { commandId, commandType } = command;
    this.store.report(() => this.log.info(`📥 Received command via ${CHANNEL_NAMES[via]}: ${commandId}`));
    // Before any report about its text, which may also end in this write.
    this.store.afterCommit(() => this.announce(commandId, 'received'));
    const bodyHash = hashOf(command);
    const body = bodyOf(command);
    if (!this.store.commands.add({ commandId, commandType, body, bodyHash, via })) {
      this.repeat(command, bodyHash);
      return;
    }
    const isDoubtful = via !== 'operator' && this.mayBeForgotten(command);
    const result = known ?? (isDoubtful ? FORGOTTEN : this.execute(command));
    if (result.kind !== 'deferred') this.finish(commandId, result);
  }

  private mayBeForgotten({ timestamp }: ReceivedCommand): boolean {
    const { commands, lineage } = this.store;
    if (timestamp !== null) {
      const gap = lineage.gap();
      if (gap !== undefined && lineage.mayBeMadeBefore(gap, timestamp) === false) return false;
      return commands.mayBeForgotten(Math.min(...lineage.datesInGap(timestamp, this.ownTime)));
    }
    return commands.mayBeForgotten() && lineage.isOfferedAgain({ within: UNDATED_DOUBTED_MS });
  }

  private execute(command: ReceivedCommand): HandlerResult {
    if (command.fault !== null) return { kind: 'failed', code: 'invalid_payload', message: command.fault };
    const handler = this.handlers.get(command.commandType);
    if (handler !== undefined) return handler.run(command);
    const known = [...this.handlers.keys()].join(', ');
    const message = `command_type: expected one of ${known}, found "${command.commandType.slice(0, 100)}"`;
    return { kind: 'failed', code: 'unknown_command', message };
  }

  private repeat(command: ReceivedCommand, bodyHash: string): void {
    const known = this.store.commands.find(command.commandId);
    if (known === undefined) return;
    // If the record of a command was damaged, it is not known whether a repeat is identical.
    const differs = known.bodyHash !== UNKNOWN_BODY_HASH && known.bodyHash !== bodyHash;
    if (differs) {
      this.log.warn('A command arrived again with different content; it is not executed', {
        trace: command.commandId,
      });
    }
    this.acks.repeat(known.ack, differs);
  }

  private logVerdict(commandId: string, verdict: Verdict): void {
    if (verdict.kind === 'completed') this.log.info(`✅ Command ${commandId} executed successfully`);
    else this.log.warn(`❌ Command ${commandId} failed`, { trace: commandId, code: verdict.code });
  }

  private finish(commandId: string, verdict: Verdict): void {
    this.acks.give(commandId, verdict);
    this.store.report(() => {
      this.announce(commandId, verdict.kind, verdict.kind === 'failed' ? verdict.code : null);
    });
  }
}

function hashOf(command: ReceivedCommand): string {
  const said = `[${JSON.stringify(command.commandType)},${inOrder(command.payload)}]`;
  return hash('sha256', said, 'base64url');
}

/** The JSON of `sorted`; of what has nothing within it, which is nearly every payload, without making it. */
function inOrder(payload: Record<string, unknown>): string {
  const keys = Object.keys(payload).sort();
  const isFlat = keys.every((key) => {
    const value = payload[key];
    // Keys that are numbers come first in an object, and by their value.
    return (typeof value !== 'object' || value === null) && value !== undefined && !/^\d/.test(key);
  });
  if (!isFlat) return JSON.stringify(sorted(payload));
  return `{${keys.map((key) => `${JSON.stringify(key)}:${JSON.stringify(payload[key])}`).join(',')}}`;
}

/** What is kept of a command, once: its content without the bytes of files. */
function bodyOf({ payload, priority, timestamp }: ReceivedCommand): string {
  const kept = { payload, priority, timestamp };
  if (payload.attachments === undefined) return JSON.stringify(kept);
  return JSON.stringify(kept, (key, value: unknown) =>
    key === 'data_base64' && typeof value === 'string' ? `(${value.length} characters)` : value,
  );
}

/** The same value with every object's keys in order, so that their order on the wire makes no difference. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
