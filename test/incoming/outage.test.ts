import { describe, expect, test } from 'vitest';
import { MessageDispatcher } from '../../src/incoming/MessageDispatcher.js';
import type { PostResult } from '../../src/model/incoming.js';
import { Circuit } from '../../src/system/Circuit.js';
import { FakeClock } from '../support/FakeClock.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { temporaryStore } from '../support/temporaryStore.js';

const MINUTE = 60_000;
const DONE: PostResult = { kind: 'answered', body: { should_respond: false } };
const FAULTS = {
  'cannot be reached': { kind: 'retry', cause: 'network', unread: true, detail: 'ECONNREFUSED' },
  'answers 503': { kind: 'retry', cause: 'server', status: 503, detail: 'HTTP 503' },
  'answers 403': { kind: 'retry', cause: 'unauthorised', status: 403, detail: 'HTTP 403' },
  'has no such endpoint': { kind: 'retry', cause: 'not_found', status: 404, detail: 'HTTP 404' },
  'answers 429 to everybody': { kind: 'retry', cause: 'busy', status: 429, detail: 'HTTP 429' },
  'gives no usable answer': { kind: 'answered', body: { bubbles: 7 } },
} as const satisfies Record<string, PostResult>;

/** A dispatcher whose backend answers at once, as `answer` decides. */
function desk(answer: (guid: string) => PostResult) {
  const clock = new FakeClock();
  const store = temporaryStore(clock);
  const whole = new Circuit({ clock, random: () => 0.5 });
  const posts: string[] = [];
  const answered: string[] = [];
  const world = { answer, posts, answered, looks: 0, whole };
  const open = store.incoming.open.bind(store.incoming);
  store.incoming.open = (...asked) => {
    world.looks += 1;
    return open(...asked);
  };
  const forwarder = new MessageDispatcher({
    store,
    circuit: whole,
    backend: {
      postMessage: async (_body, guid) => {
        posts.push(guid);
        const result = world.answer(guid);
        if (result === DONE) answered.push(guid);
        return result;
      },
    },
    replies: { enqueue: () => undefined },
    clock,
    random: () => 0.5,
    log: new RecordingLog(),
    worthAnswering: () => true,
    settings: () => ({ bubbleDelayMs: 0 }),
  });
  forwarder.start();
  const arrive = (guid: string, conversation: string) =>
    store.incoming.add({
      ...{ guid, conversation, threadId: conversation, chatGuid: '', sender: conversation, text: 'hi' },
      ...{ rowId: 1, sentAt: clock.now(), isGroup: false, participants: [], service: 'iMessage' },
      ...{ replyToGuid: null, attachments: [] },
    });
  const write = (people: number) =>
    store.write(() => {
      for (let person = 0; person < people; person++)
        for (const each of [1, 2]) arrive(`${person}-${each}`, `person-${person}`);
    });
  return { clock, store, world, forwarder, arrive, write };
}

describe('a backend that', () => {
  test.each(Object.entries(FAULTS))(
    '%s gets one post at a time, however many people wait',
    async (_, fault) => {
      const { clock, store, world, write } = desk(() => fault);
      write(500);
      await clock.advanceAsync(MINUTE);
      const before = { posts: world.posts.length, looks: world.looks };
      expect(before.posts).toBeLessThan(40);
      await clock.advanceAsync(10 * MINUTE);
      const posts = world.posts.length - before.posts;
      expect(posts).toBeGreaterThan(60);
      expect(posts).toBeLessThan(200);
      // The store is asked only for those that are posted.
      expect(world.looks - before.looks).toBeLessThan(3 * posts + 20);

      world.answer = () => DONE;
      await clock.advanceAsync(6_300);
      expect(store.incoming.countOpen()).toBe(0);
      expect(new Set(world.answered).size).toBe(1_000);
      expect(world.answered).toHaveLength(1_000);
      for (let person = 0; person < 500; person++)
        expect(world.answered.indexOf(`${person}-1`)).toBeLessThan(world.answered.indexOf(`${person}-2`));
    },
  );

  test('asks for a pause of two minutes gets it', async () => {
    const { clock, world, write } = desk(() => ({ ...FAULTS['answers 503'], retryAfterMs: 2 * MINUTE }));
    write(500);
    await clock.advanceAsync(1_000);
    const first = world.posts.length;
    await clock.advanceAsync(2 * MINUTE - 2_000);
    expect(world.posts.length).toBe(first);
    await clock.advanceAsync(3_000);
    expect(world.posts.length).toBeGreaterThan(first);
  });

  test('fails for one conversation alone is sent all others without a wait', async () => {
    const { clock, store, world, write } = desk((guid) =>
      guid.startsWith('7-') ? FAULTS['answers 503'] : DONE,
    );
    write(50);
    await clock.advanceAsync(0);
    expect(world.answered).toHaveLength(98);
    await clock.advanceAsync(30 * MINUTE);
    expect(store.incoming.countOpen()).toBe(2);
  });

  test('fails for two conversations sets their messages aside while others are answered', async () => {
    const { clock, store, world, arrive, write } = desk((guid) =>
      /^[12]-/.test(guid) ? FAULTS['answers 503'] : DONE,
    );
    write(3);
    for (let minute = 0; minute < 60; minute++) {
      store.write(() => arrive(`later-${minute}`, `later-${minute % 5}`));
      await clock.advanceAsync(MINUTE);
    }
    expect(world.answered.filter((guid) => guid.startsWith('later-'))).toHaveLength(60);
    expect(store.deadLetters.count()).toBe(4);
  });

  test('cannot be reached, as other requests show, gets one of them all at a time', async () => {
    const { clock, world, write } = desk(() => FAULTS['cannot be reached']);
    for (const source of ['/edge/sync', '/edge/sync']) world.whole.failed({ source, isUnread: true });
    write(500);
    expect(world.posts).toEqual([]);
    await clock.advanceAsync(1_001);
    expect(world.posts).toHaveLength(1);
    world.answer = () => DONE;
    world.whole.taken();
    await clock.advanceAsync(6_300);
    expect(world.answered).toHaveLength(1_000);
  });
});

test('a post that is requested while the backend is down is sent at once, as is what an operator requests now', async () => {
  const { clock, world, forwarder, write } = desk(() => FAULTS['answers 503']);
  write(500);
  await clock.advanceAsync(5 * MINUTE);
  await clock.advanceAsync(1_500);
  const before = world.posts.length;
  forwarder.retryNow();
  await clock.advanceAsync(1_000);
  expect(world.posts.length).toBeGreaterThan(before);
});
