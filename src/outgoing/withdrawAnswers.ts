import type { SendRecord } from '../model/sending.js';
import type { Store } from '../store/Store.js';
import type { OutcomeRecorder } from './OutcomeRecorder.js';
import type { SendOutcome } from './outcome.js';

/** What becomes of a text that answers a message that went out from this account itself. */
export const ANSWER_WITHDRAWN = {
  kind: 'failed',
  errorCode: 'answer_withdrawn',
  message: 'The message that it answers went out from this account itself: it is not answered.',
} as const satisfies SendOutcome;

/**
 * Inside a write: fails every text of a conversation that answers this message and has not been handed to Messages. One that has been
 * runs its course: it may have gone out. A text that names no message fails too where it and an answer that names this one are
 * duplicates: they are one answer. Duplicates fail first, or they would take the place of the one that they wait for.
 */
export function withdrawAnswers(
  { store, settlement }: { store: Store; settlement: OutcomeRecorder },
  { guid, conversation }: { guid: string; conversation: string },
): void {
  for (const send of store.sends.inLane(conversation)) {
    const group = [...store.sends.duplicatesOf(send.seq), send];
    if (!group.some(({ answers }) => answers === guid)) continue;
    for (const answer of group.filter(({ answers }) => answers === guid || answers === null)) {
      const now = store.sends.get(answer.seq);
      if (now !== undefined && isOpen(now)) settlement.settle(now, ANSWER_WITHDRAWN);
    }
  }
}

/** Never tried, or queued again for it provably had not begun. */
function isOpen({ state }: SendRecord): boolean {
  return state === 'queued' || state === 'staging' || state === 'waiting';
}
