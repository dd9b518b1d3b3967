import { parsePayload } from '../../commands/Handler.js';
import { scheduleMessageContract, schedulePayload } from '../../commands/handlers/scheduleMessage.js';
import { sendMessageContract, sendPayload } from '../../commands/handlers/sendMessage.js';
import type { Command } from '../../model/command.js';

/** Older ones an agent does not send, unless its operator has set other limits (protocol §4), in ms. */
const MOST_MS = { reflex: 600_000, other: 3_600_000 };

/** Why an agent would not carry out this command for a text, by its own reading of it; undefined: it would. `now`: Unix ms. */
export function faultOf(
  { commandType, payload, fault, timestamp }: Command,
  now: number,
): string | undefined {
  if (fault !== null) return fault;
  if (scheduleMessageContract.types.includes(commandType)) {
    const read = parsePayload(schedulePayload(payload), scheduleMessageContract.aliases, payload);
    if (read.kind === 'invalid') return read.message;
    return tooLate('send_at', read.payload.send_at, MOST_MS.other, now);
  }
  if (!sendMessageContract.types.includes(commandType))
    return `command_type: expected ${sendMessageContract.types.join(' or ')}`;
  const read = parsePayload(sendPayload(payload), sendMessageContract.aliases, payload);
  if (read.kind === 'invalid') return read.message;
  const { reflex, other } = MOST_MS;
  return tooLate('timestamp', timestamp, read.payload.bubble_type === 'reflex' ? reflex : other, now);
}

function tooLate(field: string, at: number | null, mostMs: number, now: number): string | undefined {
  if (at === null || now - at <= mostMs) return undefined;
  return `${field}: too late by ${Math.round((now - at - mostMs) / 1_000)} s for an agent`;
}
