import { parseSyncReply } from '../../backend/protocol.js';
import type { Command } from '../../model/command.js';
import type { SeenFrame } from './ProbeSocket.js';
import { type RequestAnswer, succeeded } from './request.js';

/** The commands of a sync reply; none if it is not one. */
export function commandsIn(answer: RequestAnswer): readonly Command[] {
  return succeeded(answer) ? (parseSyncReply(answer.json)?.commands ?? []) : [];
}

/** The command whose text is this one. */
export function commandFor(text: string, commands: readonly Command[]): Command | undefined {
  return commands.find(({ payload }) => textOf(payload) === text);
}

export function textOf(payload: Readonly<Record<string, unknown>>): unknown {
  return payload.text ?? payload.message_text ?? payload.message;
}

/** The conversation that a command is for, under either of its names. */
export function threadOf({ payload }: Command): string {
  return String(payload.thread_id ?? payload.chat_guid ?? '');
}

/** The command in a frame, if it is one. */
export function commandIn({ frame }: SeenFrame): Command | undefined {
  return frame.type === 'command' ? frame.command : undefined;
}
