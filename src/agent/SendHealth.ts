import type { SendResult } from '../messages/applescript/sendResult.js';
import type { Clock } from '../system/clock.js';

const LASTING = new Set(['automation_denied', 'osascript_missing', 'messages_unavailable']);

export interface SendFault {
  code: 'automation_denied' | 'osascript_missing' | 'messages_unavailable';
  /** Unix ms. */
  since: number;
  message: string;
  remedy: string;
}

/** Whether Messages takes texts at all, by how attempts end: a lasting fault stays until one gets through. */
export class SendHealth {
  private current: SendFault | undefined;

  constructor(private readonly clock: Clock) {}

  note(result: SendResult): void {
    if (result.kind === 'accepted') this.current = undefined;
    if (result.kind !== 'notStarted' || !LASTING.has(result.reason)) return;
    const code = result.reason as SendFault['code'];
    const since = this.current?.code === code ? this.current.since : this.clock.now();
    this.current = {
      code,
      since,
      message: result.message.endsWith('.') ? result.message : `${result.message}.`,
      remedy: result.remedy,
    };
  }

  fault(): SendFault | undefined {
    return this.current;
  }
}
