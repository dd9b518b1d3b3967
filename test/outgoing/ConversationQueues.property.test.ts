import { expect, test } from 'vitest';
import { ConversationQueues, type NextSend } from '../../src/outgoing/ConversationQueues.js';
import { FakeClock } from '../support/FakeClock.js';
import { queuedText } from '../support/queuedText.js';
import { seeded } from '../support/seeded.js';
import { temporaryStore } from '../support/temporaryStore.js';

const CONVERSATIONS = ['ann', 'bob', 'cem', 'dan', 'eve', 'fay'];

function seqOf(next: NextSend): number | undefined {
  return next.kind === 'now' ? next.send.seq : undefined;
}

/** How long the next text is not asked for. */
function wait(next: NextSend): number {
  return next.kind === 'later' ? next.inMs : Infinity;
}

test('the next text is the one that queues just read from the ledger would choose, whatever happened before', () => {
  for (let seed = 1; seed <= 6; seed++) playedThrough(seeded(seed));
});

function playedThrough(random: () => number): void {
  const clock = new FakeClock();
  const store = temporaryStore(clock);
  const { sends } = store;
  const paused = new Set<string>();
  const slowUntil = new Map<string, number>();
  let newOpensAt = 0;
  const limits = {
    waitOf: (conversation: string) => Math.max(0, (slowUntil.get(conversation) ?? 0) - clock.monotonic()),
    newOpensInMs: () => Math.max(0, newOpensAt - clock.monotonic()),
    isNew: (conversation: string) => conversation === 'fay',
  };
  const open = () => new ConversationQueues(sends, clock, (conversation) => paused.has(conversation), limits);
  const queues = open();
  queues.reload();
  const pick = <T>(items: readonly T[]) => items[Math.floor(random() * items.length)];
  let count = 0;
  const add = (conversation: string) => {
    const priority = Math.floor(random() * 5);
    const send = sends.add(queuedText({ id: `${++count}`, conversation, text: 'hi', priority }));
    if (send !== undefined) queues.appended(send);
  };
  const steps: readonly ((conversation: string) => void)[] = [
    add,
    add,
    add,
    // The text whose turn it is is attempted.
    () => {
      const next = queues.next();
      if (next.kind !== 'now') return;
      sends.begin(next.send.seq, { tag: `${next.send.seq}`, generation: null, afterRow: null });
      queues.changed(next.send.conversation);
    },
    // One that is on its way ends, or is tried again later.
    (conversation) => {
      const head = sends.head(conversation);
      if (head?.state !== 'attempting') return;
      if (random() < 0.3) {
        const notBefore = queues.putOff(Math.floor(random() * 50));
        sends.requeue(head.seq, { form: 0, attempts: 1, notBefore, errorCode: null, error: null });
        queues.changed(conversation);
      } else {
        sends.settle(head.seq, { state: 'sent' });
        queues.left(head);
      }
    },
    // A text behind the first one is withdrawn.
    (conversation) => {
      const send = sends.queuedIn(conversation).at(-1);
      if (send === undefined) return;
      sends.settle(send.seq, { state: 'failed' });
      queues.left(send);
    },
    // A duplicate comes into the place of a text that failed.
    (conversation) => {
      const send = sends.queuedIn(conversation).at(-1);
      if (send === undefined) return;
      sends.promote(send.seq, 0);
      queues.left(send);
      queues.joined(send);
    },
    (conversation) => paused.add(conversation),
    () => paused.delete(pick([...paused]) ?? ''),
    (conversation) => {
      slowUntil.set(conversation, clock.monotonic() + Math.floor(random() * 60));
      if (queues.has(conversation)) queues.changed(conversation);
    },
    () => {
      slowUntil.clear();
      queues.limitsChanged();
    },
    () => {
      newOpensAt = clock.monotonic() + Math.floor(random() * 30);
    },
    () => clock.advance(Math.floor(random() * 30)),
  ];
  store.write(() => {
    for (let step = 0; step < 250; step++) {
      pick(steps)?.(pick(CONVERSATIONS) ?? 'ann');
      const fresh = open();
      fresh.reload();
      const [next, expected] = [queues.next(), fresh.next()];
      expect(seqOf(next)).toBe(seqOf(expected));
      // It may look too early, never too late.
      expect(wait(next)).toBeLessThanOrEqual(wait(expected));
    }
  });
}
