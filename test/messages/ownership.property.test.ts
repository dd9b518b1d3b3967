import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Columns } from '../../src/kit/messages/AppleDatabase.js';
import type { FirstState } from '../../src/kit/messages/SimulatedSent.js';
import { sentRows } from '../../src/messages/chatdb/ChatDb.js';
import { conversationKey } from '../../src/messages/conversationId.js';
import { knownRows, matchRows } from '../../src/outgoing/SendVerifier.js';
import { sized } from '../support/size.js';
import { FactWorld, OWN, REGION } from './facts/FactWorld.js';

const SEED = 12_2026;

/** One character as well as many; the same few, so that all of them say the same. */
const text = fc.constantFrom(
  'k',
  '👍',
  'ok',
  'omw',
  'a longer text that is said by all of them',
  'It’s “fine”',
);

/**
 * Who writes, and in which steps it gets into chat.db. What a person writes always has a handle or is finished: the one form that
 * the rules give to us, a row that has neither and the words of a text of ours, is not drawn for a person (docs/guarantees.md).
 */
const writing = fc.oneof(
  fc.record({
    by: fc.constant('us' as const),
    text,
    form: fc.constantFrom<FirstState>('anonymous', 'recipient', 'none'),
    /** ms from its first state to the one that says whose it is: at most for as long as a text is looked for. */
    settlesAfterMs: fc.constantFrom(0, 20, 900, 5_000, 60_000),
  }),
  fc.record({
    by: fc.constant('operator' as const),
    text,
    form: fc.constantFrom<FirstState>('anonymous', 'recipient', 'none'),
    settlesAfterMs: fc.constantFrom(0, 20, 300, 950),
  }),
  fc.record({
    by: fc.constant('person' as const),
    text,
    form: fc.constantFrom('whole' as const, 'staged' as const, 'nameless' as const),
  }),
  fc.record({ by: fc.constant('echo' as const), text }),
);
type Writing = typeof writing extends fc.Arbitrary<infer T> ? T : never;

const story = fc.array(
  fc.record({
    who: fc.nat(1),
    writing,
    /** Before the next thing happens. */
    pauseMs: fc.constantFrom(0, 1, 30, 400, 1_100),
    restarts: fc.constantFrom(false, false, false, false, true),
  }),
  { minLength: 1, maxLength: 9 },
);

let world: FactWorld;
beforeAll(() => {
  world = new FactWorld({ version: 15, srColumns: false, shuffledColumns: false });
});
afterAll(() => world.close());

interface Played {
  posted: string[];
  persons: string[];
  /** By the seq of each send: the row that is truly its own, and the one that proved it. */
  sends: { seq: number; truly: string; conversation: string; text: string }[];
  operators: { guid: string; conversation: string; text: string }[];
}

function play(
  steps: readonly { who: number; writing: Writing; pauseMs: number; restarts: boolean }[],
): Played {
  const { writer, store, clock, chatDb } = world;
  const people = [world.acquaintance(), world.acquaintance()];
  const rows = sentRows(chatDb, (address) => conversationKey(address, REGION));
  const played: Played = { posted: [], persons: [], sends: [], operators: [] };
  const posted = () => played.posted.push(...world.news().messages.map(({ guid }) => guid));
  const later: { at: number; run: () => void }[] = [];
  const after = (ms: number, run: () => void) => later.push({ at: clock.now() + ms, run });
  /** What SendVerifier does when chat.db changed, by the same rule. */
  const prove = () => {
    const { proofs } = matchRows(store.sends.watched(), rows, knownRows(store), clock.now());
    store.write(() => {
      for (const [seq, { guid, service }] of proofs)
        store.sends.settle(seq, { state: 'sent', guid, service });
    });
  };
  const look = () => {
    posted();
    prove();
  };
  const passes = (ms: number) => {
    const end = clock.now() + ms;
    for (;;) {
      const next = later.sort((a, b) => a.at - b.at)[0];
      if (next === undefined || next.at > end) break;
      later.shift();
      clock.advance(Math.max(0, next.at - clock.now()));
      next.run();
      look();
    }
    clock.advance(Math.max(0, end - clock.now()));
    look();
  };
  for (const { who, writing: w, pauseMs, restarts } of steps) {
    // Every message has a date of its own.
    clock.advance(2);
    const person = people[who] ?? '';
    const date = clock.now();
    if (w.by === 'person') {
      const columns: Columns = w.form === 'nameless' ? { handle_id: 0 } : {};
      const chat = writer.directChat(person);
      const message = writer.receive({ from: person, chat, text: w.text, date, columns, stages: ['row'] });
      played.persons.push(message.guid);
      if (w.form === 'staged') {
        after(40, () => message.write('text'));
        after(90, () => message.complete());
      } else message.complete();
    } else if (w.by === 'echo') {
      writer.happenings.writeToSelf(OWN, w.text, { date });
    } else {
      const seq = w.by === 'us' ? world.send(person, w.text) : undefined;
      if (seq !== undefined) store.write(() => store.sends.ended(seq, clock.now() + 180_000, null));
      const sent = writer.writeSent({
        handle: person,
        text: w.text,
        date,
        upTo: 'first',
        firstState: w.form,
      });
      after(w.settlesAfterMs, () => sent.settle().markSent());
      const said = { conversation: person, text: w.text };
      if (seq === undefined) played.operators.push({ guid: sent.guid, ...said });
      else played.sends.push({ seq, truly: sent.guid, ...said });
    }
    look();
    if (restarts) world.restart();
    passes(pauseMs);
  }
  passes(70_000);
  passes(5_000);
  for (let minute = 0; minute < 4; minute++) passes(60_000);
  return played;
}

test(
  `no row of the agent is ever posted, and no person’s is dropped; no row proves another’s text (seed ${SEED})`,
  () => {
    fc.assert(
      fc.property(story, (steps) => {
        const { posted, persons, sends, operators } = play(steps);
        expect(posted.toSorted()).toEqual(persons.toSorted());
        const proofs = sends.map(({ seq }) => world.store.sends.get(seq)?.guid ?? null);
        expect(new Set(proofs).size).toBe(proofs.length);
        for (const [index, { truly, conversation, text: said }] of sends.entries()) {
          const isMine = (row: { conversation: string; text: string }) =>
            row.conversation === conversation && row.text === said;
          // Which of two rows of the same words in one conversation is whose, nothing in chat.db tells.
          const mistakable = [
            ...operators.filter(isMine).map(({ guid }) => guid),
            ...sends.filter(isMine).map((s) => s.truly),
          ];
          expect(mistakable).toContain(proofs[index]);
          if (mistakable.length === 1) expect(proofs[index]).toBe(truly);
        }
      }),
      { seed: SEED, numRuns: sized(20, 3_000) },
    );
  },
  sized(120_000, 1_200_000),
);
