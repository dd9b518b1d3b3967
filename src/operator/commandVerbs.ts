import { basename } from 'node:path';
import { EdgeError } from '../errors.js';
import { maskHandle } from '../logging/mask.js';
import type { LoggedCommand } from '../store/commandLog.js';
import type { Store } from '../store/Store.js';
import type { SendRecord } from '../store/sendRecord.js';
import { iso, isoOrNull } from '../system/isoTime.js';
import type { StatusVerb } from './StatusServer.js';
import { type TimelineStep, timeline } from './timeline.js';
import { neededText } from './verbInput.js';

/** A command as the operator sees it: no text, handles masked. Times are ISO 8601; null: not yet. */
export interface CommandEntry {
  command_id: string;
  command_type: string;
  /** websocket, http or operator. */
  via: string;
  state: 'open' | 'completed' | 'failed';
  received_at: string;
  acked_at: string | null;
  /** When the backend provably read the newest ack, and by which channel. */
  ack_read_at: string | null;
  ack_read_via: string | null;
  error: string | null;
}

/** One text or file that a command had sent. */
interface TextEntry {
  conversation: string;
  characters: number;
  file: string | null;
  state: SendRecord['state'];
  attempts: number;
  /** Nothing goes out in its conversation until it is resumed. */
  paused: boolean;
  guid: string | null;
  service: string | null;
  error: string | null;
}

/** A command with everything that is known of its life, the earliest step first. */
export interface CommandDetail extends CommandEntry {
  revision: number;
  /** What the ack says for programs: `outcome`, `retry_safe` … */
  result: Record<string, unknown> | null;
  schedule: { schedule_id: string; send_at: string; status: string } | null;
  texts: TextEntry[];
  timeline: TimelineStep[];
}

const MOST_COMMANDS = 1000;

/** What became of commands; nothing is changed. */
export function commandVerbs(store: Store): Readonly<Record<'commands.list' | 'commands.show', StatusVerb>> {
  return {
    'commands.list': ({ limit, open }): CommandEntry[] =>
      store.commandLog.list(atMost(limit), open === true).map(commandEntry),
    'commands.show'({ id: written }): CommandDetail {
      const id = neededText(written, 'id', 'a command id');
      const detail = commandDetail(store, id);
      if (detail !== undefined) return detail;
      throw new EdgeError(
        'command_unknown',
        `There is no command ${id}.`,
        'See the newest ones: edge-agent commands list',
      );
    },
  };
}

/** Everything about one command; undefined if its id is not known (any more). */
export function commandDetail(store: Store, id: string): CommandDetail | undefined {
  const command = store.commandLog.find(id);
  if (command === undefined) return undefined;
  const scheduled = store.schedule.find(id);
  const cause = scheduled === undefined ? `command:${id}` : `schedule:${scheduled.scheduleId}`;
  const whole = store.sends.findById(cause);
  const sends = whole === undefined ? store.sendParts.of(cause) : [whole];
  return {
    ...commandEntry(command),
    revision: command.revision,
    result: command.ack?.result ?? null,
    schedule:
      scheduled === undefined
        ? null
        : { schedule_id: scheduled.scheduleId, send_at: iso(scheduled.sendAt), status: scheduled.state },
    texts: sends.map((send) => textEntry(send, store.pauses.covers(send.conversation))),
    timeline: timeline(command, scheduled, sends),
  };
}

function commandEntry(command: LoggedCommand): CommandEntry {
  const { ack } = command;
  return {
    command_id: command.commandId,
    command_type: command.commandType,
    via: command.via,
    state: ack === null ? 'open' : ack.status,
    received_at: iso(command.receivedAt),
    acked_at: isoOrNull(command.ackedAt),
    ack_read_at: isoOrNull(command.ackReadAt),
    ack_read_via: command.ackReadVia,
    error: ack?.error ?? null,
  };
}

function textEntry(send: SendRecord, paused: boolean): TextEntry {
  return {
    conversation: maskHandle(send.conversation),
    characters: [...send.text].length,
    file: send.file === null ? null : basename(send.file),
    state: send.state,
    attempts: send.attempts,
    paused,
    guid: send.guid,
    service: send.service,
    error: send.error,
  };
}

function atMost(limit: unknown): number {
  return typeof limit === 'number' && Number.isInteger(limit) && limit > 0
    ? Math.min(limit, MOST_COMMANDS)
    : MOST_COMMANDS;
}
