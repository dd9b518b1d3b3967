import type { ErrorCode } from '../model/errorCodes.js';
import type { Problem } from '../model/problem.js';
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

/** Work that this machine can keep from being done, and what waits meanwhile. */
const WAITING = {
  sending: 'Texts wait in their order.',
  staging: 'Files to be sent are waiting, and the texts after them.',
  uploading: 'Images for the backend wait.',
} as const;
type MachineWork = keyof typeof WAITING;

/**
 * Whether texts and files get out of this machine at all, by how attempts end. A fault of this machine is over with the
 * first attempt of the same work that gets past it; any other lasting fault with the first text that gets through.
 */
export class SendHealth {
  private current: Problem<number, LastingCode> | undefined;
  private readonly machine = new Map<MachineWork, Problem<number, LastingCode>>();

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
    this.current = { code, since, message: sentence(result.message), remedy: result.remedy };
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
      message: `${sentence(fault.message)} ${WAITING[work]}`,
      remedy: fault.remedy,
    });
  }

  /** The fault of Messages that lasts. */
  fault(): Problem<number, LastingCode> | undefined {
    return this.current;
  }

  /** The faults of this machine, each code once. */
  machineFaults(): Problem<number, LastingCode>[] {
    const faults = [...this.machine.values()];
    return faults.filter((one, index) => faults.findIndex(({ code }) => code === one.code) === index);
  }
}

function sentence(message: string): string {
  return message.endsWith('.') ? message : `${message}.`;
}
