import { expect, test } from 'vitest';
import { LoopBreaker } from '../../src/forwarding/LoopBreaker.js';
import { normalisedText } from '../../src/messages/chatdb/normalisedText.js';
import { FakeClock } from '../support/FakeClock.js';

const ANN = '+13105551234';
const BOB = '+13105559876';

function breaker() {
  const clock = new FakeClock();
  const loops: string[] = [];
  const onLoop = (conversation: string, exchanges: number) => loops.push(`${conversation} ${exchanges}`);
  const talk = new LoopBreaker({ clock, normalise: normalisedText, onLoop });
  const exchange = (heard: string, said: string, conversation = ANN) => {
    talk.received(conversation, heard);
    talk.sent(conversation, said);
  };
  return { clock, loops, talk, exchange };
}

test('the same exchange eight times within five minutes is a loop; it is told once', () => {
  const { clock, loops, exchange } = breaker();
  for (let n = 0; n < 7; n++) {
    exchange('I don’t understand', 'Sorry?');
    clock.advance(20_000);
  }
  expect(loops).toEqual([]);
  exchange("I don't  understand", 'Sorry?');
  exchange("I don't understand", 'Sorry?');
  expect(loops).toEqual([`${ANN} 8`]);
});

test('slower than that is none', () => {
  const { clock, loops, exchange } = breaker();
  for (let n = 0; n < 40; n++) {
    exchange('ping', 'pong');
    clock.advance(43_000);
  }
  expect(loops).toEqual([]);
});

test('other answers, other questions, other conversations, or no answer at all are none', () => {
  const { loops, talk, exchange } = breaker();
  for (let n = 0; n < 30; n++) {
    exchange('next', `page ${n}`);
    exchange(`question ${n}`, 'noted');
    talk.received(ANN, 'hello?');
    talk.sent(BOB, 'good morning');
  }
  for (let n = 0; n < 7; n++) {
    exchange('ping', 'pong');
    exchange('ping', 'pong', BOB);
  }
  expect(loops).toEqual([]);
});

test('media without a text, each answered alike, are none', () => {
  const { loops, exchange } = breaker();
  for (let n = 0; n < 20; n++) exchange(n % 2 === 0 ? '' : ' ', 'nice photo');
  exchange('look', 'nice photo');
  for (let n = 0; n < 20; n++) exchange('', 'nice photo');
  expect(loops).toEqual([]);
});

test('however often we say the same, it answers one message once', () => {
  const { loops, talk } = breaker();
  talk.received(ANN, 'hi');
  for (let n = 0; n < 20; n++) talk.sent(ANN, 'the train is late');
  expect(loops).toEqual([]);
});

test('answers that come after more of the same was heard count one for each', () => {
  const { loops, talk } = breaker();
  for (let n = 0; n < 4; n++) {
    talk.received(ANN, 'ping');
    talk.received(ANN, 'ping');
    talk.sent(ANN, 'pong');
    talk.sent(ANN, 'pong');
  }
  expect(loops).toEqual([`${ANN} 8`]);
});

test('a loop over two steps is found as well', () => {
  const { loops, exchange } = breaker();
  for (let n = 0; n < 8; n++) {
    exchange('who is there?', 'it is me');
    exchange('who is me?', 'I am');
  }
  expect(loops[0]).toBe(`${ANN} 8`);
});

test('what is remembered has a bound', () => {
  const { talk, exchange } = breaker();
  for (let n = 0; n < 5_000; n++) exchange('a', 'b', `+1310555${n}`);
  for (let n = 0; n < 5_000; n++) exchange(`q${n}`, `a${n}`);
  const { talks } = talk as unknown as { talks: Map<string, { exchanges: Map<string, unknown> }> };
  expect(talks.size).toBe(1_000);
  expect(talks.get(ANN)?.exchanges.size).toBe(200);
});
