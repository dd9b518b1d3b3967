import { basename } from 'node:path';
import type { TimelineStep } from '../model/operatorApi.js';
import type { SendRecord } from '../model/sending.js';
import type { LoggedCommand } from '../store/commands.js';
import type { ScheduledText } from '../store/schedule.js';
import { shownHandle } from './verbInput.js';

interface Step {
  at: number;
  step: TimelineStep['step'];
  detail: string;
}

const CHANNELS: Readonly<Record<string, string>> = {
  websocket: 'by WebSocket',
  http: 'by HTTP',
  operator: 'from the operator',
};

/**
 * The steps of a command, its text and its ack, the earliest first; of a text that was tried several times, the last
 * attempt. Handles are whole if `texts` is true. What was forgotten (ended texts after 7 days) is not in it.
 */
export function timeline(
  command: LoggedCommand,
  scheduled: ScheduledText | undefined,
  sends: readonly SendRecord[],
  texts?: unknown,
): TimelineStep[] {
  const steps: Step[] = [
    { at: command.receivedAt, step: 'received', detail: channel(command.via) },
    ...(scheduled === undefined ? [] : ofSchedule(scheduled, command)),
    ...sends.flatMap((send) => ofSend(send, texts)),
    ...ofAck(command),
  ];
  return steps
    .map((step, index) => ({ step, index }))
    .toSorted((a, b) => a.step.at - b.step.at || a.index - b.index)
    .map(({ step }) => ({ ...step, at: new Date(step.at).toISOString() }));
}

function ofSchedule(text: ScheduledText, command: LoggedCommand): Step[] {
  const due = `${text.scheduleId} for ${new Date(text.sendAt).toISOString()}`;
  const steps: Step[] = [{ at: text.createdAt, step: 'scheduled', detail: due }];
  if (text.state !== 'cancelled') return steps;
  const at = text.settledAt ?? command.ackedAt ?? text.createdAt;
  return [...steps, { at, step: 'cancelled', detail: text.error ?? '' }];
}

function ofSend(send: SendRecord, texts: unknown): Step[] {
  const what =
    send.file === null ? `text of ${[...send.text].length} characters` : `file ${basename(send.file)}`;
  const name = send.part === 0 ? what : `part ${send.part}: ${what}`;
  const steps: Step[] = [
    { at: send.createdAt, step: 'queued', detail: `${name} to ${shownHandle(send.conversation, texts)}` },
  ];
  const part = send.part === 0 ? '' : `part ${send.part}: `;
  if (send.attemptedAt !== null) {
    const attempt = send.tries > 1 ? ` (attempt ${send.tries})` : '';
    steps.push({ at: send.attemptedAt, step: 'claimed', detail: `${part}handed to osascript${attempt}` });
  }
  if (send.endedAt !== null && send.endedAt >= (send.attemptedAt ?? 0)) {
    steps.push({ at: send.endedAt, step: 'handed_over', detail: `${part}osascript ended` });
  }
  if (send.settledAt !== null) {
    const { step, detail } = ending(send);
    steps.push({ at: send.settledAt, step, detail: `${part}${detail}` });
  }
  return steps;
}

function ending(send: SendRecord): Pick<Step, 'step' | 'detail'> {
  const why = [send.errorCode, send.error].filter((word) => word !== null).join(': ');
  switch (send.state) {
    case 'sent':
      return send.guid === null
        ? { step: 'sent', detail: 'accepted; chat.db could not be read to confirm it' }
        : { step: 'confirmed', detail: `${send.guid} in chat.db (${send.service ?? 'service unknown'})` };
    case 'deduplicated':
      return { step: 'deduplicated', detail: 'not sent: the same text was already sent' };
    case 'unknown':
      return { step: 'unknown', detail: why };
    default:
      return { step: 'failed', detail: why };
  }
}

function ofAck(command: LoggedCommand): Step[] {
  const { ack, ackedAt, ackReadAt, ackReadVia, revision } = command;
  if (ack === null || ackedAt === null) return [];
  const words = command.via === 'operator' ? ack.status : `${ack.status}, revision ${revision}`;
  const acked: Step = { at: ackedAt, step: 'acked', detail: words };
  if (ackReadAt === null) return [acked];
  return [acked, { at: ackReadAt, step: 'ack_read', detail: `read by the backend, ${channel(ackReadVia)}` }];
}

function channel(via: string | null): string {
  return CHANNELS[via ?? ''] ?? `by ${via ?? 'an unknown channel'}`;
}
