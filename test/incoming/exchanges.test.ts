import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NO_TALK, theyWrote, weWrote } from '../../src/incoming/LoopBreaker.js';
import { seeded } from '../support/seeded.js';
import { sized } from '../support/size.js';
import { play, type Turn } from './traces.js';

const SEED = 20_261_129;

const reply =
  (waitMs: number, text = (round: number) => `That is answer ${round}.`) =>
  (_heard: readonly string[], round: number): Turn => ({ waitMs, texts: [text(round)] });

function* turns(count: number, turn: (index: number) => Turn): Generator<Turn> {
  for (let index = 0; index < count; index++) yield turn(index);
}

const random = seeded(SEED);
const between = (low: number, high: number) => low + random() * (high - low);
/** A person's waiting time: log-normal, as reaction and typing times are. */
const human = (medianMs: number, sigma: number) => {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Math.max(1_150, medianMs * Math.exp(sigma * normal));
};
const quiz = (round: number): Turn => ({
  waitMs: 400,
  texts: ['Correct!', `Question ${round}: A, B or C?`],
  gapMs: 800,
});

describe('a person is never paused', () => {
  test.for<[string, Iterable<Turn>, (heard: readonly string[], round: number) => Turn]>([
    [
      'a quiz, eight rounds and more, the same letter each time',
      turns(40, () => ({ waitMs: human(2_500, 0.4), texts: ['A'] })),
      (_, round) => quiz(round),
    ],
    [
      'a quiz at a steady pace',
      turns(24, (n) => ({ waitMs: 3_000 + (n % 3) * 400, texts: ['ABC'[n % 3] ?? 'A'] })),
      (_, round) => quiz(round),
    ],
    [
      '20 one-letter answers within 1 to 2 s',
      turns(20, () => ({ waitMs: between(1_000, 2_000), texts: ['y'] })),
      reply(300),
    ],
    [
      '20 one-letter answers, the same answer each time',
      turns(19, () => ({ waitMs: between(1_000, 2_000), texts: ['y'] })),
      reply(300, () => 'Next?'),
    ],
    [
      '15 messages in a row without waiting, each answered at once',
      turns(15, (n) => ({ waitMs: between(900, 2_000), texts: [`and ${n}`] })),
      reply(300),
    ],
    [
      '15 longer messages in a row, answered slowly',
      turns(15, (n) => ({ waitMs: between(0, 600), texts: [`then she said ${n}`] })),
      reply(1_900),
    ],
    [
      '20 photos with one touch, each answered',
      turns(20, () => ({ waitMs: 100, texts: [''] })),
      reply(150, () => 'Nice photo!'),
    ],
    [
      'two hours of talk',
      turns(300, (n) => ({ waitMs: human(15_000, 0.8), texts: [`what about number ${n}?`] })),
      reply(1_500),
    ],
    [
      'an angry person who says the same',
      turns(12, () => ({ waitMs: human(8_000, 0.5), texts: ['I want to talk to a human'] })),
      reply(500, () => 'Sorry, I did not get that.'),
    ],
    ['"next", forty times', turns(40, () => ({ waitMs: human(1_800, 0.35), texts: ['next'] })), reply(300)],
    [
      'a good-morning every day for a year',
      turns(365, () => ({ waitMs: 86_400_000, texts: ['good morning'] })),
      reply(500, () => 'Good morning!'),
    ],
    [
      'several bubbles each time, long replies',
      turns(30, (n) => ({ waitMs: human(6_000, 0.6), texts: ['wait', `no, ${n}`], gapMs: 1_500 })),
      (_, round) => ({ waitMs: 900, texts: ['One.', 'Two.', `Three ${round}.`], gapMs: 800 }),
    ],
    [
      'a lively group of ten',
      turns(150, (n) => ({ waitMs: between(50, 1_900), texts: [`me too ${n}`], sender: `p${n % 10}` })),
      reply(300),
    ],
    [
      'a few messages that were on their way when we wrote',
      turns(60, (n) => ({ waitMs: n % 5 === 0 ? 200 : human(3_000, 0.5), texts: [`as I was saying ${n}`] })),
      reply(200),
    ],
  ])('%s', ([, theirs, ours]) => {
    expect(play(theirs, ours).loop).toBeUndefined();
  });
});

describe('machines end', () => {
  const endless = (turn: (index: number) => Turn) => turns(5_000, turn);
  test.for<[string, Iterable<Turn>, (heard: readonly string[], round: number) => Turn, number]>([
    [
      '100 texts in 15 s with varying words',
      endless((n) => ({ waitMs: 150, texts: [`Thank you for message ${n}`] })),
      reply(150),
      12,
    ],
    [
      'an own alias: our words come back',
      endless((n) => ({ waitMs: 700, texts: [`That is answer ${n}.`] })),
      reply(500),
      12,
    ],
    [
      'two agents with language models',
      endless((n) => ({
        waitMs: between(800, 1_900),
        texts: [`How interesting that you mention ${n}, tell me more`],
      })),
      reply(300),
      20,
    ],
    ['a counter bot', endless((n) => ({ waitMs: 400, texts: [`${n}`] })), reply(200), 12],
    [
      'a counter bot that takes its time',
      endless((n) => ({ waitMs: 1_500, texts: [`${n}`] })),
      reply(500),
      30,
    ],
    [
      'the same exchange at once',
      endless(() => ({ waitMs: 300, texts: ['I am a machine. Please rephrase.'] })),
      reply(300, () => 'Sorry?'),
      8,
    ],
    [
      'the same exchange after 20 s',
      endless(() => ({ waitMs: between(10_000, 40_000), texts: ['I am on holiday.'] })),
      reply(300, () => 'Enjoy!'),
      24,
    ],
    [
      'three exchanges in turn',
      endless((n) => ({
        waitMs: between(3_000, 9_000),
        texts: ['who?', 'what?', 'why?'].slice(n % 3, (n % 3) + 1),
      })),
      reply(300, (n) => `Because ${n % 3}`),
      72,
    ],
    [
      'one exchange every 3 to 5 s all night',
      endless((n) => ({ waitMs: between(3_000, 5_000), texts: [`ticket ${n} was updated`] })),
      reply(600),
      100,
    ],
    [
      'an auto-responder that waits 30 s',
      endless((n) => ({ waitMs: 30_000 + between(0, 500), texts: [`We got your message, number ${n}`] })),
      reply(600),
      30,
    ],
    [
      'random delays up to 5 s',
      endless((n) => ({ waitMs: between(0, 5_000), texts: [`status of the long running job: ${n}`] })),
      reply(300),
      200,
    ],
    [
      'random delays up to two minutes',
      endless((n) => ({ waitMs: between(0, 110_000), texts: [`n${n}`] })),
      reply(600),
      400,
    ],
    [
      'a bot that answers every bubble',
      endless((n) => ({ waitMs: 300, texts: [`Yes, ${n}`, 'Go on, I am listening'], gapMs: 200 })),
      (_, n) => ({ waitMs: 300, texts: [`a${n}`, `b${n}`], gapMs: 400 }),
      24,
    ],
    [
      'two bots in a group',
      endless((n) => ({ waitMs: 250, texts: [`Bot says ${n}`], sender: `bot${n % 2}` })),
      reply(250),
      26,
    ],
    [
      'one bot in a group with people',
      endless((n) => ({
        waitMs: 300,
        texts: [`Noted as entry ${n}`],
        sender: n % 4 === 3 ? `p${n}` : 'bot',
      })),
      reply(250),
      20,
    ],
    [
      'a backend that thinks for a minute and a half, a bot that does not',
      endless((n) => ({ waitMs: 120, texts: [`Auto reply ${n}, thank you`] })),
      reply(90_000),
      400,
    ],
  ])('%s', ([, theirs, ours, most]) => {
    const { loop, ours: sent } = play(theirs, ours, 5_000);
    expect(loop).toBeDefined();
    expect(sent).toBeLessThanOrEqual(most);
  });
});

test('random human traces are never paused', () => {
  const person = fc.record({
    medianMs: fc.integer({ min: 1_800, max: 30_000 }),
    sigma: fc.double({ min: 0.45, max: 1, noNaN: true }),
    ourMs: fc.integer({ min: 100, max: 4_000 }),
    rounds: fc.integer({ min: 20, max: 150 }),
    length: fc.integer({ min: 1, max: 40 }),
    noise: fc.infiniteStream(fc.double({ min: 0.0001, max: 0.9999, noNaN: true })),
  });
  fc.assert(
    fc.property(person, ({ medianMs, sigma, ourMs, rounds, length, noise }) => {
      const normal = () => {
        const [a, b] = [noise.next().value, noise.next().value];
        return Math.sqrt(-2 * Math.log(a)) * Math.cos(2 * Math.PI * b);
      };
      const theirs = turns(rounds, (n) => {
        const texts = [`${n}`.padEnd(length, 'x')];
        return {
          waitMs: Math.max(1_000 + 60 * Math.min(length, 20), medianMs * Math.exp(sigma * normal())),
          texts,
        };
      });
      expect(play(theirs, reply(ourMs)).loop).toBeUndefined();
    }),
    { seed: SEED, numRuns: sized(100, 2_000) },
  );
});

test('random machine traces always end', () => {
  const machine = fc.record({
    waitMs: fc.integer({ min: 0, max: 50_000 }),
    jitter: fc.double({ min: 0, max: 1, noNaN: true }),
    ourMs: fc.integer({ min: 0, max: 30_000 }),
    length: fc.integer({ min: 1, max: 200 }),
    noise: fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
  });
  fc.assert(
    fc.property(machine, ({ waitMs, jitter, ourMs, length, noise }) => {
      const theirs = turns(5_000, (n) => ({
        waitMs: waitMs * (1 + jitter * noise.next().value),
        texts: [`${n}`.padEnd(length, 'x')],
      }));
      const { loop, ours } = play(theirs, reply(ourMs), 5_000);
      expect(loop).toBeDefined();
      expect(ours).toBeLessThanOrEqual(401);
    }),
    { seed: SEED, numRuns: sized(100, 2_000) },
  );
});

test('unsolicited texts are no answers: an alert an hour to a phone that confirms it at once', () => {
  let talk = NO_TALK;
  for (let hour = 0; hour < 100; hour++) {
    const at = hour * 3_600_000;
    talk = weWrote(talk, { seq: hour, words: `alert ${hour}`, at, answers: null });
    const confirmed = { sender: 'a', words: 'I am driving', characters: 12, at: at + 100, sentAt: at + 100 };
    const heard = theyWrote(talk, confirmed);
    expect(heard.loop).toBeUndefined();
    talk = heard.talk;
  }
});

test('what is remembered is bounded', () => {
  let talk = NO_TALK;
  for (let n = 0; n < 2_000; n++) {
    const sender = `p${n % 100}`;
    talk = theyWrote(talk, {
      sender,
      words: `q${n}`,
      characters: 40_000,
      at: n * 60_000,
      sentAt: n * 60_000,
    }).talk;
    talk = weWrote(talk, { seq: n, words: `a${n}`, at: n * 60_000 + 1_000, answers: `m${n}` });
  }
  expect(JSON.stringify(talk).length).toBeLessThan(200_000);
  expect(talk.voices).toHaveLength(20);
});

describe('messages during a reply of many texts', () => {
  /**
   * Own texts are sent one by one, theirs arrive meanwhile: `answersMs` after the own text in the middle of each
   * reply.
   */
  function within(rounds: number, bubbles: number, gapMs: number, answersMs: () => number) {
    let talk = NO_TALK;
    let seq = 0;
    const written: { at: number; answers: string | null; words: string }[] = [];
    for (let round = 0, at = 0; round < rounds; round += 1) {
      const words = `go on ${round}`;
      written.push({ at, answers: null, words });
      for (let bubble = 0; bubble < bubbles; bubble += 1)
        written.push({ at: at + 8_000 + bubble * gapMs, answers: `m${round}`, words: `${round} ${bubble}` });
      at += 8_000 + (bubbles - 2) * gapMs + answersMs();
    }
    for (const { at, answers, words } of written.toSorted((a, b) => a.at - b.at)) {
      if (answers !== null) {
        seq += 1;
        talk = weWrote(talk, { seq, words, at, answers });
        continue;
      }
      const told = theyWrote(talk, { sender: 'them', words, characters: words.length, at, sentAt: at });
      if (told.loop !== undefined) return { loop: told.loop, ours: seq };
      talk = told.talk;
    }
    return { loop: undefined, ours: seq };
  }

  test.each([
    [4, 2_000],
    [6, 1_500],
    [8, 1_200],
  ])('of %i texts %i ms apart come from a person who reads along', (bubbles, gapMs) => {
    expect(within(25, bubbles, gapMs, () => between(0, gapMs - 1)).loop).toBeUndefined();
  });

  test('are stopped as a loop if they always come at machine speed', () => {
    const { loop, ours } = within(200, 4, 1_500, () => 300);
    expect(loop).toBeDefined();
    expect(ours).toBeLessThan(4 * 60);
  });
});
