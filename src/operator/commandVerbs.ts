import { basename } from 'node:path';
import { EdgeError } from '../errors.js';
import type { Answers, CommandDetail, CommandEntry, OperatorApi, TextEntry } from '../model/operatorApi.js';
import type { SendRecord } from '../model/sending.js';
import type { LoggedCommand } from '../store/commands.js';
import type { Store } from '../store/Store.js';
import { iso, isoOrNull } from '../system/time.js';
import { wholeId } from './namedId.js';
import type { Names } from './names.js';
import { timeline } from './timeline.js';
import { neededText, shownHandle } from './verbInput.js';

const MOST_COMMANDS = 1000;

/** What became of commands; nothing is changed. */
export function commandVerbs(
  store: Store,
  names: Names,
): Answers<Pick<OperatorApi, 'commands.list' | 'commands.show'>> {
  return {
    'commands.list': ({ limit, open }): CommandEntry[] =>
      store.commandLog.list(atMost(limit), open === true).map(commandEntry),
    'commands.show'({ id: written, texts }): CommandDetail {
      const id = neededText(written, 'id', 'a command id, or its beginning');
      const known = () => store.commandLog.list(MOST_COMMANDS, false).map(({ commandId }) => commandId);
      const detail =
        commandDetail(store, names, id, texts) ??
        commandDetail(store, names, wholeId(id, known(), 'command_unknown') ?? id, texts);
      if (detail !== undefined) return detail;
      throw new EdgeError(
        'command_unknown',
        `There is no command ${id}.`,
        'See the newest ones: edge-agent commands list',
      );
    },
  };
}

/** Everything about one command, with whole handles if `texts` is true; undefined if its id is not known (any more). */
export function commandDetail(
  store: Store,
  names: Names,
  id: string,
  texts?: unknown,
): CommandDetail | undefined {
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
    texts: sends.map((send) => textEntry(send, names, store.pauses.covers(send.conversation), texts)),
    timeline: timeline(command, scheduled, sends, texts),
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

function textEntry(send: SendRecord, { nameOf }: Names, paused: boolean, texts: unknown): TextEntry {
  return {
    conversation: shownHandle(send.conversation, texts),
    name: nameOf(send.conversation),
    characters: [...send.text].length,
    file: send.file === null ? null : basename(send.file),
    state: send.state,
    attempts: send.tries,
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
