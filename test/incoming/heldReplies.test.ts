import { describe, expect, test } from 'vitest';
import { HeldReplies } from '../../src/incoming/reply.js';
import { FakeClock } from '../support/FakeClock.js';
import { temporaryStore } from '../support/temporaryStore.js';

const DAMAGED: readonly [string, string][] = [
  ['cut short', '{"bubbles":["hel'],
  ['no JSON', '\u0000\u0001'],
  ['empty', ''],
  ['another shape', '[]'],
  ['null', 'null'],
  ['bubbles that are no texts', '{"bubbles":[1,2],"delayMs":null}'],
  ['no bubbles', '{"bubbles":[],"delayMs":null}'],
  ['a delay below zero', '{"bubbles":["hi"],"delayMs":-5}'],
];

function desk() {
  const clock = new FakeClock();
  const store = temporaryStore(clock);
  const sent: string[] = [];
  const damaged: string[] = [];
  const held = new HeldReplies({
    store,
    clock,
    enqueue: (_, reply) => void sent.push(...reply.bubbles),
    onDamaged: (guid, conversation) => void damaged.push(`${guid} in ${conversation}`),
  });
  /** Stores a message that was answered, and what is kept of its reply. */
  const hold = (guid: string, reply: string) =>
    store.write(() => {
      store.incoming.add({
        ...{ guid, rowId: 1, conversation: 'a', threadId: 'a', chatGuid: 'a', sender: 'a', text: 'hi' },
        ...{ sentAt: 0, isGroup: false, participants: [], service: 'iMessage', replyToGuid: null },
        attachments: [],
      });
      const [record] = store.incoming.open('a', 1);
      if (record === undefined) throw new Error('it is not stored');
      store.incoming.settle(record.seq, 'answered');
      store.incoming.holdReply(record.seq, reply);
    });
  return { clock, store, held, sent, damaged, hold };
}

const SOUND = JSON.stringify({ bubbles: ['sound'], delayMs: null });

describe('a held reply that is damaged on the disk', () => {
  test.each(DAMAGED)('(%s) is reported, dropped, and delays no other', (_, stored) => {
    const { clock, store, held, sent, damaged, hold } = desk();
    hold('one', stored);
    hold('two', SOUND);
    expect(() => held.start()).not.toThrow();
    clock.advance(60_000);
    expect(damaged).toEqual(['one in a']);
    expect(sent).toEqual(['sound']);
    expect(store.incoming.heldReplies('a')).toEqual([]);
  });
});
