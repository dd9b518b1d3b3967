import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PairingLedger } from '../support/PairingLedger.js';
import { sized } from '../support/size.js';

/*
 * The rules of pairing against a backend whose intention is known. Texts are drawn from so few that messages often
 * get equal answers.
 */

const SEED = 20_261_129;
const RUNS = { numRuns: sized(600, 10_000), seed: SEED };
const WORDS = ['ok', 'haha', 'one sec'] as const;
const MESSAGES = 4;

type Step =
  | { kind: 'post' | 'reflex' | 'reply' | 'age'; m: number; words: string; isNamed: boolean }
  | { kind: 'end'; state: 'sent' | 'failed' };

const step = (failures: boolean) =>
  fc.oneof(
    {
      weight: 9,
      arbitrary: fc.record({
        kind: fc.constantFrom('post', 'reflex', 'reflex', 'reply', 'age'),
        m: fc.nat(MESSAGES - 1),
        words: fc.constantFrom(...WORDS),
        isNamed: fc.boolean(),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('end' as const),
        state: failures ? fc.constantFrom('sent' as const, 'failed' as const) : fc.constant('sent' as const),
      }),
    },
  ) as fc.Arbitrary<Step>;

const steps = (failures: boolean) => fc.array(step(failures), { minLength: 4, maxLength: 50 });

/** What a backend sends, and how often it may send it for a message: a reflex for each post at most, one reply. */
interface Backend {
  /** The text for message `m`; a free backend sends what the step has. */
  words: (m: number, given: string) => string;
  isNamed: (given: boolean) => boolean;
  /** Whether a reflex may come for a message that has had as many as posts. */
  isLoose?: boolean;
}

function play(backend: Backend, happened: readonly Step[], finish = true): PairingLedger {
  const ledger = new PairingLedger();
  const reflexes = new Map<number, number>();
  const answered = new Set<number>();
  const run = (one: Step) => {
    if (one.kind === 'end') return ledger.end(one.state);
    const { kind, m } = one;
    const guid = `m${m}`;
    const { posts } = ledger.message(guid);
    const said = reflexes.get(m) ?? 0;
    const words = backend.words(m, one.words);
    if (kind === 'post' && !answered.has(m)) ledger.post(guid);
    if (kind === 'reflex' && posts > 0 && (said < posts || backend.isLoose === true)) {
      if (ledger.message(guid).state === 'old' && !backend.isNamed(one.isNamed)) return;
      reflexes.set(m, said + 1);
      ledger.reflex(guid, words, backend.isNamed(one.isNamed));
    }
    if (kind === 'reply' && posts > 0 && !answered.has(m)) {
      answered.add(m);
      ledger.reply(guid, words);
    }
    if (kind === 'age') ledger.age(guid);
  };
  for (const one of happened) run(one);
  if (finish) {
    for (let m = 0; m < MESSAGES; m++)
      for (const kind of ['post', 'reply'] as const) run({ kind, m, words: WORDS[0], isNamed: true });
  }
  return ledger;
}

/** Every fact that holds for whatever a backend sends. */
function expectSound(ledger: PairingLedger): void {
  for (const text of ledger.texts) {
    if (text.duplicateOf === null) continue;
    const root = ledger.texts[text.duplicateOf - 1];
    expect(root).toBeDefined();
    // Nothing is withheld for a different text, for one that was not sent, or for one that is withheld itself.
    expect(root).toMatchObject({ words: text.words, duplicateOf: null });
    if (text.state !== 'failed') expect(root?.state).not.toBe('failed');
  }
  for (const root of ledger.texts.filter(({ duplicateOf }) => duplicateOf === null)) {
    const group = ledger.texts.filter(({ seq, duplicateOf }) => seq === root.seq || duplicateOf === root.seq);
    // One answer: at most one reply, and nothing that names another message.
    expect(group.filter(({ role }) => role === 'first').length).toBeLessThanOrEqual(1);
    expect(new Set(group.flatMap(({ names }) => names ?? [])).size).toBeLessThanOrEqual(1);
  }
  for (const words of WORDS) {
    const said = ledger.texts.filter((text) => text.words === words);
    const hasFailed = said.some(({ state }) => state === 'failed');
    if (said.length > 0 && !hasFailed) expect(ledger.sentIn(words).length).toBeGreaterThan(0);
  }
}

describe(`seed ${SEED}`, () => {
  test('whatever a backend sends: only equal texts are paired, one counterpart once, no text dropped that was never sent', () => {
    const free: Backend = { words: (_m, given) => given, isNamed: (given) => given, isLoose: true };
    fc.assert(
      fc.property(steps(true), (happened) => expectSound(play(free, happened, false))),
      RUNS,
    );
  });

  test('where every reflex names its message, each answer is sent once with each of its texts, never twice', () => {
    const naming: Backend = { words: (_m, given) => given, isNamed: () => true, isLoose: true };
    fc.assert(
      fc.property(steps(false), (happened) => {
        const ledger = play(naming, happened);
        expectSound(ledger);
        for (const words of WORDS) {
          const truths = ledger.texts.filter((text) => text.words === words).map(({ truth }) => truth);
          expect(
            ledger
              .sentIn(words)
              .map(({ truth }) => truth)
              .toSorted(),
          ).toEqual([...new Set(truths)].toSorted());
        }
      }),
      RUNS,
    );
  });

  test('where no reflex names its message, at least as many of these texts are sent as messages have that answer', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...WORDS), { minLength: MESSAGES, maxLength: MESSAGES }),
        steps(false),
        (answers, happened) => {
          const silent: Backend = { words: (m) => answers[m] ?? '', isNamed: () => false };
          const ledger = play(silent, happened);
          expectSound(ledger);
          for (const words of WORDS) {
            const messages = answers.filter((answer) => answer === words).length;
            expect(ledger.sentIn(words).length).toBeGreaterThanOrEqual(messages);
          }
        },
      ),
      RUNS,
    );
  });

  test('where no reflex names its message but one message is in progress at a time, each answer is sent exactly once', () => {
    const turn = fc.record({
      words: fc.constantFrom(...WORDS),
      // Posts, reflexes and the reply in any order that can be; `late` reflexes come after the reply.
      posts: fc.integer({ min: 1, max: 4 }),
      before: fc.nat(4),
      late: fc.nat(4),
      hasBubble: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(turn, { minLength: 1, maxLength: 6 }), (turns) => {
        const ledger = new PairingLedger();
        for (const [m, { words, posts, before, late, hasBubble }] of turns.entries()) {
          const guid = `m${m}`;
          let reflexes = 0;
          for (let post = 1; post <= posts; post++) {
            ledger.post(guid);
            if (post <= before) {
              reflexes += 1;
              ledger.reflex(guid, words, false);
            }
          }
          ledger.reply(guid, hasBubble || reflexes === 0 ? words : null);
          for (let count = 0; count < late && reflexes < posts; count++) {
            reflexes += 1;
            ledger.reflex(guid, words, false);
          }
          ledger.end('sent');
        }
        expectSound(ledger);
        for (const words of WORDS)
          expect(ledger.sentIn(words).length).toBe(turns.filter((one) => one.words === words).length);
      }),
      RUNS,
    );
  });

  test('where no reflex names its message and each comes before its reply, any number in progress get each answer exactly once', () => {
    const schedule = fc.shuffledSubarray(
      Array.from({ length: 3 * MESSAGES }, (_, index) => index % MESSAGES),
      { minLength: 3 * MESSAGES },
    );
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...WORDS), { minLength: MESSAGES, maxLength: MESSAGES }),
        schedule,
        (answers, order) => {
          const ledger = new PairingLedger();
          const turns = new Map<number, number>();
          for (const m of order) {
            const turn = turns.get(m) ?? 0;
            turns.set(m, turn + 1);
            const words = answers[m] ?? '';
            if (turn === 0) ledger.post(`m${m}`);
            else if (turn === 1) ledger.reflex(`m${m}`, words, false);
            else ledger.reply(`m${m}`, words);
          }
          expectSound(ledger);
          for (const words of WORDS)
            expect(ledger.sentIn(words).length).toBe(answers.filter((answer) => answer === words).length);
        },
      ),
      RUNS,
    );
  });
});
