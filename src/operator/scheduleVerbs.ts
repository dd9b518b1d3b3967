import { EdgeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import { maskHandle } from '../logging/mask.js';
import type { Answers, CancelAnswer, OperatorApi, ScheduleEntry } from '../model/operatorApi.js';
import type { Cancellation } from '../outgoing/Scheduler.js';
import type { Store } from '../store/Store.js';
import type { Names } from './names.js';
import { neededText } from './verbInput.js';

const MOST_TEXTS = 1000;

/** Scheduled texts for the operator: to look at, and to take back. */
export function scheduleVerbs(
  store: Store,
  { nameOf }: Names,
  cancel: (id: string, cancelledBy: string) => Cancellation,
  log: Logger,
): Answers<Pick<OperatorApi, 'schedule.list' | 'schedule.cancel'>> {
  return {
    'schedule.list': ({ all, texts }): ScheduleEntry[] =>
      store.schedule.list(all === true ? undefined : 'pending', MOST_TEXTS).map((text) => ({
        schedule_id: text.scheduleId,
        command_id: text.commandId,
        conversation: maskHandle(text.conversation),
        name: nameOf(text.conversation),
        send_at: new Date(text.sendAt).toISOString(),
        status: text.state,
        characters: [...text.text].length,
        files: text.files?.length ?? 0,
        error: text.error,
        ...(texts === true ? { text: text.text } : {}),
      })),
    'schedule.cancel'({ id: written }): CancelAnswer {
      const id = neededText(written, 'id', 'a schedule or command id');
      const answer = store.write(() => takeBack(store, cancel, id));
      if (answer.cancelled)
        log.info('The operator cancelled a scheduled text', { schedule: answer.schedule_id });
      return answer;
    },
  };
}

/** As a cancel by the backend, which is told by the text's ack and, whatever acks it wants, by an event. */
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
