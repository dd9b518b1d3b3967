import type { Logger } from '../logging/Logger.js';
import { maskHandle } from '../logging/mask.js';
import type { Answers, OperatorApi, PauseAnswer, ResumeAnswer } from '../model/operatorApi.js';
import { EVERY_CONVERSATION } from '../store/conversations.js';
import type { Store } from '../store/Store.js';
import type { NamedConversation } from './namedConversation.js';
import { neededText } from './verbInput.js';

const EVERYBODY: NamedConversation = { key: EVERY_CONVERSATION, known: true };

/**
 * Stops and resumes sending for an operator, in one conversation or everywhere, and with `incoming` also posting to the
 * backend. Durable. A conversation for which `meant` throws is not paused; existing pauses can be resumed.
 */
export function pauseVerbs(
  store: Store,
  conversationKey: (threadId: string) => string,
  meant: (written: string) => NamedConversation,
  log: Logger,
): Answers<Pick<OperatorApi, 'pause' | 'resume'>> {
  const named = <T>(input: unknown, read: (written: string) => T, every: T): T => {
    if (input === undefined) return every;
    return read(neededText(input, 'conversation', 'a phone number, an address or a group id'));
  };
  const lift = (key: string) => {
    letIncomingGo(store, key);
    return store.pauses.delete(key);
  };
  return {
    pause({ conversation, incoming }): PauseAnswer {
      const { key, known } = named(conversation, meant, EVERYBODY);
      const changed = store.write(() => {
        const added = store.pauses.set(key, 'manual');
        return (incoming === true && store.pauses.setIncoming(key, true)) || added;
      });
      if (changed) {
        log.warn('Paused: nothing is sent until resumed', {
          conversation: shown(key),
          ...(incoming === true ? { incoming: 'waits' } : {}),
        });
      }
      return { conversation: key, known, changed };
    },
    resume({ conversation, incoming }): ResumeAnswer {
      const every = store.pauses.list().map((pause) => pause.conversation);
      const wanted =
        conversation === 'all' ? every : [named(conversation, conversationKey, EVERY_CONVERSATION)];
      const act = incoming === true ? (key: string) => letIncomingGo(store, key) : lift;
      const resumed = store.write(() => wanted.filter(act));
      for (const key of resumed) log.info('Resumed', { conversation: shown(key) });
      return { resumed, stillPaused: store.pauses.list().map((pause) => pause.conversation) };
    },
  };
}

/** Inside a write. The time of the pause does not count for the age of a message. */
function letIncomingGo(store: Store, key: string): boolean {
  const since = store.pauses.get(key)?.since;
  if (since === undefined || !store.pauses.setIncoming(key, false)) return false;
  store.outages.note('agent', since);
  return true;
}

function shown(key: string): string {
  return key === EVERY_CONVERSATION ? 'all' : maskHandle(key);
}
