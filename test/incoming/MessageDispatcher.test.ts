import { describe, expect, test } from 'vitest';
import { isWorthAnswering } from '../../src/incoming/forwarding.js';
import { MessageDispatcher } from '../../src/incoming/MessageDispatcher.js';
import type { MessagePosting, PostProgress } from '../../src/incoming/ports.js';
import type { PostResult } from '../../src/model/incoming.js';
import { pauseVerbs } from '../../src/operator/pauseVerbs.js';
import { countCommits } from '../support/countCommits.js';
import { FakeClock } from '../support/FakeClock.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { temporaryStore } from '../support/temporaryStore.js';

const HOUR = 3600_000;

/** A backend at its port: each post is answered when the test says so. */
class HeldBackend implements MessagePosting {
  readonly posted: string[] = [];
  readonly texts: unknown[] = [];
  readonly sequences: unknown[] = [];
  /** Whether a post counts as written as soon as it is made. */
  writesAtOnce = true;
  /** So long each post keeps the loop busy. */
  msEach = 0;
  private readonly held = new Map<string, (result: PostResult) => void>();
  private readonly progress = new Map<string, PostProgress>();

  constructor(private readonly clock: FakeClock) {}

  postMessage(body: Record<string, unknown>, guid: string, progress: PostProgress): Promise<PostResult> {
    if (this.msEach > 0) this.clock.advance(this.msEach);
    this.posted.push(guid);
    this.texts.push(body.text);
    this.sequences.push(body.sequence);
    this.progress.set(guid, progress);
    if (this.writesAtOnce) progress.onWritten();
    return new Promise((resolve) => this.held.set(guid, resolve));
  }

  write(guid: string): void {
    this.progress.get(guid)?.onWritten();
  }

  resend(guid: string): void {
    this.progress.get(guid)?.onResend();
  }

  async answer(guid: string, result: PostResult): Promise<void> {
    this.held.get(guid)?.(result);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const NO_REPLY: PostResult = { kind: 'answered', body: { should_respond: false } };
const DOWN: PostResult = { kind: 'retry', cause: 'network', unread: true, detail: 'ECONNREFUSED' };
const BROKEN: PostResult = { kind: 'retry', cause: 'server', status: 500, detail: '500' };

function desk(atTurnEnd?: (work: () => void) => void) {
  const clock = new FakeClock();
  const store = temporaryStore(clock);
  const backend = new HeldBackend(clock);
  const replies: { id: string; text: string; pauseMs: number }[] = [];
  const expired: string[] = [];
  const setAside: string[] = [];
  const forwarder = new MessageDispatcher({
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
    ...(atTurnEnd === undefined ? {} : { atTurnEnd }),
    onExpired: ({ guid }) => void expired.push(guid),
    onSetAside: ({ guid }) => void setAside.push(guid),
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
  return { clock, store, backend, replies, forwarder, arrive, expired, setAside };
}

test('answers in one turn of the event loop are one commit, with the next posts', async () => {
  const commits = countCommits();
  const ends: (() => void)[] = [];
  const { backend, arrive } = desk((work) => ends.push(work));
  for (const guid of ['a1', 'a2']) arrive(guid, 'a');
  for (const guid of ['b1', 'b2']) arrive(guid, 'b');
  await backend.answer('a1', NO_REPLY);
  await backend.answer('b1', NO_REPLY);
  expect(ends).toHaveLength(1);
  expect(backend.posted).toEqual(['a1', 'b1']);
  const before = commits();
  ends[0]?.();
  expect(commits() - before).toBe(1);
  expect(backend.posted).toEqual(['a1', 'b1', 'a2', 'b2']);
});

test('an answer whose handling throws affects no other in its turn', async () => {
  const ends: (() => void)[] = [];
  const { backend, arrive, store, setAside } = desk((work) => ends.push(work));
  arrive('a1', 'a');
  arrive('b1', 'b');
  const settle = store.incoming.settle.bind(store.incoming);
  store.incoming.settle = (seq, end, why) => {
    if (seq === 1 && end === 'answered') throw new TypeError('a mistake');
    return settle(seq, end, why);
  };
  await backend.answer('a1', NO_REPLY);
  await backend.answer('b1', NO_REPLY);
  for (const end of ends) end();
  expect(setAside).toEqual(['a1']);
  expect(store.incoming.openConversations()).toEqual([]);
});

test('a write that follows an answer in its turn does not overtake it', async () => {
  const { backend, arrive, store, replies } = desk(() => undefined);
  arrive('a1', 'a');
  await backend.answer('a1', { kind: 'answered', body: { reply_text: 'hello' } });
  expect(replies).toEqual([]);
  store.write(() => expect(replies).toMatchObject([{ text: 'hello' }]));
});

test('and none of them is posted again meanwhile', async () => {
  const ends: (() => void)[] = [];
  const { backend, arrive, store } = desk((work) => ends.push(work));
  const guids = ['a1', 'b1', 'c1'];
  for (const guid of guids) arrive(guid, guid.slice(0, 1));
  const settle = store.incoming.settle.bind(store.incoming);
  store.incoming.settle = (seq, end, why) => {
    if (seq === 3 && end === 'answered') throw new TypeError('a mistake');
    return settle(seq, end, why);
  };
  for (const guid of guids) await backend.answer(guid, NO_REPLY);
  for (const end of ends) end();
  expect(backend.posted).toEqual(guids);
});

describe('an incoming message', () => {
  test('is posted right after the commit that stored it, and once', () => {
    const { backend, arrive } = desk();
    arrive('m1');
    arrive('m1');
    expect(backend.posted).toEqual(['m1']);
  });

  test('is posted when the one before it was answered, and at most eight are in flight', async () => {
    const { backend, arrive } = desk();
    for (const guid of ['a1', 'a2', 'a3']) arrive(guid, 'a');
    expect(backend.posted).toEqual(['a1']);
    await backend.answer('a1', NO_REPLY);
    expect(backend.posted).toEqual(['a1', 'a2']);
    for (const name of ['b', 'c', 'd', 'e', 'f', 'g', 'h', 'i']) arrive(`${name}1`, name);
    expect(backend.posted.slice(2)).toEqual(['b1', 'c1', 'd1', 'e1', 'f1', 'g1', 'h1']);
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
    expect(store.incoming.countOpen()).toBe(0);
  });

  test('that the backend already has is done', async () => {
    const { backend, arrive, store } = desk();
    arrive('m1');
    await backend.answer('m1', { kind: 'known' });
    expect(store.incoming.countOpen()).toBe(0);
  });

  test('is retried while the backend is down, and later ones of its conversation wait until it gets through', async () => {
    const { clock, backend, arrive } = desk();
    backend.writesAtOnce = false;
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

  test('that is refused permanently is set aside and does not block its conversation', async () => {
    const { backend, arrive, store } = desk();
    arrive('m1');
    await backend.answer('m1', { kind: 'rejected', status: 422, detail: 'no' });
    arrive('m2');
    expect(store.deadLetters.count()).toBe(1);
    expect(backend.posted).toEqual(['m1', 'm2']);
  });

  test('that was set aside and is then unsent cannot be posted again', async () => {
    const { backend, arrive, store } = desk();
    arrive('m1');
    await backend.answer('m1', { kind: 'rejected', status: 422, detail: 'no' });
    expect(store.write(() => store.incoming.withdraw('m1'))).toBe(false);
    expect([store.deadLetters.count(), store.incoming.expired().count]).toEqual([0, 0]);
  });

  const failures: [string, PostResult][] = [
    ['a 500', BROKEN],
    ['a timeout', { kind: 'retry', cause: 'timeout', detail: 'no answer' }],
    ['a firewall (403)', { kind: 'retry', cause: 'unauthorised', status: 403, detail: 'HTTP 403' }],
    ['a 404', { kind: 'retry', cause: 'not_found', status: 404, detail: 'HTTP 404' }],
    ['too large a header (431)', { kind: 'retry', cause: 'other', status: 431, detail: 'HTTP 431' }],
    ['legal reasons (451)', { kind: 'retry', cause: 'other', status: 451, detail: 'HTTP 451' }],
    ['payment required (402)', { kind: 'retry', cause: 'other', status: 402, detail: 'HTTP 402' }],
    ['a connection cut after it was read', { kind: 'retry', cause: 'network', detail: 'ECONNRESET' }],
    ['an invalid answer', { kind: 'answered', body: { error: 'oops' } }],
  ];

  test.each(failures)(
    'that always fails by %s while others succeed is set aside, and its conversation continues',
    async (_, failure) => {
      const { clock, backend, arrive, store, setAside } = desk();
      arrive('poison');
      arrive('next');
      for (let round = 1; round <= 6 && setAside.length === 0; round++) {
        arrive(`other${round}`, 'bob');
        await backend.answer(`other${round}`, NO_REPLY);
        await backend.answer('poison', failure);
        if (setAside.length === 0) await clock.advanceAsync(61_000);
      }
      expect(setAside).toEqual(['poison']);
      expect(store.deadLetters.list(10).map(({ guid }) => guid)).toEqual(['poison']);
      await backend.answer('next', NO_REPLY);
      expect(store.incoming.countOpen()).toBe(0);
    },
  );

  test.each(failures)('that always fails by %s is kept while no message is answered', async (_, failure) => {
    const { clock, backend, arrive, store, setAside } = desk();
    arrive('early', 'bob');
    arrive('m1');
    await backend.answer('early', NO_REPLY);
    arrive('late', 'cal');
    for (let round = 1; round <= 60; round++) {
      await backend.answer('m1', failure);
      await backend.answer('late', failure);
      await clock.advanceAsync(61_000);
    }
    expect(setAside).toEqual([]);
    expect(store.incoming.countOpen()).toBe(2);
  });

  test('that the backend defers is not set aside within ten minutes, and is after that', async () => {
    const { clock, backend, arrive, setAside } = desk();
    arrive('m1');
    const rounds: number[] = [];
    for (let minute = 1; minute <= 20 && setAside.length === 0; minute++) {
      arrive(`other${minute}`, 'bob');
      await backend.answer(`other${minute}`, NO_REPLY);
      await backend.answer('m1', { kind: 'retry', cause: 'busy', status: 429, detail: 'HTTP 429' });
      rounds.push(minute);
      await clock.advanceAsync(61_000);
    }
    expect(rounds.length).toBeGreaterThan(9);
    expect(setAside).toEqual(['m1']);
  });

  test('keeps the backend’s error message', async () => {
    const { backend, arrive, store } = desk();
    arrive('m1');
    await backend.answer('m1', { kind: 'rejected', status: 413, detail: 'HTTP 413', words: 'too long' });
    expect(store.deadLetters.list(10)).toMatchObject([{ error: 'HTTP 413: too long' }]);
  });

  test('that fails while nothing succeeds is kept and retried', async () => {
    const { clock, backend, arrive, store } = desk();
    arrive('m1');
    for (let strike = 1; strike <= 8; strike++) {
      await backend.answer('m1', BROKEN);
      clock.advance(15_000);
    }
    expect(store.deadLetters.count()).toBe(0);
    expect(store.incoming.countOpen()).toBe(1);
  });

  test('with an invalid reply does not count as answered', async () => {
    const { backend, arrive, store } = desk();
    arrive('m1');
    await backend.answer('m1', { kind: 'answered', body: { reply_text: 5 } });
    expect(store.incoming.countOpen()).toBe(1);
  });

  test('past its age limit is expired, reported, and not posted', async () => {
    const { clock, backend, arrive, store, expired } = desk();
    arrive('m1', 'ann', clock.now() - 7 * HOUR);
    expect(backend.posted).toEqual([]);
    expect(expired).toEqual(['m1']);
    expect(store.incoming.countOpen()).toBe(0);
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

  test('waits while incoming messages are paused in its conversation, does not age meanwhile, and delays no other conversation', () => {
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

  test('that is edited or unsent between two posts is posted as edited, or not again', async () => {
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
    expect(store.deadLetters.count()).toBe(0);
  });

  test('that the backend cannot have read counts as never posted; one that it may have read does not', async () => {
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

const REPLY = (text: string): PostResult => ({ kind: 'answered', body: { reply_text: text } });

describe('the posts of one conversation', () => {
  test('overlap when the one before was fully written for two seconds, not when it began two seconds ago', () => {
    const { clock, backend, arrive } = desk();
    backend.writesAtOnce = false;
    arrive('m1');
    arrive('m2');
    clock.advance(5_000);
    expect(backend.posted).toEqual(['m1']);
    backend.write('m1');
    clock.advance(1_999);
    expect(backend.posted).toEqual(['m1']);
    clock.advance(1);
    expect(backend.posted).toEqual(['m1', 'm2']);
  });

  test('wait again when a kept connection turns out to be closed and the request is repeated', () => {
    const { clock, backend, arrive } = desk();
    arrive('m1');
    arrive('m2');
    clock.advance(1_500);
    backend.resend('m1');
    clock.advance(60_000);
    expect(backend.posted).toEqual(['m1']);
    backend.write('m1');
    clock.advance(2_000);
    expect(backend.posted).toEqual(['m1', 'm2']);
  });

  test('count the two seconds on the monotonic clock', () => {
    const { clock, backend, arrive } = desk();
    arrive('m1');
    arrive('m2');
    clock.jumpWall(HOUR);
    clock.advance(1_999);
    expect(backend.posted).toEqual(['m1']);
    clock.jumpWall(-HOUR);
    clock.advance(1);
    expect(backend.posted).toEqual(['m1', 'm2']);
  });

  test.each([
    ['the backend failed it', BROKEN],
    ['it was not reached', DOWN],
    ['the request timed out', { kind: 'retry', cause: 'timeout', detail: 'no answer' } as PostResult],
  ])('keep the repeat ahead of new messages when %s', async (_, failure) => {
    const { clock, backend, arrive } = desk();
    for (const guid of ['m1', 'm2', 'm3']) arrive(guid);
    clock.advance(2_000);
    expect(backend.posted).toEqual(['m1', 'm2']);
    await backend.answer('m1', failure);
    await backend.answer('m2', failure);
    clock.advance(60_000);
    expect(backend.posted).toEqual(['m1', 'm2', 'm1', 'm2', 'm3']);
    expect(backend.sequences).toEqual([1, 2, 1, 2, 3]);
  });

  test('continue past a message whose posts all hang', async () => {
    const { clock, backend, arrive } = desk();
    arrive('hangs');
    for (const guid of ['m1', 'm2', 'm3']) arrive(guid);
    for (const guid of ['m1', 'm2', 'm3']) {
      await clock.advanceAsync(2_000);
      await backend.answer(guid, NO_REPLY);
    }
    expect(backend.posted).toEqual(['hangs', 'm1', 'm2', 'm3']);
  });

  test('are at most eight at once', () => {
    const { clock, backend, arrive } = desk();
    for (let number = 1; number <= 12; number++) arrive(`m${number}`);
    clock.advance(60_000);
    expect(backend.posted).toHaveLength(8);
  });
});

describe('many conversations', () => {
  test('are posted although eight posts hang, after two seconds', () => {
    const { clock, backend, arrive } = desk();
    for (let number = 0; number < 8; number++) arrive(`hangs${number}`, `h${number}`);
    arrive('m1', 'ann');
    arrive('m2', 'bob');
    expect(backend.posted).toHaveLength(8);
    clock.advance(2_000);
    expect(backend.posted.slice(8)).toEqual(['m1', 'm2']);
  });

  test('are posted although eight connections cannot be made', () => {
    const { clock, backend, arrive } = desk();
    backend.writesAtOnce = false;
    for (let number = 0; number < 8; number++) arrive(`hangs${number}`, `h${number}`);
    arrive('m1', 'ann');
    clock.advance(2_000);
    expect(backend.posted.slice(8)).toEqual(['m1']);
  });

  test('that hang with deep backlogs leave half of the slots to the others', () => {
    const { clock, backend, arrive } = desk();
    for (let person = 0; person < 10; person++)
      for (let number = 0; number < 20; number++) arrive(`${person}-${number}`, `h${person}`);
    clock.advance(59_000);
    expect(backend.posted).toHaveLength(32);
    for (let person = 0; person < 40; person++) arrive(`m${person}`, `p${person}`);
    clock.advance(60_000);
    expect(backend.posted.slice(32)).toHaveLength(32);
    expect(backend.posted.slice(32).every((guid) => guid.startsWith('m'))).toBe(true);
  });

  test('are more at a time while the backend answers quickly, and eight again once one hangs', async () => {
    const { clock, backend, arrive } = desk();
    for (let person = 0; person < 200; person++) arrive(`m${person}`, `p${person}`);
    let answered = 0;
    const answerNext = async () => backend.answer(`m${answered++}`, NO_REPLY);
    while (backend.posted.length < 120) await answerNext();
    expect(backend.posted.length - answered).toBe(24);
    const underWay = () => backend.posted.length - answered;
    clock.advance(1_000);
    while (underWay() > 8) await answerNext();
    const slow = backend.posted.length;
    await answerNext();
    expect(backend.posted.length - slow).toBe(1);
    clock.advance(2_000);
    expect(underWay()).toBe(16);
  });

  test('stay eight at a time where their turns of the event loop take long, because commands wait for these', async () => {
    const { clock, backend, arrive } = desk();
    for (let person = 0; person < 200; person++) arrive(`m${person}`, `p${person}`);
    backend.msEach = 13;
    let answered = 0;
    while (backend.posted.length < 120) await backend.answer(`m${answered++}`, NO_REPLY);
    expect(backend.posted.length - answered).toBe(8);
    expect(clock.monotonic()).toBeLessThan(2_000);
  });

  test('are eight at a time again once a post fails', async () => {
    const { backend, arrive } = desk();
    for (let person = 0; person < 200; person++) arrive(`m${person}`, `p${person}`);
    let ended = 0;
    while (backend.posted.length < 120) await backend.answer(`m${ended++}`, NO_REPLY);
    await backend.answer(`m${ended++}`, BROKEN);
    const posted = backend.posted.length;
    while (posted - ended > 8) await backend.answer(`m${ended++}`, NO_REPLY);
    expect(backend.posted.length).toBeLessThan(posted + 5);
  });

  test('are no more than eight at a time while the handling of answers throws, however soon they come', async () => {
    const { backend, arrive } = desk();
    for (let person = 0; person < 200; person++) arrive(`m${person}`, `p${person}`);
    let ended = 0;
    while (backend.posted.length < 120) await backend.answer(`m${ended++}`, NO_REPLY);
    await backend.answer(`m${ended++}`, { kind: 'answered', body: { error: 'out of order' } });
    const posted = backend.posted.length;
    while (posted - ended > 8) await backend.answer(`m${ended++}`, NO_REPLY);
    expect(backend.posted.length).toBeLessThan(posted + 5);
  });

  test('take turns: a deep backlog of eight does not delay the ninth', async () => {
    const { backend, arrive } = desk();
    for (let person = 0; person < 8; person++)
      for (let number = 0; number < 5; number++) arrive(`${person}-${number}`, `b${person}`);
    arrive('ninth', 'ninth');
    await backend.answer('0-0', NO_REPLY);
    expect(backend.posted.at(-1)).toBe('ninth');
  });
});

describe('the number of a message', () => {
  test('counts its conversation alone, and continues after the earlier posts are forgotten', async () => {
    const { backend, arrive, store } = desk();
    arrive('a1', 'a');
    arrive('b1', 'b');
    await backend.answer('a1', NO_REPLY);
    await backend.answer('b1', NO_REPLY);
    store.write(() => store.prune({ ended: Infinity, commands: 0, limit: 100 }));
    expect(store.incoming.find('a1')).toBeUndefined();
    arrive('a2', 'a');
    expect(backend.sequences).toEqual([1, 1, 2]);
  });

  test('is not used up by a message that is never posted', async () => {
    const { clock, backend, arrive, store } = desk();
    arrive('m1');
    arrive('old', 'ann', clock.now() - 7 * HOUR);
    arrive('withdrawn');
    arrive('m2');
    store.write(() => store.incoming.withdraw('withdrawn'));
    await backend.answer('m1', NO_REPLY);
    expect(backend.posted).toEqual(['m1', 'm2']);
    expect(backend.sequences).toEqual([1, 2]);
  });

  test('is given back by a post that reached no backend, so that a message unsent then leaves no gap', async () => {
    const { backend, arrive, store, forwarder } = desk();
    arrive('m1');
    await backend.answer('m1', DOWN);
    store.write(() => store.incoming.withdraw('m1'));
    arrive('m2');
    forwarder.retryNow();
    expect(backend.posted).toEqual(['m1', 'm2']);
    expect(backend.sequences).toEqual([1, 1]);
  });

  test('stays with a message that may have been read, and with one that was set aside and is posted again', async () => {
    const { backend, arrive, store, forwarder } = desk();
    arrive('m1');
    await backend.answer('m1', BROKEN);
    forwarder.retryNow();
    await backend.answer('m1', { kind: 'rejected', status: 422, detail: 'no' });
    arrive('m2');
    await backend.answer('m2', NO_REPLY);
    store.write(() => store.deadLetters.reopen('m1'));
    expect(backend.posted).toEqual(['m1', 'm1', 'm2', 'm1']);
    expect(backend.sequences).toEqual([1, 1, 2, 1]);
  });

  test('of posted messages takes precedence over the time at which they were written', async () => {
    const { clock, backend, arrive } = desk();
    arrive('m1');
    await backend.answer('m1', BROKEN);
    arrive('written-before', 'ann', clock.now() - 60_000);
    await clock.advanceAsync(60_000);
    expect(backend.posted.slice(0, 2)).toEqual(['m1', 'm1']);
    await backend.answer('m1', NO_REPLY);
    expect(backend.posted.at(-1)).toBe('written-before');
    expect(backend.sequences.at(-1)).toBe(2);
  });
});

describe('a reply that arrives before the one to an earlier message', () => {
  async function overtaking() {
    const made = desk();
    made.arrive('m1');
    made.arrive('m2');
    made.clock.advance(2_000);
    await made.backend.answer('m2', REPLY('second'));
    const texts = () => made.replies.map(({ text }) => text);
    return { ...made, texts };
  }

  test('is sent after it, in one commit with it', async () => {
    const { backend, texts } = await overtaking();
    expect(texts()).toEqual([]);
    await backend.answer('m1', REPLY('first'));
    expect(texts()).toEqual(['first', 'second']);
  });

  test.each<[string, PostResult]>([
    ['needs no reply', NO_REPLY],
    ['is known', { kind: 'known' }],
    ['is refused permanently', { kind: 'rejected', status: 422, detail: 'no' }],
  ])('is sent when the earlier message %s', async (_, result) => {
    const { backend, texts } = await overtaking();
    await backend.answer('m1', result);
    expect(texts()).toEqual(['second']);
  });

  test('is sent after ten seconds, and the late one after it', async () => {
    const { clock, backend, texts } = await overtaking();
    clock.advance(9_999);
    expect(texts()).toEqual([]);
    clock.advance(1);
    expect(texts()).toEqual(['second']);
    await backend.answer('m1', REPLY('first'));
    expect(texts()).toEqual(['second', 'first']);
  });

  test('waits through a retry of the earlier message', async () => {
    const { clock, backend, texts } = await overtaking();
    await backend.answer('m1', BROKEN);
    await clock.advanceAsync(3_000);
    expect(texts()).toEqual([]);
    await backend.answer('m1', REPLY('first'));
    expect(texts()).toEqual(['first', 'second']);
  });

  test('does not wait for another conversation', async () => {
    const { backend, arrive, texts } = await overtaking();
    arrive('other', 'bob');
    await backend.answer('other', REPLY('hi bob'));
    expect(texts()).toEqual(['hi bob']);
  });
});

describe('two conversations that turn out to be one', () => {
  test('are posted one after the other from then on, with numbers above those of both, and answered as one', async () => {
    const { clock, backend, arrive, store, replies } = desk();
    arrive('a1', 'old');
    await backend.answer('a1', NO_REPLY);
    arrive('a2', 'old');
    arrive('b1', 'new');
    store.write(() => store.rekey(new Map([['old', 'new']]), (_, text) => text));
    arrive('b2', 'new');
    expect(backend.posted).toEqual(['a1', 'a2', 'b1']);
    await backend.answer('b1', NO_REPLY);
    expect(backend.posted).toHaveLength(3);
    clock.advance(2_000);
    expect(backend.posted.at(-1)).toBe('b2');
    expect(backend.sequences.at(-1)).toBe(3);
    await backend.answer('a2', REPLY('hi'));
    expect(replies).toMatchObject([{ text: 'hi', conversation: 'new' }]);
  });
});
