import type { Logger } from '../logging/Logger.js';
import type { AttemptResult, SendRecord, SendTarget, SentRows } from '../model/sending.js';
import type { Store } from '../store/Store.js';
import { rowWatchedMs, sendTrace } from '../store/sendRecord.js';
import type { Clock } from '../system/clock.js';
import { isMachineCode, machinePause } from '../system/failures.js';
import type { ConversationQueues } from './ConversationQueues.js';
import type { MachineGate } from './limits.js';
import type { OutcomeRecorder } from './OutcomeRecorder.js';
import { knownRows, matchRows } from './SendVerifier.js';

export interface BegunAttempt {
  send: SendRecord;
  tag: string;
  form: SendTarget['form'];
  /** The form is the best one that there is. */
  isBest: boolean;
  formCount: number;
  /** The form that was noted for the conversation when the attempt began. */
  worked: string | undefined;
}

/** Stores what an attempt has come to: sent, failed, to be tried again, or to be proven by its row in chat.db. */
export class AttemptEnds {
  constructor(
    private readonly store: Store,
    private readonly lanes: ConversationQueues,
    private readonly rows: SentRows,
    private readonly settlement: OutcomeRecorder,
    private readonly clock: Clock,
    private readonly log: Logger,
    private readonly machine: MachineGate,
  ) {}

  /** Inside a write: what the ledger says after an attempt. */
  conclude(attempt: BegunAttempt, result: AttemptResult): void {
    const { formCount } = attempt;
    const send = this.store.sends.get(attempt.send.seq);
    if (send === undefined) return;
    if (result.kind === 'accepted') this.learn(attempt);
    if (result.kind === 'notStarted' && !this.hasRow(send)) this.retryOrFail(send, result, formCount);
    else if (send.afterRow !== null) {
      if (!this.isProvenAtOnce(send)) this.awaitRow(send, result);
    } else if (result.kind === 'accepted') {
      this.settlement.settle(send, {
        kind: 'sent',
        confirmed: false,
        guid: null,
        service: null,
        late: false,
      });
    } else this.settlement.settle(send, { kind: 'unknown', message: result.message });
  }

  /** Whether chat.db already has the row of a text, or one that may become it, whatever osascript says of it. */
  hasRow(send: SendRecord): boolean {
    if (send.afterRow === null) return false;
    const found = this.matches(send);
    return found !== undefined && (found.proofs.has(send.seq) || found.undecided.has(send.seq));
  }

  /** Undefined if chat.db could not be read. */
  private matches(send: SendRecord): ReturnType<typeof matchRows> | undefined {
    return this.rows.whole(() => matchRows([send], this.rows, knownRows(this.store), this.clock.now()));
  }

  awaitRow(send: SendRecord, result: AttemptResult | null): void {
    this.endAttempt(send, result?.kind === 'unknown' ? result.message : null);
  }

  endAttempt(send: SendRecord, why: string | null): void {
    const doubt = why === null ? null : { errorCode: 'outcome_unknown', error: why };
    this.store.sends.ended(send.seq, this.clock.now() + rowWatchedMs(send), doubt);
    this.lanes.changed(send.conversation);
  }

  /**
   * Inside the write that stores the end of an attempt: whether its row is there already, so that its outcome is stored instead of the
   * wait for it. A row that others may have a claim to, or that says that it failed, is left to the verifier.
   */
  private isProvenAtOnce(send: SendRecord): boolean {
    const watched = this.store.sends.watched();
    if (watched.some(({ conversation }) => conversation === send.conversation)) return false;
    const row = this.matches(send)?.proofs.get(send.seq);
    if (row === undefined || row.error !== 0) return false;
    const { guid, service } = row;
    this.settlement.settle(send, { kind: 'sent', confirmed: true, guid, service, late: false });
    return true;
  }

  private retryOrFail(
    send: SendRecord,
    result: Extract<AttemptResult, { kind: 'notStarted' }>,
    formCount: number,
  ): void {
    const { errorCode, message } = result;
    const retry = retryOf(send, result, formCount, this.machine.failures);
    if (retry.kind === 'final') {
      this.log.error('A text could not be sent', { ...sendTrace(send), code: errorCode });
      this.settlement.settle(send, { kind: 'failed', errorCode, message });
      return;
    }
    const { form, attempts } = retry;
    const notBefore = retry.delayMs === 0 ? 0 : this.lanes.putOff(retry.delayMs);
    this.store.sends.requeue(send.seq, { form, attempts, notBefore, errorCode, error: message });
    this.lanes.changed(send.conversation);
    this.log.warn('A text was not started; will retry', { ...sendTrace(send), code: errorCode });
  }

  /** Inside a write: which form to begin with next time. The best one needs no note. */
  private learn({ send: { conversation }, form, isBest, worked }: BegunAttempt): void {
    if (!isBest) this.store.targetForms.set(conversation, form);
    else if (worked !== undefined) this.store.targetForms.forget(conversation);
  }
}

const MOST_ATTEMPTS = 3;
const BACKOFF_MS = [2_000, 8_000];

type Retry = { kind: 'retry'; form: number; attempts: number; delayMs: number } | { kind: 'final' };

/**
 * Whether a text that provably did not start is tried again: at once with the next target form, or with the best
 * form after a pause, three times in all. Where this machine is at fault it is kept: tried again until that is over, and
 * no attempt counts. `machineFailures`: how many attempts in a row have failed by this machine, this one included.
 * Nothing else is ever tried again.
 */
function retryOf(
  send: Pick<SendRecord, 'form' | 'attempts'>,
  result: Extract<AttemptResult, { kind: 'notStarted' }>,
  formCount: number,
  machineFailures = 1,
): Retry {
  if (isMachineCode(result.errorCode)) {
    const delayMs = machinePause(machineFailures);
    return { kind: 'retry', form: send.form, attempts: send.attempts, delayMs };
  }
  if (result.retry === 'fallback' && send.form + 1 < formCount) {
    return { kind: 'retry', form: send.form + 1, attempts: send.attempts, delayMs: 0 };
  }
  const attempts = send.attempts + 1;
  const delayMs = BACKOFF_MS[attempts - 1];
  if (result.retry !== 'later' || attempts >= MOST_ATTEMPTS || delayMs === undefined)
    return { kind: 'final' };
  return { kind: 'retry', form: 0, attempts, delayMs };
}
