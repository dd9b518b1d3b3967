import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import type { SentRow, SentRows } from '../../src/model/sending.js';
import { SentEvidence } from '../../src/outgoing/SentEvidence.js';
import { begunTexts, forgottenTexts, marksOf } from '../../src/store/Witness.js';
import { FakeClock } from '../support/FakeClock.js';
import { FakeMessages } from '../support/FakeMessages.js';
import { ledgerGap } from '../support/ledgerGap.js';
import { queuedText } from '../support/queuedText.js';
import { sized } from '../support/size.js';
import { temporaryStore } from '../support/temporaryStore.js';

const SEED = 20261201;
const MENU = join(mkdtempSync(join(tmpdir(), 'edge-evidence-')), 'menu.pdf');
writeFileSync(MENU, 'eggs');
afterAll(() => rmSync(dirname(MENU), { recursive: true }));

const PERSON = '+13105551234';
const OTHER = '+13105555678';
const BEGAN_AT = Date.UTC(2026, 11, 1);
const at = (seconds: number) => BEGAN_AT + seconds * 1000;
/** When the gap was found: some rows are dated before that, some after. */
const GAP_UNTIL = at(6);

const WORDS = fc.constantFrom('ok', 'fine');
const SECOND = fc.integer({ min: 0, max: 12 });
const rarely = <T>(value: T, else_: fc.Arbitrary<T>) =>
  fc.oneof({ arbitrary: fc.constant(value), weight: 1 }, { arbitrary: else_, weight: 6 });

const row = fc.record({
  words: rarely('', WORDS),
  second: rarely<number | null>(null, SECOND),
  conversation: rarely<string | null>(null, fc.constantFrom(PERSON, PERSON, OTHER)),
  isUndecided: rarely(true, fc.constant(false)),
  /** What the store knows of it. */
  known: fc.constantFrom('nothing', 'nothing', 'proof', 'noted', 'message'),
  /** What it was dated when it was noted, where Messages has dated it anew since. */
  datedBefore: rarely<number | null>(1, fc.constant(null)),
});

const gap = fc.record({
  reason: fc.constantFrom('older' as const, 'new' as const, 'replaced' as const),
  afterRow: rarely<number | null>(null, fc.nat(3)),
  from: fc.constantFrom(null, at(-1), at(2)),
  untilRow: rarely<number | null>(null, fc.nat(12)),
  activeUntil: fc.constantFrom(null, at(5)),
  copiedAt: fc.constantFrom(null, at(3)),
  areAllAnswered: fc.boolean(),
  isBegun: rarely(true, fc.constant(false)),
});

const wanted = fc.record({
  words: WORDS,
  second: rarely<number | null>(null, SECOND),
  role: fc.constantFrom('message' as const, 'first' as const, 'reflex' as const),
  /** Where the message stands that it answers. */
  rowId: fc.integer({ min: 0, max: 13 }),
  isStoredBefore: fc.boolean(),
});

const world = fc.record({
  rows: fc.array(row, { maxLength: 12 }),
  gap,
  texts: fc.array(wanted, { minLength: 1, maxLength: 6 }),
  movedAt: rarely<number | null>(at(7), fc.constant(null)),
  generation: rarely('another', fc.constant('g')),
});

type World = typeof world extends fc.Arbitrary<infer T> ? T : never;

function build({ rows, gap, texts, movedAt, generation }: World) {
  const clock = new FakeClock(at(20));
  const store = temporaryStore(clock);
  const messages = new FakeMessages();
  Object.assign(messages, { movedAt, generation });
  rows.forEach(({ words, second, conversation, isUndecided }, index) => {
    const sent: SentRow = {
      ...{
        rowId: index + 1,
        guid: `row-${index + 1}`,
        conversation,
        text: words,
        error: 0,
        service: 'iMessage',
      },
      ...{ sentAt: second === null ? null : at(second), isSent: true, isDelivered: false, isRead: false },
      ...{ wasDowngraded: false, ghostOf: null, ...(isUndecided ? { isUndecided } : {}) },
    };
    messages.rows.push(sent);
  });
  const message = (guid: string, rowId: number, sentAt: number) => {
    messages.received.set(guid, rowId);
    store.incoming.add({
      ...{ guid, rowId, conversation: PERSON, threadId: PERSON, chatGuid: '', sender: PERSON, text: 'hi' },
      ...{ sentAt, isGroup: false, participants: [PERSON], service: 'iMessage', replyToGuid: null },
      attachments: [],
    });
  };
  const add = (one: World['texts'][number], index: number) => {
    const id = `text-${index}`;
    const isAnswer = one.role !== 'message';
    const sentAt = at(one.second ?? 0);
    if (isAnswer) message(`asked-${index}`, one.rowId, sentAt);
    const body = JSON.stringify({ payload: {}, timestamp: one.second === null ? null : sentAt });
    store.commands.add({ commandId: id, commandType: 'send_message_now', body, bodyHash: '', via: 'http' });
    const answers = isAnswer ? `asked-${index}` : null;
    store.sends.add(
      queuedText({ id, conversation: PERSON, text: one.words, role: one.role, commandId: id, answers }),
    );
  };
  const text = { conversation: PERSON, text: 'ok', file: null };
  const begun = gap.isBegun ? forgottenTexts([], begunTexts([], [{ ...text, tag: 'tag' }]), GAP_UNTIL) : [];
  const marks = texts.flatMap(({ second }, index) =>
    marksOf({ guid: `asked-${index}`, sentAt: at(second ?? 0) }),
  );
  store.write(() => {
    rows.forEach(({ known, words }, index) => {
      const guid = `row-${index + 1}`;
      if (known === 'message') message(guid, index + 1, at(1));
      if (known !== 'proof') return;
      const sent = store.sends.add(queuedText({ id: guid, conversation: PERSON, text: words }));
      if (sent !== undefined) store.sends.settle(sent.seq, { state: 'sent', guid });
    });
    texts.forEach((one, index) => {
      if (one.isStoredBefore) add(one, index);
    });
    const { areAllAnswered, isBegun: _, ...found } = gap;
    store.lineage.record(
      { id: 'store_1', file: '1:1', counter: 7 },
      ledgerGap({
        ...{ ...found, generation: 'g', until: GAP_UNTIL, knownSends: store.sends.newest(), begun },
        answered: areAllAnswered ? [{ knownSends: 0, marks }] : [],
      }),
    );
    const noted = messages.rows.flatMap(({ guid, sentAt }, index) => {
      const { known, datedBefore = null } = rows[index] ?? {};
      return known === 'noted' ? { guid, sentAt: datedBefore === null ? sentAt : at(datedBefore) } : [];
    });
    store.lineage.noteGapRows(noted);
    texts.forEach((one, index) => {
      if (!one.isStoredBefore) add(one, index);
    });
  });
  return { store, messages, clock };
}

/** Reads whatever went out, in the gap or since, and leaves the choice to who asks. */
function reading(messages: FakeMessages): SentRows {
  return new Proxy<SentRows>(messages, {
    get(target, name: keyof SentRows) {
      if (name === 'after' || name === 'since') return (from: number) => target[name](from);
      if (name === 'datedAt') return () => target.after(0);
      return target[name].bind(target);
    },
  });
}

/** A row that was noted as one of the gap, and that Messages has dated behind its end since: the text's own, by its words. */
const datedAnew = (role: World['texts'][number]['role']): World => ({
  rows: [
    {
      ...{ words: 'ok', second: 9, conversation: PERSON, isUndecided: false },
      ...{ known: 'noted', datedBefore: 5 },
    },
  ],
  gap: {
    ...{ reason: 'older', afterRow: null, from: null, untilRow: null, activeUntil: null, copiedAt: null },
    ...{ areAllAnswered: false, isBegun: false },
  },
  texts: [{ words: 'ok', second: 3, role, rowId: 0, isStoredBefore: false }],
  movedAt: role === 'message' ? at(7) : null,
  generation: 'another',
});

test.each(['message', 'reflex'] as const)('a noted row proves a %s though it was dated anew', (role) => {
  const { store, messages, clock } = build(datedAnew(role));
  const send = store.sends.findById('text-0');
  if (send === undefined) throw new Error('no such text');
  expect(new SentEvidence(store, messages, () => clock.now()).of(send)).toMatchObject({ kind: 'sent' });
});

test('a noted row proves a text even if Messages changed its date after another text was compared with it', () => {
  const made = datedAnew('message');
  const { store, messages, clock } = build({
    ...made,
    rows: made.rows.map((one) => ({ ...one, second: 3, datedBefore: null })),
    texts: [{ words: 'fine', second: 6 }, { words: 'ok' }].map(
      (one) => ({ ...made.texts[0], ...one }) as World['texts'][number],
    ),
  });
  const evidence = new SentEvidence(store, messages, () => clock.now());
  const of = (id: string) => {
    const send = store.sends.findById(id);
    if (send === undefined) throw new Error('no such text');
    return evidence.of(send).kind;
  };
  expect(of('text-0')).toBe('none');
  messages.rows.splice(0, 1, { ...(messages.rows[0] as SentRow), sentAt: at(9) });
  expect(of('text-1')).toBe('sent');
});

/** Rows of files of one size that went out in the gap; the text is a file too. */
test.each([
  [['menu.pdf'], 'sent'],
  [['list.pdf'], 'doubtful'],
  [['list.pdf', 'menu.pdf'], 'sent'],
  [['larger menu.pdf'], 'doubtful'],
  [['larger menu.pdf', 'menu.pdf'], 'sent'],
])(
  'of rows with the files %j only one with its own name and size proves a text of the gap',
  (names, kind) => {
    const made = datedAnew('message');
    const { store, messages, clock } = build({
      ...made,
      rows: names.flatMap(() => made.rows.map((one) => ({ ...one, words: '', second: 5 }))),
    });
    for (const [index, name] of names.entries())
      messages.files.set(index + 1, [
        {
          name: name.replace('larger ', ''),
          sizeBytes: statSync(MENU).size + (name.startsWith('larger') ? 1 : 0),
        },
      ]);
    const text = store.sends.findById('text-0');
    if (text === undefined) throw new Error('no such text');
    const send = { ...text, text: '', file: MENU };
    expect(new SentEvidence(store, messages, () => clock.now()).of(send).kind).toBe(kind);
  },
);

describe(`seed ${SEED}`, () => {
  test('what is found of a text in a gap is the same whether what went out since the gap is read or not', () => {
    const kinds = new Map<string, number>();
    fc.assert(
      fc.property(world, (made) => {
        const { store, messages, clock } = build(made);
        const now = () => clock.now();
        made.texts.forEach((_, index) => {
          const send = store.sends.findById(`text-${index}`);
          if (send === undefined) throw new Error('no such text');
          const found = new SentEvidence(store, messages, now).of(send);
          kinds.set(found.kind, (kinds.get(found.kind) ?? 0) + 1);
          expect(found).toEqual(new SentEvidence(store, reading(messages), now).of(send));
        });
        store.close();
      }),
      { seed: SEED, numRuns: sized(40, 2_000) },
    );
    expect([...kinds.keys()].toSorted()).toEqual([
      'answered',
      'begun',
      'doubtful',
      'none',
      'sent',
      'unsettled',
    ]);
  });
});
