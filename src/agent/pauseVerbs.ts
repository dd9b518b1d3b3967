import { EdgeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import { maskHandle } from '../logging/mask.js';
import type { StatusVerb } from '../status/StatusServer.js';
import { EVERY_CONVERSATION } from '../store/pauses.js';
import type { Store } from '../store/Store.js';

/** `conversation` is its canonical key, `*` for all. `changed`: it was not paused before. */
export interface PauseAnswer {
  conversation: string;
  changed: boolean;
}

/** `stillPaused`: everything is paused, whatever was resumed. */
export interface ResumeAnswer {
  resumed: string[];
  stillPaused: boolean;
}

/** Lets an operator stop what goes out, in one conversation or everywhere, and let it go on. Durable. */
export function pauseVerbs(
  store: Store,
  conversationKey: (threadId: string) => string,
  log: Logger,
): Readonly<Record<'pause' | 'resume', StatusVerb>> {
  const keyOf = (input: unknown) => {
    if (typeof input === 'string' && input.trim() !== '') return conversationKey(input);
    throw new EdgeError('internal', 'conversation: expected a phone number, an address or a group id.');
  };
  return {
    pause({ conversation }): PauseAnswer {
      const key = conversation === undefined ? EVERY_CONVERSATION : keyOf(conversation);
      const changed = store.write(() => store.pauses.set(key, 'manual'));
      if (changed) log.warn('Paused: nothing more goes out', { conversation: shown(key) });
      return { conversation: key, changed };
    },
    resume({ conversation }): ResumeAnswer {
      const wanted =
        conversation === 'all'
          ? store.pauses.list().map((pause) => pause.conversation)
          : [keyOf(conversation)];
      const resumed = store.write(() => wanted.filter((key) => store.pauses.delete(key)));
      for (const key of resumed) log.info('Resumed', { conversation: shown(key) });
      return { resumed, stillPaused: store.pauses.get(EVERY_CONVERSATION) !== undefined };
    },
  };
}

function shown(key: string): string {
  return key === EVERY_CONVERSATION ? 'all' : maskHandle(key);
}
