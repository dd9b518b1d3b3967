import { type Command, parseSyncReply } from '../../backend/protocol.js';
import type { Seen } from './ProbeSocket.js';
import { type Answer, succeeded } from './request.js';

/** The commands of a sync reply; none if it is not one. */
export function commandsIn(answer: Answer): readonly Command[] {
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
export function commandIn({ frame }: Seen): Command | undefined {
  return frame.type === 'command' ? frame.command : undefined;
}
