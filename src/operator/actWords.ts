import { maskHandle } from '../logging/mask.js';
import type { MonitorApi } from '../model/operatorApi.js';
import { EVERY_CONVERSATION } from '../store/conversations.js';

type Act = 'schedule.cancel' | 'queue.retry' | 'queue.drop' | 'pause' | 'resume';

/** What an operator did by the monitor, by the agent's answer, for others; undefined if nothing changed by it. */
export const ACT_WORDS: {
  readonly [Verb in Act]: (result: MonitorApi[Verb]['result']) => string | undefined;
} = {
  'schedule.cancel': ({ cancelled }) => (cancelled ? 'cancelled a scheduled text' : undefined),
  'queue.retry': (guids) => messages(guids, 'retried'),
  'queue.drop': (guids) => messages(guids, 'gave up'),
  pause: ({ conversation, changed }) => (changed ? `paused ${placeOf(conversation)}` : undefined),
  resume: ({ resumed }) => (resumed.length === 0 ? undefined : `resumed ${resumed.map(placeOf).join(', ')}`),
};

function messages({ length }: readonly string[], did: string): string | undefined {
  if (length === 0) return undefined;
  return length === 1
    ? `${did} a message that was set aside`
    : `${did} ${length} messages that were set aside`;
}

function placeOf(conversation: string): string {
  return conversation === EVERY_CONVERSATION ? 'sending' : `sending to ${maskHandle(conversation)}`;
}
