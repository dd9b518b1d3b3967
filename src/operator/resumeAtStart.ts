import type { Logger } from '../logging/Logger.js';
import type { Answers, OperatorApi, PauseAnswer, ResumeAnswer } from '../model/operatorApi.js';
import { EVERY_CONVERSATION } from '../store/conversations.js';
import type { Store } from '../store/Store.js';
import type { NamedConversation } from './namedConversation.js';
import { pauseVerbs } from './pauseVerbs.js';

/** A pause that the next start ends; `incoming`: only incoming messages resume. */
interface Wish {
  conversation: string;
  incoming: boolean;
}

const RESUME_AT_START = 'resume_at_start';

/**
 * `pause` and `resume` of an agent that does not run. A pause is stored at once. A resume is stored as a wish, for only an agent that
 * runs can judge which texts became too old in the pause: it does so in the commit that lifts the pause, at its start.
 */
export function stoppedPauseVerbs(
  store: Store,
  conversationKey: (written: string) => string,
  meant: (written: string) => NamedConversation,
  log: Logger,
): Answers<Pick<OperatorApi, 'pause' | 'resume'>> {
  const running = pauseVerbs(store, conversationKey, meant, log);
  return {
    pause: (args): PauseAnswer =>
      store.write(() => {
        const answer = running.pause(args);
        const before = wishes(store);
        const left = before.filter(({ conversation }) => conversation !== answer.conversation);
        keep(store, left);
        return { ...answer, changed: answer.changed || left.length < before.length };
      }),
    resume: ({ conversation: written, incoming }): ResumeAnswer =>
      store.write(() => {
        const isWanted = wanted(written, conversationKey);
        const before = wishes(store);
        const fresh = store.pauses
          .list()
          .filter((pause) => isWanted(pause.conversation) && (incoming !== true || pause.incoming))
          .map(({ conversation }): Wish => ({ conversation, incoming: incoming === true }))
          .filter(({ conversation }) => !isLifted(before, conversation));
        const all = [...before, ...fresh];
        keep(store, all);
        return {
          resumed: fresh.map(({ conversation }) => conversation),
          stillPaused: store.pauses
            .list()
            .map(({ conversation }) => conversation)
            .filter((conversation) => !isLifted(all, conversation)),
        };
      }),
  };
}

/** At the start, before anything is sent: lifts what was resumed while no agent ran, as a resume does, in one commit. */
export function resumeWished(store: Store, verbs: Answers<Pick<OperatorApi, 'resume'>>): void {
  if (store.meta.get(RESUME_AT_START) === undefined) return;
  store.write(() => {
    for (const { conversation, incoming } of wishes(store)) {
      const named = conversation === EVERY_CONVERSATION ? {} : { conversation };
      verbs.resume({ ...named, ...(incoming ? { incoming } : {}) });
    }
    store.meta.delete(RESUME_AT_START);
  });
}

function wanted(written: unknown, conversationKey: (written: string) => string): (key: string) => boolean {
  if (written === 'all') return () => true;
  const key = typeof written === 'string' ? conversationKey(written) : EVERY_CONVERSATION;
  return (other) => other === key;
}

/** Whether texts go out there again from the next start on. */
function isLifted(all: readonly Wish[], conversation: string): boolean {
  return all.some((wish) => wish.conversation === conversation && !wish.incoming);
}

function wishes(store: Store): Wish[] {
  return store.meta.list<Wish>(RESUME_AT_START) ?? [];
}

function keep(store: Store, all: readonly Wish[]): void {
  if (all.length === 0) store.meta.delete(RESUME_AT_START);
  else store.meta.set(RESUME_AT_START, JSON.stringify(all));
}
