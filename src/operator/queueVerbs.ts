import type { Answers, OperatorApi, QueueEntry } from '../model/operatorApi.js';
import type { Store } from '../store/Store.js';
import { wholeId } from './namedId.js';
import type { Names } from './names.js';
import { neededText, shownHandle } from './verbInput.js';

const MOST_ENTRIES = 1000;

/** Messages that were set aside: to look at, to be posted again, to be given up. */
export function queueVerbs(
  store: Store,
  { nameOf }: Names,
): Answers<Pick<OperatorApi, 'queue.list' | 'queue.retry' | 'queue.drop'>> {
  const forDeadLetters = (written: unknown, act: (guid: string) => boolean): string[] => {
    const named = neededText(written, 'guid', 'the guid of a message that was set aside, or "all"');
    const known = store.deadLetters.list(MOST_ENTRIES).map((letter) => letter.guid);
    const guids = named === 'all' ? known : [wholeId(named, known, 'invalid_payload') ?? named];
    return store.write(() => guids.filter(act));
  };
  return {
    'queue.list': ({ texts }) =>
      store.deadLetters.list(MOST_ENTRIES).map(
        (message): QueueEntry => ({
          guid: message.guid,
          conversation: shownHandle(message.conversation, texts),
          name: nameOf(message.conversation),
          sent_at: new Date(message.sentAt).toISOString(),
          parked_at: new Date(message.deadLetteredAt).toISOString(),
          attempts: message.attempts,
          error: message.error,
        }),
      ),
    'queue.retry': ({ guid }) => forDeadLetters(guid, (letter) => store.deadLetters.reopen(letter)),
    'queue.drop': ({ guid }) => forDeadLetters(guid, (letter) => store.deadLetters.drop(letter)),
  };
}
