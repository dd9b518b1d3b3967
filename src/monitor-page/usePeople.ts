import { useEffect } from 'preact/hooks';
import type { MonitorClient } from '../monitor-client/index.js';
import { useAnswer } from './hooks.js';
import { type People, peopleOf } from './people.js';

/** The people of the newest conversations, requested again when there is a message from or to another person. */
export function usePeople(client: MonitorClient, reveals: boolean): People {
  const answer = useAnswer(client, 'conversations', { limit: 50, messages: 1 }, []);
  const known = answer.state === 'loading' ? [] : (answer.value ?? []);
  useEffect(
    () =>
      client.on('chat_message', ({ conversationId }) => {
        if (!known.some(({ conversation }) => conversation === conversationId)) answer.again();
      }),
    [client, answer.state, known],
  );
  return peopleOf(known, reveals);
}
