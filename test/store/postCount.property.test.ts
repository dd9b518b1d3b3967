import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FakeClock } from '../support/FakeClock.js';
import { sized } from '../support/size.js';
import { temporaryStore } from '../support/temporaryStore.js';

const SEED = 20_261_130;

const message = (guid: string, conversation: string) => ({
  guid,
  rowId: 1,
  conversation,
  threadId: conversation,
  chatGuid: `iMessage;-;${conversation}`,
  sender: conversation,
  text: 'hi',
  sentAt: 1,
  isGroup: false,
  participants: [conversation],
  service: 'iMessage',
  replyToGuid: null,
  attachments: [],
});

/** How an attempt to post a message may end. `killed`: the agent died, and nothing of its end is stored. */
const attempt = fc.constantFrom('unread', 'failed', 'killed', 'resent', 'parked');

test(`a message counts as posted as often as the backend may have read it, whatever became of its attempts (seed ${SEED})`, () => {
  const store = temporaryStore(new FakeClock());
  let count = 0;
  fc.assert(
    fc.property(fc.array(attempt, { maxLength: 12 }), fc.boolean(), (attempts, isOnItsWay) => {
      const guid = `m${count++}`;
      const conversation = `c${count}`;
      store.write(() => {
        store.incoming.add(message(guid, conversation));
        const [record] = store.incoming.open(conversation, 1);
        const seq = record?.seq ?? 0;
        const retry = { retryAt: 0, strikes: 0, firstStrikeAt: null, error: 'no' };
        let reads = 0;
        let firstRead: number | undefined;
        for (const [index, end] of attempts.entries()) {
          store.incoming.postStarted(seq, index);
          if (end === 'resent') store.incoming.postResent(seq);
          if (end !== 'killed') store.incoming.postFailed(seq, { ...retry, isUnread: end === 'unread' });
          if (end === 'parked') {
            store.incoming.settle(seq, 'parked', 'no');
            store.deadLetters.reopen(guid);
          }
          if (end !== 'unread') firstRead ??= index;
          reads += end === 'unread' ? 0 : end === 'resent' ? 2 : 1;
        }
        if (isOnItsWay) {
          store.incoming.postStarted(seq, attempts.length);
          firstRead ??= attempts.length;
          reads += 1;
        }
        const expected =
          firstRead === undefined ? [] : [{ guid, isOpen: true, posts: reads, sendsBefore: firstRead }];
        expect(store.incoming.posted(conversation, 0)).toEqual(expected);
      });
    }),
    { numRuns: sized(250, 3_000), seed: SEED },
  );
});
