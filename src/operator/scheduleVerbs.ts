import { EdgeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import type { Answers, CancelAnswer, OperatorApi, ScheduleEntry } from '../model/operatorApi.js';
import type { Cancellation } from '../outgoing/Scheduler.js';
import type { Store } from '../store/Store.js';
import type { ScheduledText } from '../store/schedule.js';
import { wholeId } from './namedId.js';
import type { Names } from './names.js';
import { neededText, shownHandle } from './verbInput.js';

const MOST_TEXTS = 1000;

/** Scheduled texts for the operator: to look at, and to take back. */
export function scheduleVerbs(
  store: Store,
  names: Names,
  cancel: (id: string, cancelledBy: string) => Cancellation,
  log: Logger,
): Answers<Pick<OperatorApi, 'schedule.list' | 'schedule.cancel'>> {
  return {
    'schedule.list': ({ all, texts }): ScheduleEntry[] =>
      store.schedule
        .list(all === true ? undefined : 'pending', MOST_TEXTS)
        .map((text) => scheduleEntry(text, names, texts === true)),
    'schedule.cancel'({ id: written }): CancelAnswer {
      const id = meant(store, neededText(written, 'id', 'a schedule or command id, or its beginning'));
      const answer = store.write(() => takeBack(store, cancel, id));
      if (answer.cancelled)
        log.info('The operator cancelled a scheduled text', { schedule: answer.schedule_id });
      return answer;
    },
  };
}

/** What is named by the beginning of its id, or of that of its command; what is not known stays as it was written. */
function meant(store: Store, written: string): string {
  if (store.schedule.find(written) !== undefined) return written;
  const pending = store.schedule.list('pending', MOST_TEXTS);
  const one = (ids: string[]) => wholeId(written, ids, 'schedule_unknown');
  return (
    one(pending.map(({ scheduleId }) => scheduleId)) ??
    one(pending.map(({ commandId }) => commandId)) ??
    written
  );
}

export function scheduleEntry(text: ScheduledText, { nameOf }: Names, withText: boolean): ScheduleEntry {
  return {
    schedule_id: text.scheduleId,
    command_id: text.commandId,
    conversation: shownHandle(text.conversation, withText),
    name: nameOf(text.conversation),
    send_at: new Date(text.sendAt).toISOString(),
    status: text.state,
    characters: [...text.text].length,
    files: text.files?.length ?? 0,
    error: text.error,
    ...(withText ? { text: text.text } : {}),
  };
}

/** Like a cancel by the backend; the backend gets the text's ack and, whatever acks are configured, an event. */
function takeBack(
  store: Store,
  cancel: (id: string, cancelledBy: string) => Cancellation,
  id: string,
): CancelAnswer {
  const outcome = cancel(id, 'the operator');
  if (outcome.kind === 'refused') return { cancelled: false, status: outcome.state };
  if (outcome.kind === 'notFound') {
    throw new EdgeError(
      'schedule_unknown',
      `There is no scheduled text ${id}.`,
      'See what is scheduled: edge-agent schedule list',
    );
  }
  const { scheduleId } = outcome;
  const text = store.schedule.find(scheduleId);
  if (text !== undefined && store.commands.find(text.commandId)?.via !== 'operator') {
    store.events.add({
      eventType: 'schedule_cancelled',
      threadId: text.conversation,
      details: { schedule_id: scheduleId, command_id: text.commandId, cancelled_by: 'operator' },
    });
  }
  return { cancelled: true, schedule_id: scheduleId };
}
