import { expect, test } from 'vitest';
import type { Loop } from '../../src/incoming/LoopBreaker.js';
import { LoopBreaker } from '../../src/incoming/LoopBreaker.js';
import { normalisedText } from '../../src/messages/chatdb/rowBody.js';
import type { IncomingMessage } from '../../src/model/incoming.js';
import type { Store } from '../../src/store/Store.js';
import { FakeClock } from '../support/FakeClock.js';
import { temporaryStore } from '../support/temporaryStore.js';

const ANN = '+13105551234';
const BOB = '+13105559876';

/** One run of the agent, as far as the counting is concerned. */
class Life {
  readonly loops: (Loop & { conversation: string })[] = [];
  readonly talk: LoopBreaker;
  isOn = true;
  private seq: number;

  constructor(
    readonly store: Store,
    readonly clock: FakeClock,
    firstSeq = 1,
  ) {
    this.seq = firstSeq;
    this.talk = new LoopBreaker({
      store,
      clock,
      isOn: () => this.isOn,
      normalise: normalisedText,
      onLoop: (conversation, loop) => this.loops.push({ conversation, ...loop }),
    });
  }

  heard(text: string, conversation = ANN, sentAt = this.clock.now()): void {
    const message: IncomingMessage = {
      ...{
        guid: 'g',
        rowId: 1,
        threadId: conversation,
        chatGuid: 'c',
        service: 'iMessage',
        replyToGuid: null,
      },
      ...{
        conversation,
        sender: conversation,
        text,
        sentAt,
        isGroup: false,
        participants: [],
        attachments: [],
      },
    };
    this.store.write(() => this.talk.received(message));
  }

  said(text: string, conversation = ANN): void {
    const seq = this.seq++;
    const send = { seq, conversation, text, answers: `g${seq}` };
    this.talk.started(send);
    this.store.write(() => this.talk.sent(send));
  }

  /** Rounds at machine speed with texts that differ. */
  rounds(count: number, conversation = ANN): void {
    for (let n = 0; n < count; n++) {
      this.clock.advance(200);
      this.heard(`This is message ${this.seq}`, conversation);
      this.clock.advance(200);
      this.said(`And this is answer ${this.seq}`, conversation);
    }
  }
}

function life(): Life {
  const clock = new FakeClock();
  return new Life(temporaryStore(clock), clock);
}

test('machines with varying texts are found after twelve rounds, once', () => {
  const agent = life();
  agent.rounds(12);
  expect(agent.loops).toEqual([]);
  agent.rounds(1);
  expect(agent.loops).toEqual([{ conversation: ANN, pattern: 'speed', exchanges: 12 }]);
  agent.rounds(11);
  expect(agent.loops).toHaveLength(1);
});

test('changes that Messages makes on the way do not make another exchange of it', () => {
  const agent = life();
  for (let n = 0; n < 9; n++) {
    agent.heard(n % 2 === 0 ? 'I don’t understand' : "I don't  understand");
    agent.clock.advance(100);
    agent.said('Sorry?');
    agent.clock.advance(100);
  }
  expect(agent.loops).toEqual([{ conversation: ANN, pattern: 'repeat', exchanges: 8 }]);
});

test('conversations are counted separately', () => {
  const agent = life();
  for (let n = 0; n < 11; n++) {
    agent.rounds(1, ANN);
    agent.rounds(1, BOB);
  }
  expect(agent.loops).toEqual([]);
});

test('an agent that crashes in every round keeps counting', () => {
  const first = life();
  first.rounds(4);
  let agent = first;
  let lives = 0;
  while (agent.loops.length === 0 && lives < 30) {
    lives += 1;
    // Down for a while; what the machine wrote meanwhile was written at once.
    const writtenAt = first.clock.now() + 200;
    first.clock.advance(90_000);
    agent = new Life(first.store, first.clock, 100 * lives);
    agent.heard(`This is message of life ${lives}`, ANN, writtenAt);
    first.clock.advance(200);
    agent.said(`And this is answer of life ${lives}`);
  }
  expect(agent.loops).toMatchObject([{ pattern: 'speed' }]);
  expect(lives).toBeLessThanOrEqual(10);
});

test('a restart with a clock set back or ahead neither loses nor invents a person', () => {
  for (const jump of [-3_600_000, 3_000, 0]) {
    const before = life();
    before.rounds(9);
    before.clock.jumpWall(jump);
    const after = new Life(before.store, before.clock, 100);
    after.rounds(6);
    expect(after.loops).toMatchObject([{ pattern: 'speed' }]);
  }
});

test('a write that is rolled back counts nothing', () => {
  const agent = life();
  agent.rounds(9);
  for (let n = 0; n < 20; n++) {
    expect(() =>
      agent.store.write(() => {
        agent.rounds(1);
        throw new Error('disk full');
      }),
    ).toThrow('disk full');
  }
  expect(agent.loops).toEqual([]);
  agent.rounds(6);
  expect(agent.loops).toHaveLength(1);
});

test('after a reset the count starts again, over a restart too', () => {
  const agent = life();
  agent.rounds(10);
  agent.store.write(() => agent.talk.reset(ANN));
  agent.rounds(12);
  expect(agent.loops).toEqual([]);
  agent.store.write(() => agent.talk.reset(ANN));
  const next = new Life(agent.store, agent.clock, 100);
  next.rounds(12);
  expect(next.loops).toEqual([]);
  next.rounds(1);
  expect(next.loops).toHaveLength(1);
});

test('it can be switched off, and a damaged row of the store counts as missing', () => {
  const agent = life();
  agent.isOn = false;
  agent.rounds(100);
  expect(agent.loops).toEqual([]);
  agent.isOn = true;
  agent.store.write(() => agent.store.exchanges.set(BOB, { body: '{"voices":', at: agent.clock.now() }));
  agent.rounds(13, BOB);
  expect(agent.loops).toHaveLength(1);
});

test('a text of 4 MB costs no more than a long one', () => {
  const agent = life();
  const text = '- '.repeat(2_000_000);
  const began = performance.now();
  for (let n = 0; n < 10; n++) agent.heard(text);
  expect(performance.now() - began).toBeLessThan(1_000);
});

test('what is kept in memory is bounded', () => {
  const agent = life();
  agent.store.write(() => {
    for (let n = 0; n < 5_000; n++) agent.rounds(1, `+1310555${n}`);
  });
  const { talks } = agent.talk as unknown as { talks: Map<string, unknown> };
  expect(talks.size).toBe(1_000);
});
