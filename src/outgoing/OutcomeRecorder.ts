import { basename } from 'node:path';
import type { ErrorCode } from '../model/errorCodes.js';
import type { SendRecord } from '../model/sending.js';
import type { Store } from '../store/Store.js';
import type { SendTable } from '../store/sends.js';
import type { ConversationQueues } from './ConversationQueues.js';
import { isDuplicate } from './DuplicatePairing.js';

/** Writes the end of a text into the ledger, with everything that follows from it, in the caller's write. */
export class OutcomeRecorder {
  private readonly listeners: OutcomeListener[] = [];

  constructor(
    private readonly store: Store,
    private readonly lanes: ConversationQueues,
  ) {}

  onOutcome(listener: OutcomeListener): void {
    this.listeners.push(listener);
  }

  /**
   * `watchUntil` (Unix ms): how long its row is still looked for, if the outcome may be corrected later. If a
   * part fails before anything of its request was sent, the later parts fail with it, so that no one gets a
   * text without its beginning.
   */
  settle(send: SendRecord, given: SendOutcome, watchUntil: number | null = null): void {
    const outcome = provable(send, given);
    this.end(send, outcome, watchUntil);
    if (outcome.kind !== 'failed') return;
    const { kind, errorCode } = outcome;
    const message = `Not sent, because part ${send.part} could not be: ${outcome.message}`;
    for (const part of this.pointless(send)) this.end(part, { kind, errorCode, message });
  }

  /** A text that provably did not go out turns out to be a duplicate of one that ended so, and with it those that wait for it. */
  settleAsDuplicate(send: SendRecord, root: SendRecord, outcome: SendOutcome): void {
    const { sends } = this.store;
    const duplicates = [send, ...sends.duplicatesOf(send.seq).filter(({ state }) => state === 'waiting')];
    for (const { seq } of duplicates) sends.rewait(seq, root.seq);
    const end = endOfDuplicate(root, outcome);
    for (const duplicate of duplicates) this.settle({ ...duplicate, twin: root.seq, tag: null }, end);
  }

  /**
   * Outside a write: something that follows from the end of this text causes an internal error, so its
   * outcome is unknown. Each consequence has a separate write, also for its duplicates, and the ledger comes
   * last, so that interrupted work is repeated after a crash. The lane continues. False if the disk could not
   * store everything.
   */
  setAside(send: SendRecord, cause: string): boolean {
    const message = `The agent could not handle the outcome of this text: ${cause}`;
    const outcome = { kind: 'unknown', message } as const;
    const areStored = this.listeners.every((listener) =>
      this.store.tryEach([listener], (call) => call(send, outcome), NOTHING),
    );
    const waiting = this.store.sends.duplicatesOf(send.seq).filter(({ state }) => state === 'waiting');
    const areEnded = waiting.every((duplicate) => this.setAside(duplicate, cause));
    if (!areStored || !areEnded) return false;
    return this.store.tryWrite(() => {
      this.store.sends.settle(send.seq, { ...ledgerEnd(send, outcome), watchUntil: null });
      this.store.lineage.advance();
      if (isInLane(send)) this.lanes.left(send);
      this.store.setAside.note('text', send.id, cause);
    });
  }

  private end(send: SendRecord, outcome: SendOutcome, watchUntil: number | null = null): void {
    const wasInLane = isInLane(send);
    this.store.sends.settle(send.seq, { ...ledgerEnd(send, outcome), watchUntil });
    this.store.lineage.advance();
    if (wasInLane) this.lanes.left(send);
    for (const listener of this.listeners) listener(send, outcome);
    this.settleDuplicates(send, outcome);
  }

  /** The untried parts of a request of which nothing was or may have been sent. */
  private pointless({ partOf }: SendRecord): readonly SendRecord[] {
    const parts = partOf === null ? [] : this.store.sendParts.of(partOf);
    const open = parts.filter(({ state }) => state === 'queued' || state === 'staging');
    const areOthersFailed = parts.every((part) => part.state === 'failed' || open.includes(part));
    return areOthersFailed ? open : [];
  }

  /**
   * The duplicates of this text share its outcome: not sent if it was sent, unknown if it is unknown, failed
   * if Messages has its row and may still send it on its own. If the outcome is corrected, so are theirs. If
   * the text provably was not sent, the first waiting duplicate is sent instead, and the others wait for that
   * one.
   */
  private settleDuplicates(send: SendRecord, outcome: SendOutcome): void {
    const duplicates = this.store.sends.duplicatesOf(send.seq).filter(isDuplicate);
    const waiting = duplicates.filter(({ state }) => state === 'waiting');
    if (outcome.kind === 'failed' && outcome.guid === undefined) {
      this.promoteFirst(waiting, send.place);
      return;
    }
    const end = endOfDuplicate(send, outcome);
    for (const duplicate of duplicates) if (duplicate.state !== end.kind) this.settle(duplicate, end);
  }

  private promoteFirst([heir, ...others]: readonly SendRecord[], place: number): void {
    if (heir === undefined) return;
    this.store.sends.promote(heir.seq, place);
    this.lanes.joined(heir);
    for (const other of others) this.store.sends.rewait(other.seq, heir.seq);
  }
}

/** A listener that throws is skipped; the text is recorded as set aside. */
const NOTHING = () => undefined;

function isInLane(send: SendRecord): boolean {
  return (
    send.state === 'staging' ||
    send.state === 'queued' ||
    send.state === 'attempting' ||
    send.state === 'confirming'
  );
}

/**
 * A text that was sent again because its outcome was unknown may have gone out the first time, whatever became of the
 * second attempt: it cannot be said to have failed without a row.
 */
function provable(send: SendRecord, outcome: SendOutcome): SendOutcome {
  if (outcome.kind !== 'failed' || outcome.guid !== undefined || send.resends === 0) return outcome;
  return { kind: 'unknown', message: `It was sent twice; the second attempt failed: ${outcome.message}` };
}

function ledgerEnd(send: SendRecord, outcome: SendOutcome) {
  switch (outcome.kind) {
    case 'sent':
      return { state: 'sent', guid: outcome.guid, service: outcome.service } as const;
    case 'deduplicated':
      return { state: 'deduplicated' } as const;
    case 'failed':
      return {
        state: 'failed',
        // A row belongs to one text: that of a duplicate's failure is the other text's.
        guid: isDuplicate(send) ? null : (outcome.guid ?? null),
        errorCode: outcome.errorCode,
        error: outcome.message,
      } as const;
    case 'unknown':
      return { state: 'unknown', errorCode: 'outcome_unknown', error: outcome.message } as const;
  }
}

/** The text that was or will be sent instead of a duplicate. */
interface DuplicateOf {
  /** The command that asked for it; null for a bubble of a reply. */
  commandId: string | null;
  /** The message that it answers, where that is known. */
  answers: string | null;
  /** Its row in chat.db; null while there is none. */
  guid: string | null;
}

/**
 * How a text ended. `confirmed` is false where chat.db could not be read. `late`: it had been reported as
 * unknown, or as failed, before. `unknown` is never sent again by the agent. `guid` of a failure: the failed
 * row, which Messages may still send on its own. `deduplicated`: it was not sent, because the same words were
 * sent as `duplicateOf`. A duplicate of a text that failed with a row, or whose outcome is unknown, shares
 * that outcome, and names it too.
 */
export type SendOutcome =
  | { kind: 'sent'; confirmed: boolean; guid: string | null; service: string | null; late: boolean }
  | { kind: 'deduplicated'; duplicateOf?: DuplicateOf; late?: boolean }
  | { kind: 'failed'; errorCode: ErrorCode; message: string; guid?: string; duplicateOf?: DuplicateOf }
  | { kind: 'unknown'; message: string; duplicateOf?: DuplicateOf };

/** What is said of a text whose row has an error of Messages. */
export function notDelivered(error: number): string {
  return `Messages reported error ${error}: the text was not delivered. Messages may still send it on its own.`;
}

/** Called for every outcome inside the write that stores it, so that the consequences are stored with it. */
export type OutcomeListener = (send: SendRecord, outcome: SendOutcome) => void;

/** How one part of a request ended; `file` is the name of its file, null for a text. */
interface PartEnd {
  file: string | null;
  outcome: SendOutcome;
}

/**
 * All parts of a request have ended; called again when one of them is corrected. In the order in which they
 * were sent.
 */
export interface RequestEnd {
  commandId: string | null;
  scheduleId: string | null;
  parts: readonly PartEnd[];
}

/** Called inside the write that ends the last part, so that the consequences are stored with it. */
export type RequestListener = (end: RequestEnd) => void;

/** The end of the request that a send is a part of, now that it ended so; undefined while another part has not ended. */
export function requestEnd(send: SendRecord, outcome: SendOutcome, store: Store): RequestEnd | undefined {
  const { commandId, scheduleId, partOf } = send;
  if (partOf === null) return { commandId, scheduleId, parts: [partEnd(send, outcome)] };
  const parts: PartEnd[] = [];
  for (const part of store.sendParts.of(partOf)) {
    const end = part.seq === send.seq ? outcome : outcomeOf(part, store.sends);
    if (end === undefined) return undefined;
    parts.push(partEnd(part, end));
  }
  return { commandId, scheduleId, parts };
}

function partEnd(send: SendRecord, outcome: SendOutcome): PartEnd {
  return { file: send.file === null ? null : basename(send.file), outcome };
}

/**
 * The outcome of a send in the ledger; undefined while it has none. A duplicate has the outcome of the text
 * that is sent instead.
 */
export function outcomeOf(send: SendRecord, sends: SendTable): SendOutcome | undefined {
  const { guid, service } = send;
  const root = isDuplicate(send) && send.twin !== null ? sends.get(send.twin) : undefined;
  const rowGuid = root?.guid ?? guid;
  const row = rowGuid === null ? {} : { guid: rowGuid };
  const duplicate = root === undefined ? {} : { duplicateOf: duplicateOf(root, root.guid) };
  const message = send.error ?? '';
  switch (send.state) {
    case 'sent':
      return { kind: 'sent', confirmed: guid !== null, guid, service, late: false };
    case 'failed': {
      const errorCode = (send.errorCode ?? 'internal') as ErrorCode;
      return { kind: 'failed', errorCode, message, ...row, ...duplicate };
    }
    case 'unknown':
      return { kind: 'unknown', message, ...duplicate };
    case 'deduplicated':
      return { kind: 'deduplicated', ...duplicate };
    default:
      return undefined;
  }
}

/** How the duplicates of a text end that ended so, and that may have gone out. */
export function endOfDuplicate(
  root: SendRecord,
  outcome: SendOutcome,
): Extract<SendOutcome, { kind: 'deduplicated' | 'failed' | 'unknown' }> {
  switch (outcome.kind) {
    case 'sent': {
      const late = outcome.late ? { late: true } : {};
      return { kind: 'deduplicated', duplicateOf: duplicateOf(root, outcome.guid), ...late };
    }
    case 'failed':
      return { ...outcome, duplicateOf: duplicateOf(root, outcome.guid ?? null) };
    case 'unknown':
      return { ...outcome, duplicateOf: duplicateOf(root, null) };
    case 'deduplicated':
      return outcome;
  }
}

function duplicateOf({ commandId, answers }: SendRecord, guid: string | null): DuplicateOf {
  return { commandId, answers, guid };
}
