import { describe, expect, test } from 'vitest';
import { pauseVerbs } from '../../src/agent/pauseVerbs.js';
import { isWorthAnswering } from '../../src/conversation/age.js';
import { Forwarder } from '../../src/conversation/Forwarder.js';
import type { MessagePosting, PostResult } from '../../src/conversation/ports.js';
import { FakeClock } from '../support/FakeClock.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { temporaryStore } from '../support/temporaryStore.js';

const HOUR = 3600_000;

/** A backend at its port: each post is answered when the test says so. */
class HeldBackend implements MessagePosting {
  readonly posted: string[] = [];
  readonly texts: unknown[] = [];
  private readonly held = new Map<string, (result: PostResult) => void>();
  succeededAt: number | undefined;

  postMessage(body: Record<string, unknown>, guid: string): Promise<PostResult> {
    this.posted.push(guid);
    this.texts.push(body.text);
    return new Promise((resolve) => this.held.set(guid, resolve));
  }

  lastSuccessAt(): number | undefined {
    return this.succeededAt;
  }

  async answer(guid: string, result: PostResult): Promise<void> {
    this.held.get(guid)?.(result);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const NO_REPLY: PostResult = { kind: 'answered', body: { should_respond: false } };
const DOWN: PostResult = { kind: 'retry', cause: 'network', unread: true, detail: 'ECONNREFUSED' };
const BROKEN: PostResult = { kind: 'retry', cause: 'server', status: 500, detail: '500' };

function desk() {
  const clock = new FakeClock();
  const store = temporaryStore(clock);
  const backend = new HeldBackend();
  const replies: { id: string; text: string; pauseMs: number }[] = [];
  const expired: string[] = [];
  const forwarder = new Forwarder({
    store,
    backend,
    replies: { enqueue: (bubble) => void replies.push(bubble) },
    clock,
    random: () => 0.5,
    log: new RecordingLog(),
    worthAnswering: (sentAt) =>
      isWorthAnswering(sentAt, clock.now(), store.outages.since(sentAt), {
        maxAgeMs: 6 * HOUR,
        catchUpMs: 24 * HOUR,
      }),
    settings: () => ({ bubbleDelayMs: 800 }),
    onExpired: ({ guid }) => void expired.push(guid),
  });
  forwarder.start();
  const arrive = (guid: string, conversation = 'ann', sentAt = clock.now()) =>
    store.write(() =>
      store.incoming.add({
        guid,
        rowId: 1,
        conversation,
        threadId: conversation,
        chatGuid: `iMessage;-;${conversation}`,
        sender: conversation,
        text: 'hi',
        sentAt,
        isGroup: false,
        participants: [conversation],
        service: 'iMessage',
        replyToGuid: null,
        attachments: [],
      }),
    );
  return { clock, store, backend, replies, forwarder, arrive, expired };
}

describe('an incoming message', () => {
  test('is posted right after the commit that stored it, and once', () => {
    const { backend, arrive } = desk();
    arrive('m1');
    arrive('m1');
    expect(backend.posted).toEqual(['m1']);
  });

  test('is posted in order, three of a conversation and eight in all at a time', () => {
    const { backend, arrive } = desk();
    for (const guid of ['a1', 'a2', 'a3', 'a4']) arrive(guid, 'a');
    expect(backend.posted).toEqual(['a1', 'a2', 'a3']);
    for (const name of ['b', 'c', 'd', 'e', 'f', 'g']) arrive(`${name}1`, name);
    expect(backend.posted).toHaveLength(8);
  });

  test('gets its reply enqueued in the write that marks it answered', async () => {
    const { backend, arrive, replies, store } = desk();
    arrive('m1');
    await backend.answer('m1', {
      kind: 'answered',
      body: { reflex_message: 'r', burst_messages: ['a', 'b'], burst_delay_ms: 300 },
    });
    expect(replies.map(({ id, text, pauseMs }) => [id, text, pauseMs])).toEqual([
      ['reply:m1:0', 'r', 0],
      ['reply:m1:1', 'a', 300],
      ['reply:m1:2', 'b', 300],
    ]);
    expect(store.incoming.countIn('open')).toBe(0);
  });

  test('that the backend has already is done', async () => {
    const { backend, arrive, store } = desk();
    arrive('m1');
    await backend.answer('m1', { kind: 'known' });
    expect(store.incoming.countIn('open')).toBe(0);
  });

  test('is retried while the backend is down, and later ones of its conversation wait until it is through', async () => {
    const { clock, backend, arrive } = desk();
    arrive('m1');
    await backend.answer('m1', DOWN);
    arrive('m2');
    arrive('other', 'bob');
    expect(backend.posted).toEqual(['m1', 'other']);
    clock.advance(60_000);
    expect(backend.posted).toEqual(['m1', 'other', 'm1']);
    await backend.answer('m1', NO_REPLY);
    expect(backend.posted).toEqual(['m1', 'other', 'm1', 'm2']);
  });

  test('is tried at once when the backend answers again', async () => {
    const { backend, arrive, forwarder } = desk();
    arrive('m1');
    await backend.answer('m1', DOWN);
    forwarder.retryNow();
    expect(backend.posted).toEqual(['m1', 'm1']);
  });

  test('waits as long as Retry-After says', async () => {
    const { clock, backend, arrive } = desk();
    arrive('m1');
    await backend.answer('m1', { ...DOWN, cause: 'busy', retryAfterMs: 120_000 } as PostResult);
    clock.advance(119_999);
    expect(backend.posted).toEqual(['m1']);
    clock.advance(1);
    expect(backend.posted).toEqual(['m1', 'm1']);
  });

  test('that is refused for good is parked and does not block its conversation', async () => {
    const { backend, arrive, store } = desk();
    arrive('m1');
    await backend.answer('m1', { kind: 'rejected', status: 422, detail: 'no' });
    arrive('m2');
    expect(store.incoming.countIn('parked')).toBe(1);
    expect(backend.posted).toEqual(['m1', 'm2']);
  });

  test('that was parked and is then taken back is not there to be posted again', async () => {
    const { backend, arrive, store } = desk();
    arrive('m1');
    await backend.answer('m1', { kind: 'rejected', status: 422, detail: 'no' });
    expect(store.write(() => store.incoming.withdraw('m1'))).toBe(false);
    expect([store.incoming.countIn('parked'), store.incoming.countIn('expired')]).toEqual([0, 1]);
  });

  test('that fails five times in two minutes while others succeed is parked', async () => {
    const { clock, backend, arrive, store } = desk();
    arrive('poison');
    for (let strike = 1; strike <= 5; strike++) {
      clock.advance(1);
      backend.succeededAt = clock.now();
      await backend.answer('poison', BROKEN);
      clock.advance(20_000);
    }
    expect(store.incoming.countIn('parked')).toBe(1);
  });

  test('that fails while nothing succeeds is kept and retried', async () => {
    const { clock, backend, arrive, store } = desk();
    arrive('m1');
    for (let strike = 1; strike <= 8; strike++) {
      await backend.answer('m1', BROKEN);
      clock.advance(15_000);
    }
    expect(store.incoming.countIn('parked')).toBe(0);
    expect(store.incoming.countIn('open')).toBe(1);
  });

  test('with a reply that is not understood is not taken as answered', async () => {
    const { backend, arrive, store } = desk();
    arrive('m1');
    await backend.answer('m1', { kind: 'answered', body: { reply_text: 5 } });
    expect(store.incoming.countIn('open')).toBe(1);
  });

  test('past its age is expired, told, and not posted', async () => {
    const { clock, backend, arrive, store, expired } = desk();
    arrive('m1', 'ann', clock.now() - 7 * HOUR);
    expect(backend.posted).toEqual([]);
    expect(expired).toEqual(['m1']);
    expect(store.incoming.countIn('open')).toBe(0);
  });

  test('does not age while the backend is down', async () => {
    const { clock, backend, arrive, forwarder } = desk();
    arrive('m1');
    await backend.answer('m1', DOWN);
    for (let hour = 0; hour < 10; hour++) {
      await clock.advanceAsync(HOUR);
      await backend.answer('m1', DOWN);
    }
    forwarder.retryNow();
    await backend.answer('m1', NO_REPLY);
    arrive('m2');
    expect(backend.posted.at(-1)).toBe('m2');
    expect(backend.posted.filter((guid) => guid === 'm1').length).toBeGreaterThan(10);
  });

  test('waits while what comes in is paused there, does not age in that time, and holds no other conversation up', () => {
    const { clock, store, backend, arrive, expired } = desk();
    const named = (key: string) => ({ key, known: true });
    const verbs = pauseVerbs(store, (conversation) => conversation, named, new RecordingLog());
    verbs.pause({ conversation: 'ann', incoming: true });
    arrive('m1', 'ann');
    arrive('m2', 'bob');
    expect(backend.posted).toEqual(['m2']);
    clock.advance(8 * HOUR);
    verbs.resume({ conversation: 'ann', incoming: true });
    expect(backend.posted).toEqual(['m2', 'm1']);
    expect(store.pauses.covers('ann')).toBe(true);
    expect(expired).toEqual([]);
  });

  test('that is changed or taken back between two posts goes out as it stands then, or no more', async () => {
    const { backend, arrive, forwarder, store } = desk();
    for (const guid of ['changed', 'gone', 'gone-meanwhile']) arrive(guid, guid);
    await backend.answer('changed', BROKEN);
    await backend.answer('gone', BROKEN);
    const changed = store.incoming.find('changed');
    if (changed === undefined) throw new Error('it is not stored');
    store.write(() => {
      expect(store.incoming.rewrite({ ...changed, text: 'better' })).toBe(false);
      expect(store.incoming.withdraw('gone')).toBe(false);
      expect(store.incoming.withdraw('gone-meanwhile')).toBe(false);
    });
    await backend.answer('gone-meanwhile', { kind: 'rejected', status: 422, detail: 'no' });
    forwarder.retryNow();
    expect(backend.posted).toEqual(['changed', 'gone', 'gone-meanwhile', 'changed']);
    expect(backend.texts.at(-1)).toBe('better');
    expect(store.incoming.countIn('parked')).toBe(0);
  });

  test('that the backend cannot have read is as if it had never been posted; one that it may have read is not', async () => {
    const { backend, arrive, forwarder, store } = desk();
    const isUnread = (guid: string) => {
      const message = store.incoming.find(guid);
      return message !== undefined && store.write(() => store.incoming.rewrite(message));
    };
    const sendsBefore = () =>
      store.incoming.posted(store.incoming.openConversations()[0] ?? '', 0)[0]?.sendsBefore;
    arrive('m1');
    expect([isUnread('m1'), sendsBefore()]).toEqual([false, 0]);
    await backend.answer('m1', DOWN);
    expect([isUnread('m1'), sendsBefore()]).toEqual([true, undefined]);
    forwarder.retryNow();
    await backend.answer('m1', BROKEN);
    // A reflex may be on its way already: it is looked for among what was sent since the first post that may have been read.
    expect([isUnread('m1'), sendsBefore()]).toEqual([false, 0]);
    forwarder.retryNow();
    await backend.answer('m1', DOWN);
    expect(isUnread('m1')).toBe(false);
  });

  test('in flight is waited for when the agent stops', async () => {
    const { backend, arrive, forwarder } = desk();
    arrive('m1');
    let stopped = false;
    const stopping = forwarder.stop().then(() => {
      stopped = true;
    });
    expect(stopped).toBe(false);
    await backend.answer('m1', NO_REPLY);
    await stopping;
    expect(stopped).toBe(true);
  });
});
