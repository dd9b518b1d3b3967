import type { NotificationLevel, Verbs } from '../monitor-client/index.js';
import { counted } from './words.js';

/** The notice after an action: what happened according to the agent's answer, not what was requested. */
type Told = readonly [NotificationLevel, string];

const EVERYTHING = '*';
const NO_LONGER: Told = ['info', 'It is no longer set aside.'];

/** Of a pause, of everything or of one conversation. */
export function pausedWords({ conversation, changed }: Verbs['pause']['result']): Told {
  const what = conversation === EVERYTHING ? 'Sending' : 'This conversation';
  return changed
    ? ['success', `${what} is paused: texts wait until you resume.`]
    : ['info', `${what} was paused already.`];
}

/** For a resume of everything. Conversations with their own pause stay paused. */
export function resumedWords({ resumed, stillPaused }: Verbs['resume']['result']): Told {
  if (stillPaused.length > 0) {
    const where = counted(stillPaused.length, 'conversation');
    return ['warning', `Sending is resumed, but texts still wait in ${where} paused separately.`];
  }
  return resumed.length > 0
    ? ['success', 'Sending is resumed.']
    : ['info', 'Sending was not paused any more.'];
}

/** Of a resume of one conversation, which changes nothing there while everything is paused. */
export function resumedThereWords({ resumed, stillPaused }: Verbs['resume']['result']): Told {
  const done =
    resumed.length > 0 ? 'This conversation is resumed' : 'This conversation was not paused any more';
  if (stillPaused.includes(EVERYTHING))
    return ['warning', `${done}, but its texts still wait: sending is paused everywhere.`];
  return [resumed.length > 0 ? 'success' : 'info', `${done}.`];
}

/** Of messages that are to be posted again. */
export function retriedWords(guids: Verbs['queue.retry']['result']): Told {
  return guids.length === 0
    ? NO_LONGER
    : ['success', `${counted(guids.length, 'message')} will be posted again.`];
}

/** Of messages that are given up. */
export function droppedWords(guids: Verbs['queue.drop']['result']): Told {
  return guids.length === 0 ? NO_LONGER : ['success', `${counted(guids.length, 'message')} given up.`];
}

/** Of a scheduled text that is not to be sent. */
export function cancelledWords(answer: Verbs['schedule.cancel']['result']): Told {
  return answer.cancelled
    ? ['success', 'The text is cancelled and will not be sent.']
    : ['warning', `It could not be cancelled: it is already ${answer.status}.`];
}
