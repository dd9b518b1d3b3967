import type { ErrorCode } from '../model/errorCodes.js';
import type { Problem } from '../model/problem.js';
import type { SendFailures } from '../model/vitalSigns.js';
import type { Clock } from '../system/clock.js';
import { isMachineCode, type MachineCode, type MachineFault } from '../system/failures.js';

const LASTING = ['automation_denied', 'messages_unavailable'] as const;
type LastingCode = (typeof LASTING)[number] | MachineCode;

/** How an attempt to send ended, as far as this machine's health goes. `notStarted`: nothing was sent by it. */
type AttemptEnd =
  | { readonly kind: 'accepted' | 'unknown' }
  | {
      readonly kind: 'notStarted';
      readonly reason: ErrorCode;
      readonly message: string;
      readonly remedy: string;
    };

/** What became of a text. */
type TextEnd =
  | { readonly kind: 'sent' | 'deduplicated' }
  | { readonly kind: 'unknown'; readonly message: string }
  | { readonly kind: 'failed'; readonly errorCode: ErrorCode; readonly message: string };

/** Failures that may be those of Messages itself. */
const OF_MESSAGES: readonly ErrorCode[] = ['send_refused', 'not_delivered', 'outcome_unknown'];

/** Work that this machine can keep from being done, and what waits meanwhile. */
const WAITING = {
  sending: 'Texts wait in order.',
  staging: 'Files to be sent are waiting, and the texts after them.',
  uploading: 'Images for the backend wait.',
} as const;
type MachineWork = keyof typeof WAITING;

/** After this long without a try, the fault may be over: it is not known. */
const EVIDENCE_LASTS_MS = 3_600_000;

interface Fault extends Problem<number, LastingCode> {
  /** When an attempt showed it last, monotonic ms. */
  readonly seenAt: number;
}

/**
 * Whether texts and files can be sent from this machine at all, by the results of attempts. A fault of this machine
 * ends with the first attempt of the same work that is not stopped by it; any other lasting fault with the first text
 * that is sent. An hour after the last attempt it ends too, because it is no longer known; except for a permission that
 * macOS denied, which only a person can grant.
 */
export class SendHealth {
  private current: Fault | undefined;
  private readonly unreached = new Set<string>();
  private inARow: Omit<SendFailures, 'conversations'> | null = null;
  private readonly machine = new Map<MachineWork, Fault>();

  constructor(private readonly clock: Clock) {}

  note(result: AttemptEnd): void {
    if (result.kind === 'notStarted' && isMachineCode(result.reason)) {
      this.noteMachine('sending', { code: result.reason, message: result.message, remedy: result.remedy });
      return;
    }
    this.noteMachine('sending', undefined);
    if (result.kind === 'accepted') this.current = undefined;
    if (result.kind !== 'notStarted') return;
    const code = LASTING.find((one) => one === result.reason);
    if (code === undefined) return;
    const since = this.current?.code === code ? this.current.since : this.clock.now();
    const seenAt = this.clock.monotonic();
    this.current = { code, since, seenAt, message: sentence(result.message), remedy: result.remedy };
  }

  /** macOS lets the agent control Messages: what it said before is over. */
  automationGranted(): void {
    if (this.current?.code === 'automation_denied') this.current = undefined;
    if (this.machine.get('sending')?.code === 'automation_pending') this.machine.delete('sending');
  }

  /** What this machine keeps this work from; undefined: it was done, or failed by no fault of this machine. */
  noteMachine(work: MachineWork, fault: MachineFault | undefined): void {
    const before = this.machine.get(work);
    if (fault === undefined) {
      this.machine.delete(work);
      return;
    }
    const since = before?.code === fault.code ? before.since : this.clock.now();
    this.machine.set(work, {
      code: fault.code,
      since,
      seenAt: this.clock.monotonic(),
      message: `${sentence(fault.message)} ${WAITING[work]}`,
      remedy: fault.remedy,
    });
  }

  /** How a text ended, in the end. A failure for what it is or for its age says nothing of this machine. */
  ended(conversation: string, outcome: TextEnd): void {
    if (outcome.kind === 'sent') {
      this.inARow = null;
      this.unreached.clear();
      return;
    }
    const isUnknown = outcome.kind === 'unknown';
    if (!isUnknown && (outcome.kind !== 'failed' || !OF_MESSAGES.includes(outcome.errorCode))) return;
    this.unreached.add(conversation);
    this.inARow = {
      since: this.inARow?.since ?? this.clock.now(),
      lastAt: this.clock.now(),
      texts: (this.inARow?.texts ?? 0) + 1,
      unknown: (this.inARow?.unknown ?? 0) + (isUnknown ? 1 : 0),
      detail: sentence(outcome.message),
    };
  }

  /** Texts in a row that were not sent, or of which that is not known; null where the last one was. */
  failing(): SendFailures | null {
    return this.inARow && { ...this.inARow, conversations: this.unreached.size };
  }

  /** The fault of Messages that lasts. */
  fault(): Problem<number, LastingCode> | undefined {
    const { current } = this;
    if (current === undefined) return undefined;
    return current.code === 'automation_denied' || this.isFresh(current) ? problemOf(current) : undefined;
  }

  /** The faults of this machine, each code once. */
  machineFaults(): Problem<number, LastingCode>[] {
    const faults = [...this.machine.values()].filter((fault) => this.isFresh(fault));
    return faults
      .filter((one, index) => faults.findIndex(({ code }) => code === one.code) === index)
      .map(problemOf);
  }

  private isFresh({ seenAt }: Fault): boolean {
    return this.clock.monotonic() - seenAt < EVIDENCE_LASTS_MS;
  }
}

function problemOf({ seenAt: _, ...problem }: Fault): Problem<number, LastingCode> {
  return problem;
}

function sentence(message: string): string {
  return message.endsWith('.') ? message : `${message}.`;
}
