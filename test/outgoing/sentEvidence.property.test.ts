import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LedgerGap } from '../../src/store/ledgerGap.js';
import { begunTexts, forgottenTexts, marksOf } from '../../src/store/Witness.js';
import { sized } from '../support/size.js';
import { BEGAN_AT, PERSON, row, RestoredWorld as World } from './RestoredWorld.js';

const SEED = 20261129;
/** Further apart than the clocks of backend and Mac are assumed to be. */
const STEP_MS = 3_000;

interface Command {
  words: string;
  /** What became of it: done and known, done and forgotten by the restored store, or never done. */
  fate: 'known' | 'forgotten' | 'open';
  /** Whether the backend offers it (again) after the restore; one that was never done always is. */
  isOffered: boolean;
  /** How long after it was made its row came, as a part of the time until the next one. */
  delay: number;
}

const command = fc.record({
  words: fc.constantFrom('ok', 'yes', 'on my way'),
  isOffered: fc.boolean(),
  delay: fc.double({ min: 0, max: 0.9, noNaN: true }),
});

/** Commands in the order in which they were made: the store knows the first ones, forgot the next, and the last were never done. */
const history = fc
  .tuple(fc.array(command, { maxLength: 12 }), fc.nat(12), fc.nat(12), fc.boolean())
  .map(([commands, a, b, isShuffled]) => {
    const [known, done] = [Math.min(a, b), Math.max(a, b)];
    const fateOf = (index: number) => (index < known ? 'known' : index < done ? 'forgotten' : 'open');
    return {
      isShuffled,
      commands: commands.map((made, index): Command => ({ ...made, fate: fateOf(index) })),
    };
  });

describe(`seed ${SEED}`, () => {
  test('wherever an older store is put back, each text goes out exactly as often as it was wanted', async () => {
    await fc.assert(
      fc.asyncProperty(history, async ({ commands, isShuffled }) => {
        const world = new World();
        try {
          const madeAt = (index: number) => BEGAN_AT + index * STEP_MS;
          commands.forEach((made, index) => {
            if (made.fate !== 'open')
              world.wasSent(made.words, madeAt(index) + made.delay * STEP_MS, made.fate === 'known');
          });
          const known = commands.filter(({ fate }) => fate === 'known').length;
          world.at(madeAt(commands.length) + 1);
          world.restore(known, world.clock.now());
          world.at(world.clock.now() + 1);
          const again = commands
            .map((made, index) => ({ ...made, at: madeAt(index) }))
            .filter(({ fate, isOffered }) => fate === 'open' || (fate === 'forgotten' && isOffered));
          for (const { words, at } of isShuffled ? again.toReversed() : again) world.offer(words, at);
          const fresh = ['ok', 'yes'];
          for (const words of fresh) world.offer(words, world.clock.now() + STEP_MS);
          await world.run();
          const open = commands.filter(({ fate }) => fate === 'open').map(({ words }) => words);
          expect(world.messages.texts.toSorted()).toEqual([...open, ...fresh].toSorted());
        } finally {
          world.close();
        }
      }),
      { seed: SEED, numRuns: sized(25, 1_000) },
    );
  });
});

/** A store that was put back, and a row of `text` that it does not know. */
function restored(text: string, at = BEGAN_AT + 10_000, more: Partial<LedgerGap> = {}): World {
  const world = new World();
  world.messages.rows.push(row(1, text, at));
  world.at(BEGAN_AT + 20_000);
  world.restore(0, BEGAN_AT + 20_000, more);
  world.at(BEGAN_AT + 21_000);
  return world;
}

function received(world: World, guid: string, rowId: number, sentAt = BEGAN_AT): void {
  world.messages.received.set(guid, rowId);
  world.store.write(() =>
    world.store.incoming.add({
      ...{ guid, rowId, conversation: PERSON, threadId: PERSON, chatGuid: '', sender: PERSON, text: 'hi' },
      ...{ sentAt, isGroup: false, participants: [PERSON], service: 'iMessage', replyToGuid: null },
      attachments: [],
    }),
  );
}

/** What the witness records of the answer to a message that the gap had begun. */
function answerTo(guid: string, sentAt = BEGAN_AT) {
  return { knownSends: 0, marks: marksOf({ guid, sentAt }) };
}

const stateOf = (world: World, id: string) => world.store.sends.findById(id)?.state;

describe('after an older store was put back', () => {
  test.each([
    ['was made before the row', BEGAN_AT + 9_000, 'sent'],
    ['was made at the same moment by a clock that is ahead', BEGAN_AT + 11_000, 'sent'],
    ['was made after the row', BEGAN_AT + 15_000, 'attempting'],
    ['was made after the restore', BEGAN_AT + 25_000, 'attempting'],
    ['does not tell when it was made', null, 'unknown'],
  ] as const)('a command that %s is %3$s', async (_, madeAt, state) => {
    const world = restored('ok');
    const id = world.offer('ok', madeAt);
    await world.outgoing.start();
    expect(stateOf(world, `command:${id}`)).toBe(state);
    world.close();
  });

  test.each([
    ['the same words', 'fine', 'sent'],
    ['other words', 'well', 'unknown'],
  ])('a reply in %s to a message that was answered is not sent', async (_, words, state) => {
    const world = restored('fine');
    received(world, 'guid-1', 0);
    const reply = { id: 'reply', role: 'first', answers: 'guid-1' } as const;
    world.offer(words, BEGAN_AT + 30_000, reply);
    await world.outgoing.start();
    expect(stateOf(world, 'reply')).toBe(state);
    expect(world.messages.texts).toEqual([]);
    world.close();
  });

  test.each([
    ['the same words', 'fine', 'first', 'sent'],
    ['other words', 'well', 'first', 'unknown'],
    ['the words of a reflex', 'fine', 'reflex', 'sent'],
  ] as const)(
    'a message that was answered and written again by iCloud, and of which the first row is gone, is not answered again (%s)',
    async (_, words, role, state) => {
      const marks = marksOf({ guid: 'the first one', sentAt: BEGAN_AT });
      const world = restored('fine', BEGAN_AT + 10_000, { answered: [{ knownSends: 0, marks }] });
      received(world, 'guid-9', 9);
      world.offer(words, null, { id: 'answer', role, answers: 'guid-9' });
      await world.outgoing.start();
      expect(stateOf(world, 'answer')).toBe(state);
      expect(world.messages.texts).toEqual([]);
      world.close();
    },
  );

  test.each([
    ['the same words, and neither is answered again', 'fine', ['sent', 'sent'], []],
    ['other words, and it is known as sent', 'well', ['sent', 'sent'], []],
    ['the same words once more, and that goes out', null, ['sent', 'attempting'], ['fine']],
  ] as const)(
    'the answer to such a message is the older one where the next message is answered in %s',
    async (_, next, states, texts) => {
      const at = (seconds: number) => BEGAN_AT + seconds * 1000;
      const marks = marksOf({ guid: 'the first one', sentAt: BEGAN_AT });
      const nextMarks = next === null ? [] : marksOf({ guid: 'guid-3', sentAt: at(7) });
      const world = new World();
      world.messages.rows.push(row(1, 'fine', at(5)));
      if (next !== null) world.messages.rows.push(row(4, next, at(10)));
      world.at(at(20));
      world.restore(0, at(20), { answered: [{ knownSends: 0, marks: [...marks, ...nextMarks] }] });
      world.at(at(21));
      received(world, 'guid-2', 2);
      received(world, 'guid-3', 3, at(7));
      world.offer('fine', null, { id: 'answer', role: 'first', answers: 'guid-2' });
      world.offer(next ?? 'fine', null, { id: 'next', role: 'first', answers: 'guid-3' });
      await world.outgoing.start();
      expect(['answer', 'next'].map((id) => stateOf(world, id))).toEqual(states);
      expect(world.messages.texts).toEqual(texts);
      world.close();
    },
  );

  test.each([
    ['nothing records what was answered, and it is not known whether that went out', null, 'unknown'],
    ['it is recorded under its own guid', [answerTo('guid-9')], 'unknown'],
    ['the witness does not tell of it, and it goes out', [], 'attempting'],
  ])('such a message is not answered again where %s', async (_, answered, state) => {
    const world = restored('fine', BEGAN_AT + 10_000, { answered });
    received(world, 'guid-9', 9);
    world.offer('fine', null, { id: 'answer', role: 'first', answers: 'guid-9' });
    await world.outgoing.start();
    expect(stateOf(world, 'answer')).toBe(state);
    world.close();
  });

  test.each([
    ['the same words', 'fine', 0, 'unknown'],
    ['other words', 'well', 0, 'unknown'],
    ['the same words as another text, and that is not recorded', 'fine', 1, 'attempting'],
  ] as const)(
    'a message that the clock dated an hour ahead, and that was answered since in %s, is not sent again unless nothing records that, where ROWIDs were given out anew',
    async (_, words, knownSends, state) => {
      const sentAt = BEGAN_AT + 3_600_000;
      const answered = knownSends === 0 ? [answerTo('guid-1', sentAt)] : [];
      const world = restored('fine', BEGAN_AT + 10_000, { answered });
      world.messages.movedAt = BEGAN_AT + 20_500;
      received(world, 'guid-1', 9, sentAt);
      world.offer(words, null, { id: 'answer', role: 'first', answers: 'guid-1' });
      await world.outgoing.start();
      expect(stateOf(world, 'answer')).toBe(state);
      world.close();
    },
  );

  const HOUR_MS = 3_600_000;

  test('of two rows in the same words, between which the clock was set back, the older text takes none that the other one needs', async () => {
    const world = new World();
    const marks = marksOf({ guid: 'guid-2', sentAt: BEGAN_AT + HOUR_MS + 3_000 });
    world.messages.rows.push(row(1, 'yes', BEGAN_AT + HOUR_MS), row(3, 'yes', BEGAN_AT + 6_000));
    world.at(BEGAN_AT + 20_000);
    world.restore(0, BEGAN_AT + 20_000, { answered: [{ knownSends: 0, marks }] });
    world.store.write(() =>
      world.store.lineage.noteGapRows(world.messages.rows.map(({ guid, sentAt }) => ({ guid, sentAt }))),
    );
    received(world, 'guid-2', 2, BEGAN_AT + HOUR_MS + 3_000);
    const id = `command:${world.offer('yes', BEGAN_AT)}`;
    world.offer('yes', null, { id: 'answer', role: 'first', answers: 'guid-2' });
    await world.outgoing.start();
    expect(world.messages.texts).toEqual([]);
    expect([id, 'answer'].map((one) => stateOf(world, one))).toEqual(['unknown', 'sent']);
    expect(world.store.sends.findById('answer')?.guid).toBe('row-3');
    world.close();
  });

  const YEARS_MS = 2 * 365 * 86_400_000;

  test.each([
    ['was there when the gap was found, is a doubt', YEARS_MS, true, 'unknown'],
    ['came later, is none', YEARS_MS, false, 'attempting'],
    ['was known, and has another guid since, is a doubt', 600_000, true, 'unknown'],
  ])(
    'an old row in the words of a reply that iCloud wrote behind its message, and that %s',
    async (_, ageMs, isNoted, state) => {
      const world = restored('hello', BEGAN_AT + 10_000, { answered: [] });
      const old = row(9, 'fine', BEGAN_AT - ageMs);
      world.messages.rows.push(old);
      if (isNoted) world.store.write(() => world.store.lineage.noteGapRows([old]));
      received(world, 'guid-1', 5, BEGAN_AT + 5_000);
      world.offer('fine', null, { id: 'answer', role: 'first', answers: 'guid-1' });
      await world.outgoing.start();
      expect(stateOf(world, 'answer')).toBe(state);
      world.close();
    },
  );

  test('a row of an earlier gap proves the answer to a message that its sender dated ahead, though it is dated before the newest copy', async () => {
    const world = restored('hello', BEGAN_AT + 5_000, { answered: null });
    const answer = row(9, 'fine', BEGAN_AT + 10_000);
    world.messages.rows.push(answer);
    world.store.write(() => world.store.lineage.noteGapRows([answer]));
    world.restore(0, BEGAN_AT + 21_000, {
      copiedAt: BEGAN_AT + 20_500,
    });
    received(world, 'guid-1', 5, BEGAN_AT + 15_000);
    world.offer('fine', null, { id: 'answer', role: 'first', answers: 'guid-1' });
    await world.outgoing.start();
    expect(stateOf(world, 'answer')).toBe('sent');
    world.close();
  });

  test('the row of a command that iCloud wrote again behind that of a later one costs neither a second time', async () => {
    const world = new World();
    world.messages.rows.push(row(5, 'yes', BEGAN_AT + 20_000), row(9, 'yes', BEGAN_AT + 10_000));
    world.at(BEGAN_AT + 30_000);
    world.restore(0, BEGAN_AT + 30_000);
    const ids = [5_000, 15_000].map((made) => `command:${world.offer('yes', BEGAN_AT + made)}`);
    await world.outgoing.start();
    expect(world.messages.texts).toEqual([]);
    expect(ids.map((id) => stateOf(world, id))).toEqual(['unknown', 'sent']);
    world.close();
  });

  test.each([
    ['a reflex in the words of a row may have gone out', 'fine', 'reflex', {}, 'unknown'],
    ['a reflex in other words goes out', 'one sec', 'reflex', {}, 'attempting'],
    ['a reply that was never begun goes out', 'fine', 'first', {}, 'attempting'],
    [
      'a reflex goes out that is none of what was forgotten',
      'fine',
      'reflex',
      { offeredUpTo: 0 },
      'attempting',
    ],
    ['a reflex goes out after a first start', 'fine', 'reflex', { reason: 'new' }, 'attempting'],
  ] as const)(
    'to a message that was dated in the future when it was read, where ROWIDs were given out anew, %s',
    async (_, words, role, gap, state) => {
      const world = restored('fine', BEGAN_AT + 10_000, { answered: [], ...gap });
      world.messages.movedAt = BEGAN_AT + 20_500;
      received(world, 'guid-1', 9, BEGAN_AT + HOUR_MS);
      world.at(BEGAN_AT + 2 * HOUR_MS);
      world.offer(words, null, { id: 'answer', role, answers: 'guid-1' });
      await world.outgoing.start();
      expect(stateOf(world, 'answer')).toBe(state);
      world.close();
    },
  );

  test('a message that the store had read while the clock was ahead gets no reflex twice once that is set right', async () => {
    const world = new World();
    world.messages.rows.push(row(1, 'one sec', BEGAN_AT + 10_000));
    world.at(BEGAN_AT + HOUR_MS + 1_000);
    received(world, 'guid-1', 9, BEGAN_AT + HOUR_MS);
    world.clock.jumpWall(19_000 - HOUR_MS);
    world.restore(0, BEGAN_AT + 20_000, { answered: [] });
    world.messages.movedAt = BEGAN_AT + 20_500;
    world.offer('one sec', null, { id: 'answer', role: 'reflex', answers: 'guid-1' });
    await world.outgoing.start();
    expect(stateOf(world, 'answer')).toBe('unknown');
    world.close();
  });

  test.each([
    ['its date alone is recorded', 'the first one', 'unknown'],
    ['it is not recorded', 'another', 'attempting'],
  ])(
    'a message that the clock dated an hour ahead, that was answered since and written again by iCloud, is not answered again where %s',
    async (_, begun, state) => {
      const sentAt = BEGAN_AT + HOUR_MS;
      const answered = [answerTo(begun, begun === 'another' ? 1 : sentAt)];
      const world = restored('fine', BEGAN_AT + 10_000, { answered });
      received(world, 'guid-9', 9, sentAt);
      world.offer('fine', null, { id: 'answer', role: 'first', answers: 'guid-9' });
      await world.outgoing.start();
      expect(stateOf(world, 'answer')).toBe(state);
      world.close();
    },
  );

  test.each([
    ['nothing records what was answered', null],
    ['the message itself was answered', [answerTo('guid-2')]],
  ])(
    'a row that came before a message which arrived late is no answer to it, but its own text, where %s',
    async (_, answered) => {
      const at = (seconds: number) => BEGAN_AT + seconds * 1000;
      const world = new World();
      world.messages.rows.push(row(1, 'ok', at(5)), row(3, 'fine', at(10)));
      world.at(at(20));
      world.restore(0, at(20), { answered });
      world.at(at(21));
      received(world, 'guid-2', 2);
      world.offer('ok', null, { id: 'answer', role: 'first', answers: 'guid-2' });
      const id = `command:${world.offer('ok', at(4))}`;
      await world.run();
      expect(world.messages.texts).toEqual([]);
      expect(['answer', id].map((one) => stateOf(world, one))).toEqual(['unknown', 'sent']);
      world.close();
    },
  );

  test.each([
    ['settles, and is the first one', { isUndecided: false }, 0, ['sent', 'sent']],
    ['never settles, and the first one may be it', { isUndecided: true }, 200_000, ['unknown', 'sent']],
  ])(
    'of two texts in the same words none goes out again where the older row %s',
    async (_, settled, after, states) => {
      const at = (seconds: number) => BEGAN_AT + seconds * 1000;
      const world = new World();
      const older = { ...row(1, 'ok', at(5)), isUndecided: true };
      world.messages.rows.push(older, row(2, 'ok', at(10)));
      world.at(at(20));
      world.restore(0, at(20));
      world.at(at(21));
      const ids = [at(4), at(9)].map((madeAt) => `command:${world.offer('ok', madeAt)}`);
      await world.outgoing.start();
      Object.assign(older, settled);
      world.at(at(40) + after);
      await world.run();
      expect(ids.map((id) => stateOf(world, id))).toEqual(states);
      expect(world.messages.texts).toEqual([]);
      world.close();
    },
  );

  test('the bubble of a reply that had not gone out follows those that had', async () => {
    const world = restored('found it');
    received(world, 'guid-1', 0);
    world.offer('found it', null, { id: 'one', role: 'first', answers: 'guid-1' });
    world.offer('want the link?', null, { id: 'two', role: 'bubble', answers: 'guid-1' });
    await world.run();
    expect(world.messages.texts).toEqual(['want the link?']);
    world.close();
  });

  test.each([
    ['began to answer', 'is not sent', 'guid-1', 'unknown'],
    ['never began to answer', 'goes out', 'another', 'attempting'],
  ])(
    'a reply to a message that the agent of the gap %s %s, whatever else was said',
    async (_, __, begun, state) => {
      const answered = [answerTo(begun, begun === 'guid-1' ? BEGAN_AT : 1)];
      const world = restored('the words of a forgotten command', BEGAN_AT + 10_000, { answered });
      received(world, 'guid-1', 0);
      world.offer('fine', null, { id: 'reply', role: 'first', answers: 'guid-1' });
      await world.outgoing.start();
      expect(stateOf(world, 'reply')).toBe(state);
      world.close();
    },
  );

  test.each([
    ['under another guid, of which only the date is the same', { guid: 'copy', sentAt: BEGAN_AT }],
    ['without a date, of which only the guid is the same', { guid: 'guid-1', sentAt: BEGAN_AT + 5_000 }],
  ])('a message that was answered %s counts as answered', async (_, begun) => {
    const world = restored('fine', BEGAN_AT + 10_000, {
      answered: [answerTo(begun.guid, begun.sentAt)],
    });
    received(world, 'guid-1', 0);
    world.offer('well', null, { id: 'reply', role: 'first', answers: 'guid-1' });
    await world.outgoing.start();
    expect(stateOf(world, 'reply')).toBe('unknown');
    world.close();
  });

  test('a reply whose words are in chat.db is not sent, though the witness does not tell of it', async () => {
    const world = restored('fine', BEGAN_AT + 10_000, { answered: [] });
    received(world, 'guid-1', 0);
    world.offer('fine', null, { id: 'reply', role: 'first', answers: 'guid-1' });
    await world.outgoing.start();
    expect(stateOf(world, 'reply')).toBe('sent');
    expect(world.messages.texts).toEqual([]);
    world.close();
  });

  test('a reply that the store had by the time of the restore goes out: the forgotten agent had the same one', async () => {
    const marks = marksOf({ guid: 'guid-1', sentAt: BEGAN_AT });
    const answered = [{ knownSends: 1_000, marks }];
    for (const gap of [{ answered }, { answered: null }]) {
      const world = restored('by the operator', BEGAN_AT + 10_000, { ...gap, knownSends: 1_000 });
      received(world, 'guid-1', 0);
      world.offer('fine', null, { id: 'reply', role: 'first', answers: 'guid-1' });
      await world.run();
      expect(world.messages.texts).toEqual(['fine']);
      world.close();
    }
  });

  test.each([['noted'], ['not noted']])(
    'a reply that the store had is not sent where another store may have answered in other words (its row is %s)',
    async (how) => {
      const gap = { reason: 'replaced', answered: null, knownSends: 1_000 } as const;
      const world = restored('by the other', BEGAN_AT + 10_000, gap);
      if (how === 'noted')
        world.store.write(() =>
          world.store.lineage.noteGapRows([{ guid: 'row-1', sentAt: BEGAN_AT + 10_000 }]),
        );
      received(world, 'guid-1', 0);
      world.offer('fine', null, { id: 'reply', role: 'first', answers: 'guid-1' });
      await world.outgoing.start();
      expect(stateOf(world, 'reply')).toBe('unknown');
      expect(world.messages.texts).toEqual([]);
      world.close();
    },
  );

  test('the bubbles behind a first one that a reflex had said follow it', async () => {
    const answered = [answerTo('guid-1')];
    const world = restored('one sec', BEGAN_AT + 10_000, { answered });
    world.messages.rows.push(row(2, 'the words of an operator', BEGAN_AT + 11_000));
    received(world, 'guid-1', 0);
    world.offer('one sec', BEGAN_AT + 9_000, { id: 'reflex', role: 'reflex', answers: 'guid-1' });
    for (const [id, words, role] of [
      ['one', 'one sec', 'first'],
      ['two', 'want the link?', 'bubble'],
    ] as const)
      world.offer(words, null, { id, role, answers: 'guid-1' });
    await world.outgoing.start();
    expect(['reflex', 'one', 'two'].map((id) => stateOf(world, id))).toEqual([
      'sent',
      'deduplicated',
      'attempting',
    ]);
    world.close();
  });

  test.each([
    ['since the restore', 0, 'unknown'],
    ['by the time of the restore', 1, 'attempting'],
  ])(
    'those of a message that was answered do not follow a reflex because it was said %s',
    async (_, knownSends, state) => {
      const answered = [{ ...answerTo('guid-1'), knownSends }];
      const world = restored('the answer of the forgotten agent', BEGAN_AT + 10_000, {
        answered,
        knownSends,
      });
      world.store.write(() =>
        world.store.lineage.noteGapRows([{ guid: 'row-1', sentAt: BEGAN_AT + 10_000 }]),
      );
      received(world, 'guid-1', 0);
      world.offer('one sec', null, { id: 'reflex', role: 'reflex', answers: 'guid-1' });
      await world.outgoing.start();
      await world.messages.succeed();
      world.offer('one sec', null, { id: 'one', role: 'first', answers: 'guid-1' });
      world.offer('found it', null, { id: 'two', role: 'bubble', answers: 'guid-1' });
      expect(['one', 'two'].map((id) => stateOf(world, id))).toEqual(['deduplicated', state]);
      world.close();
    },
  );

  test('the bubbles behind one that was tried since follow it, though nothing proves that one', async () => {
    const world = restored('another text', BEGAN_AT + 10_000, { answered: null });
    received(world, 'guid-1', 0);
    for (const [id, words, role] of [
      ['one', 'found it', 'first'],
      ['two', 'want the link?', 'bubble'],
    ] as const)
      world.offer(words, null, { id, role, answers: 'guid-1' });
    const first = world.store.sends.findById('one');
    world.store.write(() => {
      world.store.sends.begin(first?.seq ?? 0, { tag: 'tag', generation: 'g', afterRow: 1 });
      world.store.sends.settle(first?.seq ?? 0, { state: 'unknown' });
    });
    world.outgoing.limitsChanged();
    await world.outgoing.start();
    expect(stateOf(world, 'two')).toBe('attempting');
    world.close();
  });

  test('a reply to a message behind the row goes out, though the words are the same', async () => {
    const world = restored('ok');
    received(world, 'guid-2', 2, BEGAN_AT + 11_000);
    world.offer('ok', null, { id: 'reply', role: 'first', answers: 'guid-2' });
    await world.run();
    expect(world.messages.texts).toEqual(['ok']);
    world.close();
  });

  test('a text waits while chat.db cannot be read, and is compared when it can', async () => {
    const world = restored('ok');
    world.messages.readable = false;
    const id = world.offer('ok', BEGAN_AT);
    await world.outgoing.start();
    expect(stateOf(world, `command:${id}`)).toBe('queued');
    world.messages.readable = true;
    world.clock.advance(6_000);
    expect(stateOf(world, `command:${id}`)).toBe('sent');
    expect(world.messages.texts).toEqual([]);
    world.close();
  });

  test('a row in another conversation, of other words or with an error proves nothing to have arrived', async () => {
    const world = restored('ok');
    Object.assign(world.messages.rows[0] ?? {}, { error: 22 });
    const failed = world.offer('ok', BEGAN_AT);
    const other = world.offer('okay', BEGAN_AT);
    await world.outgoing.start();
    expect(stateOf(world, `command:${failed}`)).toBe('failed');
    expect(stateOf(world, `command:${other}`)).toBe('attempting');
    world.close();
  });
});

describe('a row that was noted when the gap was found, and is dated before what went out', () => {
  /** Dated by a clock that was wrong; its ROWID was given out anew. */
  function noted(more: Partial<LedgerGap>, sentAt: number): World {
    const world = restored('ok', sentAt, { afterRow: 5, ...more });
    world.messages.movedAt = BEGAN_AT + 15_000;
    world.store.write(() => world.store.lineage.noteGapRows([{ guid: 'row-1', sentAt }]));
    return world;
  }

  test.each([
    ['of a text that the store had then is its proof', { knownSends: 1_000 }, -3_600_000, 'sent'],
    ['of one that it had not leaves a doubt', {}, -3_600_000, 'unknown'],
    ['says nothing where no row shows that the clock was behind', {}, 5_000, 'attempting'],
    ['is of the gap where the clock was ahead', {}, 3_600_000, 'sent'],
  ])('%s', async (_, gap, offsetMs, state) => {
    const world = noted(gap, BEGAN_AT + offsetMs);
    const id = world.offer('ok', BEGAN_AT + 9_000);
    await world.outgoing.start();
    expect(stateOf(world, `command:${id}`)).toBe(state);
    world.close();
  });

  test('proves one text alone: of two of the same words the other goes out', async () => {
    const world = noted({ knownSends: 1_000 }, BEGAN_AT - 3_600_000);
    for (let nth = 0; nth < 2; nth++) world.offer('ok', BEGAN_AT + 9_000);
    await world.run();
    expect(world.messages.texts).toEqual(['ok']);
    world.close();
  });

  test('is read once, however many texts are compared with it', async () => {
    const world = new World();
    const texts = 50;
    const guids = Array.from({ length: texts }, (_, nth) => {
      world.messages.rows.push(row(nth + 1, `text ${nth}`, BEGAN_AT - 3_600_000));
      return { guid: `row-${nth + 1}`, sentAt: BEGAN_AT - 3_600_000 };
    });
    world.at(BEGAN_AT + 20_000);
    world.restore(texts, BEGAN_AT + 20_000, { knownSends: 1_000 });
    world.store.write(() => world.store.lineage.noteGapRows(guids));
    let reads = 0;
    const { find } = world.messages;
    world.messages.find = (guid) => {
      reads += 1;
      return find.call(world.messages, guid);
    };
    const ids = guids.map((_, nth) => world.offer(`text ${nth}`, BEGAN_AT + 9_000));
    await world.outgoing.start();
    expect(ids.map((id) => stateOf(world, `command:${id}`))).toEqual(ids.map(() => 'sent'));
    // Once more where it proves a text, whose delivery is followed.
    expect(reads).toBeLessThanOrEqual(2 * texts);
    world.close();
  });

  test.each([
    ['is no other answer to a message whose reply the store had then', 1_000, 'attempting'],
    ['may be the answer to a message whose reply it had not', 0, 'unknown'],
  ])('%s', async (_, knownSends, state) => {
    const world = noted({ knownSends }, BEGAN_AT + 10_000);
    received(world, 'guid-1', 0);
    world.offer('fine', null, { id: 'reply', role: 'first', answers: 'guid-1' });
    await world.outgoing.start();
    expect(stateOf(world, 'reply')).toBe(state);
    world.close();
  });

  test('is the row of a group that has another name since it was read', async () => {
    const GROUP = 'chat1';
    const world = noted({ knownSends: 1_000 }, BEGAN_AT - 3_600_000);
    const rename = (conversation: string) => {
      const [row] = world.messages.rows.splice(0, 1);
      if (row !== undefined) world.messages.rows.push({ ...row, conversation });
    };
    rename(GROUP);
    world.offer('something else', BEGAN_AT + 9_000);
    await world.outgoing.start();
    world.store.write(() => {
      world.store.aliases.add(GROUP, PERSON);
      world.store.rekey(new Map([[GROUP, PERSON]]), () => '');
    });
    rename(PERSON);
    await world.messages.succeed(PERSON);
    const id = world.offer('ok', BEGAN_AT + 9_000);
    expect(stateOf(world, `command:${id}`)).toBe('sent');
    world.close();
  });

  test('is waited for: until the rows are noted, nothing of the gap goes out', async () => {
    const sentAt = BEGAN_AT - 3_600_000;
    const world = restored('ok', sentAt, { areRowsNoted: false, knownSends: 1_000 });
    const id = world.offer('ok', BEGAN_AT + 9_000);
    await world.outgoing.start();
    expect(stateOf(world, `command:${id}`)).toBe('queued');
    world.store.write(() => world.store.lineage.noteGapRows([{ guid: 'row-1', sentAt }]));
    world.clock.advance(6_000);
    expect(stateOf(world, `command:${id}`)).toBe('sent');
    world.close();
  });
});

describe('a text that a forgotten agent had begun to send when it was killed', () => {
  const UNTIL = BEGAN_AT + 20_000;
  const killed = (attempts = 1, more: Partial<LedgerGap> = {}) => {
    const ok = { conversation: PERSON, text: 'ok', file: null };
    const underWay = Array.from({ length: attempts }, (_, nth) => ({ ...ok, tag: `tag-${nth}` }));
    const begun = forgottenTexts([], begunTexts([], underWay), UNTIL);
    return restored('something else', BEGAN_AT + 10_000, { begun, foundAt: UNTIL, ...more });
  };
  const offered = async (world: World, text: string, madeAt = BEGAN_AT + 15_000) => {
    const id = `command:${world.offer(text, madeAt)}`;
    await world.outgoing.start();
    return id;
  };

  test('is looked for as after a crash, and is sent by the row that Messages writes later', async () => {
    const world = killed();
    const id = await offered(world, 'ok');
    expect(stateOf(world, id)).toBe('confirming');
    world.clock.advance(5_000);
    world.messages.rows.push(row(2, 'ok', world.clock.now()));
    world.outgoing.chatChanged();
    expect(stateOf(world, id)).toBe('sent');
    expect(world.messages.texts).toEqual([]);
    world.close();
  });

  test('is unknown after ten seconds, those behind it go out then, and a row that comes later corrects it', async () => {
    const world = killed();
    const id = await offered(world, 'ok');
    const behind = `command:${world.offer('behind it', BEGAN_AT + 15_000)}`;
    expect(stateOf(world, behind)).toBe('queued');
    world.clock.advance(11_000);
    expect([stateOf(world, id), stateOf(world, behind)]).toEqual(['unknown', 'attempting']);
    world.clock.advance(100_000);
    world.messages.rows.push(row(2, 'ok', world.clock.now()));
    world.outgoing.chatChanged();
    expect(stateOf(world, id)).toBe('sent');
    expect(world.messages.texts).toEqual(['behind it']);
    world.close();
  });

  test('is one text: of two in the same words the other goes out, as one does that was wanted since', async () => {
    const world = killed();
    for (const madeAt of [BEGAN_AT + 14_000, BEGAN_AT + 15_000]) world.offer('ok', madeAt);
    await world.outgoing.start();
    world.clock.advance(11_000);
    expect(world.messages.texts).toEqual(['ok']);
    world.close();
    const other = killed();
    other.learnTime();
    await offered(other, 'ok', UNTIL + 5_000);
    expect(other.messages.texts).toEqual(['ok']);
    other.close();
  });

  test('is taken up once for each attempt', async () => {
    const world = killed(2);
    for (const madeAt of [BEGAN_AT + 14_000, BEGAN_AT + 15_000]) world.offer('ok', madeAt);
    await world.outgoing.start();
    world.clock.advance(30_000);
    expect(world.messages.texts).toEqual([]);
    world.close();
  });

  test('is known by any name that its group has had', async () => {
    const world = killed();
    world.store.write(() => world.store.aliases.add(PERSON, 'chat1'));
    const id = `command:${world.offer('ok', BEGAN_AT + 15_000, { conversation: 'chat1' })}`;
    await world.outgoing.start();
    expect(stateOf(world, id)).toBe('confirming');
    world.close();
  });

  test('keeps no reply from going out, in whatever words, to a message that came since', async () => {
    const world = killed();
    world.clock.advance(60_000);
    received(world, 'guid-9', 9, UNTIL + 3_600_000);
    world.offer('ok', null, { id: 'reply', role: 'first', answers: 'guid-9' });
    await world.outgoing.start();
    expect(stateOf(world, 'reply')).toBe('attempting');
    world.close();
  });

  test('is the one that its row proves, though that was written before any was offered again', async () => {
    const world = killed(1, { activeUntil: BEGAN_AT + 15_000 });
    world.messages.rows.push(row(2, 'ok', BEGAN_AT + 15_500));
    for (const madeAt of [BEGAN_AT + 13_000, BEGAN_AT + 14_000]) world.offer('ok', madeAt);
    await world.outgoing.start();
    expect(stateOf(world, 'command:cmd_1')).toBe('sent');
    expect(world.messages.texts).toEqual(['ok']);
    world.close();
  });

  /** The copy that was put back had the attempt under way too, by this tag. */
  const underWayInCopy = async (tag: string, { isMarked = false, madeAt = BEGAN_AT + 1_000 } = {}) => {
    const world = new World();
    const id = `command:${world.offer('ok', madeAt)}`;
    const seq = world.store.sends.findById(id)?.seq ?? 0;
    world.store.write(() => world.store.sends.begin(seq, { tag, generation: 'g', afterRow: 0 }));
    if (isMarked) world.messages.dispatchedBeforeDeath.add(tag);
    world.at(BEGAN_AT + 20_000);
    const attempts = [{ conversation: PERSON, text: 'ok', file: null, tag: 'tag-0' }];
    const begun = forgottenTexts([], begunTexts([], attempts), UNTIL);
    world.restore(0, UNTIL, { begun, foundAt: UNTIL });
    await world.outgoing.start();
    return { world, id };
  };

  test.each([
    ['Messages was asked', { isMarked: true }],
    ['nothing tells so', { isMarked: false }],
    ['nothing tells so, and the clock of the backend is ahead', { madeAt: UNTIL + 5_000 }],
  ])('is that of the copy, which was under way there too (%s), and no other text', async (_, how) => {
    const { world, id } = await underWayInCopy('tag-0', how);
    expect(stateOf(world, id)).toBe('confirming');
    const other = `command:${world.offer('ok', BEGAN_AT + 15_000)}`;
    world.clock.advance(11_000);
    expect([stateOf(world, id), stateOf(world, other)]).toEqual(['unknown', 'attempting']);
    expect(world.messages.texts).toEqual(['ok']);
    world.close();
  });

  test('is another one than that of the copy if its tag is another: the row of the one is not the end of the other', async () => {
    const { world, id } = await underWayInCopy('tag-9');
    expect(stateOf(world, id)).toBe('confirming');
    world.messages.rows.push(row(2, 'ok', world.clock.now()));
    world.outgoing.chatChanged();
    expect(stateOf(world, id)).toBe('sent');
    expect(world.messages.texts).toEqual([]);
    world.close();
  });

  test('keeps no text in other words from going out', async () => {
    const world = killed();
    await offered(world, 'another');
    expect(world.messages.texts).toEqual(['another']);
    world.close();
  });
});

describe('a text that went out in the gap is not sent again', () => {
  test('where chat.db is busy for the look at its rows alone', async () => {
    const world = restored('ok', BEGAN_AT + 10_000);
    const id = world.offer('ok', BEGAN_AT + 9_000);
    world.messages.refusals = 1;
    await world.outgoing.start();
    expect(stateOf(world, `command:${id}`)).toBe('queued');
    world.clock.advance(6_000);
    expect(stateOf(world, `command:${id}`)).toBe('sent');
    world.close();
  });

  test.each([
    [
      'where the clock was ahead when the agent was last known to be at work',
      { until: BEGAN_AT + 3_600_000 },
    ],
    ['where it was stored after one restore and forgotten by another', { knownSends: 1_000 }],
  ])('%s', async (_, gap) => {
    const world = restored('ok', BEGAN_AT + 10_000, gap);
    const id = world.offer('ok', BEGAN_AT + 9_000);
    await world.outgoing.start();
    expect(stateOf(world, `command:${id}`)).toBe('sent');
    world.close();
  });

  test('where ROWIDs were given out anew since the copy was made, so that its row is before those that were read', async () => {
    const world = restored('ok', BEGAN_AT + 10_000, { afterRow: 5 });
    world.messages.movedAt = BEGAN_AT + 15_000;
    const id = world.offer('ok', BEGAN_AT + 9_000);
    await world.outgoing.start();
    expect(stateOf(world, `command:${id}`)).toBe('sent');
    world.close();
  });

  test.each([
    ['settles', {}, 1_000, 'sent'],
    ['has no chat yet', { conversation: null }, 1_000, 'sent'],
    ['never settles', {}, 200_000, 'unknown'],
  ])('where its row %s', async (_, first, afterMs, state) => {
    const world = restored('ok', BEGAN_AT + 20_000);
    const [own] = world.messages.rows;
    Object.assign(own ?? {}, { isUndecided: true, ...first });
    const id = world.offer('ok', BEGAN_AT + 9_000);
    await world.outgoing.start();
    expect(stateOf(world, `command:${id}`)).toBe('queued');
    world.clock.advance(afterMs);
    if (state === 'sent') Object.assign(own ?? {}, { isUndecided: false, conversation: PERSON });
    world.clock.advance(6_000);
    expect(stateOf(world, `command:${id}`)).toBe(state);
    expect(world.messages.texts).toEqual([]);
    world.close();
  });
});

test('a row that iCloud wrote again proves no second text', async () => {
  const world = restored('ok');
  const [own] = world.messages.rows;
  if (own !== undefined) world.messages.rows.push({ ...own, rowId: 2, guid: 'row-2' });
  for (let nth = 0; nth < 2; nth++) world.offer('ok', BEGAN_AT + 9_000);
  await world.run();
  expect(world.messages.texts).toEqual(['ok']);
  world.close();
});

test('the reflex to a message is said once, though a store that was replaced had posted it by the guid of a copy', async () => {
  const world = new World();
  received(world, 'guid-1', 0);
  const copy = { guid: 'copy', original: 'guid-1', conversation: PERSON, key: null, words: '', files: '' };
  world.store.write(() => world.store.cursor.seen.add({ ...copy, changed: false, seenAt: BEGAN_AT }));
  for (const answers of ['copy', 'guid-1']) world.offer('one sec', null, { role: 'reflex', answers });
  await world.run();
  expect(world.messages.texts).toEqual(['one sec']);
  world.close();
});

test.each([
  ['reflexes', 'reflex'],
  ['a reflex and the reply', 'first'],
] as const)(
  '%s that name two copies of a message which is read only while they wait are said once',
  async (_, role) => {
    const world = new World();
    const key = { conversation: PERSON, key: null, words: '', files: '', changed: false, seenAt: BEGAN_AT };
    world.offer('one sec', null, { id: 'one', role: 'reflex', answers: 'copy' });
    world.offer('one sec', null, { id: 'other', role, answers: 'guid-1' });
    received(world, 'guid-1', 0);
    world.store.write(() => world.store.cursor.seen.add({ ...key, guid: 'copy', original: 'guid-1' }));
    await world.run();
    expect(world.messages.texts).toEqual(['one sec']);
    expect(['one', 'other'].map((id) => stateOf(world, id))).toEqual(['sent', 'deduplicated']);
    world.close();
  },
);

test('a reflex that names the copy of a message which went out from this account fails as soon as that is known', async () => {
  const world = new World();
  const copy = { guid: 'copy', original: 'guid-1', conversation: PERSON, key: null, words: '', files: '' };
  world.offer('one sec', null, { id: 'reflex', role: 'reflex', answers: 'copy' });
  received(world, 'guid-1', 0);
  world.store.write(() => {
    world.store.incoming.reverse('guid-1');
    world.outgoing.withdrawAnswers({ guid: 'guid-1', conversation: PERSON });
  });
  world.store.write(() => world.store.cursor.seen.add({ ...copy, changed: false, seenAt: BEGAN_AT }));
  await world.run();
  expect(world.messages.texts).toEqual([]);
  expect(world.store.sends.findById('reflex')?.errorCode).toBe('answer_withdrawn');
  world.close();
});

test('reflexes in the same words that name a message which nobody knows are each said', async () => {
  const world = new World();
  for (let nth = 0; nth < 2; nth++) world.offer('one sec', null, { role: 'reflex', answers: 'of nobody' });
  await world.run();
  expect(world.messages.texts).toEqual(['one sec', 'one sec']);
  world.close();
});

test('without a gap in the ledger a row of the same words keeps no text from going out', async () => {
  const world = new World();
  world.messages.rows.push(row(1, 'ok', BEGAN_AT + 10));
  world.at(BEGAN_AT + 1_000);
  world.offer('ok', BEGAN_AT);
  await world.run();
  expect(world.messages.texts).toEqual(['ok']);
  world.close();
});

/** The first start of an agent: nothing tells of an earlier one. */
const FIRST_START: Partial<LedgerGap> = {
  ...{ reason: 'new', generation: null, afterRow: null, from: null, activeUntil: null },
};

describe('at the first start, the words of an operator from before it keep', () => {
  test.each([
    ['no command without a time from going out', null],
    ['no command that was made later from going out', BEGAN_AT + 15_000],
    ['no command from going out that was made right after them', BEGAN_AT + 12_100],
  ])('%s', async (_, madeAt) => {
    const world = restored('Hello', BEGAN_AT + 10_000, FIRST_START);
    const id = world.offer('Hello', madeAt);
    await world.outgoing.start();
    expect(stateOf(world, `command:${id}`)).toBe('attempting');
    world.close();
  });

  test('no command without a time waiting for a chat.db that nobody may read yet', async () => {
    const world = restored('Hello', BEGAN_AT + 10_000, FIRST_START);
    world.messages.readable = false;
    const id = world.offer('Hello', null);
    await world.outgoing.start();
    expect(stateOf(world, `command:${id}`)).toBe('attempting');
    world.close();
  });

  test('no second text out, if the command was made before its row', async () => {
    const world = restored('Hello', BEGAN_AT + 10_000, FIRST_START);
    const id = world.offer('Hello', BEGAN_AT + 9_000);
    await world.outgoing.start();
    expect(stateOf(world, `command:${id}`)).toBe('sent');
    world.close();
  });
});

describe('by clocks that differ, a text of before the restore is not sent again', () => {
  const dated = (at: number) => ({ date: new Date(at).toUTCString() });

  test.each([
    ['10 s ahead', 10_000],
    ['two hours ahead', 7_200_000],
    ['two hours behind', -7_200_000],
  ])('where the backend has answered once and is %s', async (_, skew) => {
    const world = restored('ok');
    world.backendTime.note(dated(world.clock.now() + skew));
    const id = world.offer('ok', BEGAN_AT + 9_000 + skew);
    await world.outgoing.start();
    expect(stateOf(world, `command:${id}`)).toBe('sent');
    world.close();
  });

  test('nor is it called too late', () => {
    const world = restored('ok');
    const skew = 30_000;
    for (const later of [0, 1_000]) world.backendTime.note(dated(world.clock.now() + skew + later));
    const since = { at: BEGAN_AT + 9_000 + skew, clock: 'backend' } as const;
    expect(world.outgoing.mayHaveGoneOut({ conversation: PERSON, text: 'ok' }, since)).toBe('maybe');
    world.close();
  });

  test('where the sender of the message is hours ahead', async () => {
    const world = restored('fine');
    received(world, 'guid-1', 0, BEGAN_AT + 3 * 3_600_000);
    world.offer('fine', null, { id: 'reply', role: 'first', answers: 'guid-1' });
    await world.outgoing.start();
    expect(stateOf(world, 'reply')).toBe('sent');
    world.close();
  });

  test('where this Mac was ahead when the copy was made', async () => {
    const world = restored('ok', BEGAN_AT + 10_000, { from: BEGAN_AT + 7_200_000 });
    const id = world.offer('ok', BEGAN_AT + 9_000);
    await world.outgoing.start();
    expect(stateOf(world, `command:${id}`)).toBe('sent');
    world.close();
  });
});

test('whether a late text went out is not known while chat.db cannot be read, or not for one look', () => {
  const world = restored('ok');
  const asked = () =>
    world.outgoing.mayHaveGoneOut({ conversation: PERSON, text: 'ok' }, { at: BEGAN_AT, clock: 'own' });
  expect(asked()).toBe('maybe');
  world.messages.refusals = 1;
  expect(asked()).toBe('unreadable');
  world.messages.readable = false;
  expect(asked()).toBe('unreadable');
  world.close();
});

test('a scheduled text that was sent while the clock was ahead is not sent again once the clock is right', async () => {
  const ahead = 90_000;
  const world = new World();
  const sendAt = BEGAN_AT + 60_000;
  world.wasSent('pill', sendAt + 500, false);
  world.at(BEGAN_AT + 5_000);
  world.restore(0, world.clock.now(), { activeUntil: BEGAN_AT + ahead });
  world.store.write(() => world.store.lineage.noteGapRows(world.messages.rows));
  world.at(sendAt);
  world.schedule('due', 'pill', sendAt);
  await world.outgoing.start();
  expect(stateOf(world, 'due')).toBe('sent');
  world.close();
});

test('a scheduled text that only this store knew goes out, though another one was at work when it fell due', async () => {
  const world = new World();
  world.store.write(() =>
    world.store.schedule.add({
      ...{ scheduleId: 'sched_1', commandId: 'cmd_s', conversation: PERSON, threadId: PERSON, text: 'pill' },
      ...{ priority: 2, sendAt: BEGAN_AT + 5_000 },
    }),
  );
  world.at(BEGAN_AT + 20_000);
  world.restore(0, BEGAN_AT + 20_000, { reason: 'replaced' });
  world.offer('pill', null, { id: 'due', scheduleId: 'sched_1' });
  await world.outgoing.start();
  expect(stateOf(world, 'due')).toBe('attempting');
  world.close();
});
