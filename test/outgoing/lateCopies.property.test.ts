import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { wordsKey } from '../../src/outgoing/DuplicatePairing.js';
import { ANN, pairedConversation } from '../support/pairedConversation.js';
import { sized } from '../support/size.js';

/*
 * After a restore a backend may name a message by the guid of a copy whose row is judged only later. From then on the texts that name
 * either guid are of one message, also those that wait already.
 */

const SEED = 20_261_201;
const REFUSED = { kind: 'notStarted', errorCode: 'send_refused', message: '', retry: 'never' } as const;
const LATER = { ...REFUSED, retry: 'later' } as const;
const UNKNOWN = { kind: 'unknown', message: 'killed' } as const;
const ROW_EXPECTED = 10_001;
const WAITS_FOR_CHAT_DB = 5_001;

type Conversation = Awaited<ReturnType<typeof pairedConversation>>;
type End = 'sent' | 'refused' | 'later' | 'unknown' | 'byRow';
type Step =
  | { kind: 'reflex'; words: string; name: string | undefined }
  | { kind: 'reply'; words: string; isShort: boolean }
  | {
      kind: 'post' | 'copied' | 'open' | 'shut' | 'restart';
    }
  | { kind: 'end'; end: End };

const WORDS = ['one sec', 'found it'] as const;
const words = fc.constantFrom(...WORDS);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('reflex' as const),
      words,
      name: fc.constantFrom('m', 'm', 'copy', 'copy', undefined),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('reply' as const), words, isShort: fc.boolean() }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'post' as const,
        'copied' as const,
        'open' as const,
        'shut' as const,
        'restart' as const,
      ),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('end' as const),
      end: fc.constantFrom<End>('sent', 'sent', 'sent', 'refused', 'later', 'later', 'unknown', 'byRow'),
    }),
  },
);

/**
 * Plays what is possible of it, and checks at each text that is sent that none before it had the same content for its
 * message, as is known by then.
 */
async function play(steps: readonly Step[]): Promise<Conversation> {
  const c = await pairedConversation();
  const { messages, store, clock } = c;
  const wentOut = new Set<number>();
  let seen = 0;
  let isReplied = false;
  let isPosted = false;
  const rootOf = ({ seq, twin, tag }: { seq: number; twin: number | null; tag: string | null }) =>
    twin !== null && tag === null ? twin : seq;
  const checkStarts = () => {
    for (; seen < messages.started.length; seen++) {
      const seq = Number(messages.started[seen]?.tag.split('-')[0]);
      const send = store.sends.get(seq);
      if (send === undefined || send.twinKey === null) continue;
      const others = send.answers === null ? [] : store.sends.inWords(send.twinKey, send.answers);
      const isKnown = store.incoming.isKnown(send.answers ?? '');
      const said = others.filter((other) => other.seq !== seq && wentOut.has(rootOf(other)));
      expect(isKnown ? said.map(({ id }) => id) : []).toEqual([]);
      wentOut.add(seq);
    }
  };
  const end = async (how: End) => {
    const seq = Number(messages.started.at(-1)?.tag.split('-')[0]);
    if (store.sends.get(seq)?.state !== 'attempting') return;
    if (how === 'refused' || how === 'later') wentOut.delete(seq);
    if (how === 'sent') await c.endOne('sent');
    else if (how === 'refused') await c.endOne(REFUSED);
    else if (how === 'later') await c.endOne(LATER);
    else if (how === 'byRow') await c.endByRow(22);
    else await c.endOne(UNKNOWN);
    checkStarts();
    if (how !== 'sent') clock.advance(ROW_EXPECTED);
    checkStarts();
  };
  const open = () => {
    messages.readable = true;
    clock.advance(WAITS_FOR_CHAT_DB);
  };
  messages.needsChatDb = true;
  const happen = async (one: Step, nth: number) => {
    if (one.kind === 'post' && !isReplied) {
      isPosted = true;
      c.post('m');
    } else if (one.kind === 'reflex') c.reflex(`r${nth}`, one.words, one.name);
    else if (one.kind === 'reply' && isPosted && !isReplied) {
      isReplied = true;
      c.reply('m', ...[one.words, 'more'].slice(0, one.isShort ? 1 : 2));
    } else if (one.kind === 'copied') c.copied('copy', 'm');
    else if (one.kind === 'open') open();
    else if (one.kind === 'shut') messages.readable = false;
    else if (one.kind === 'end' && messages.readable) await end(one.end);
    else if (one.kind === 'restart' && messages.readable) {
      while (store.sends.attempting().length > 0) await end('sent');
      // What is looked for in chat.db has its end by then.
      clock.advance(ROW_EXPECTED);
      checkStarts();
      if (store.sends.attempting().length > 0) return;
      await c.restart();
    }
    checkStarts();
  };
  for (const [nth, one] of steps.entries()) await happen(one, nth);
  open();
  checkStarts();
  for (const [nth, one] of [
    { kind: 'post' },
    { kind: 'copied' },
    { kind: 'reply', words: 'one sec', isShort: true },
  ].entries())
    await happen(one as Step, steps.length + nth);
  for (let turns = 0; turns < 200 && store.sends.countOpen() > 0; turns++) {
    await end('sent');
    clock.advance(WAITS_FOR_CHAT_DB);
    checkStarts();
  }
  return c;
}

/** A conversation whose chat.db cannot be read for now, so that texts wait; `m` was posted twice. */
async function waiting(
  before: (c: Conversation) => Promise<void> | void = () => undefined,
): Promise<Conversation> {
  const c = await pairedConversation();
  c.post('m');
  c.post('m');
  await before(c);
  Object.assign(c.messages, { needsChatDb: true, readable: false });
  return c;
}

async function judged(c: Conversation): Promise<void> {
  c.copied('copy', 'm');
  c.messages.readable = true;
  c.clock.advance(WAITS_FOR_CHAT_DB);
  await c.flow();
}

describe('a reflex that named the copy of an already judged message is not repeated', () => {
  test.each([
    ['a reflex', (c: Conversation) => c.reflex('said', 'one sec', 'm')],
    ['the reply', (c: Conversation) => c.reply('m', 'one sec')],
    [
      'a reflex without a name, of which another one was a duplicate',
      async (c: Conversation) => {
        c.reflex('said', 'one sec');
        await c.flow();
        c.reflex('again', 'one sec', 'm');
      },
    ],
  ])('where %s had sent it', async (_, say) => {
    const c = await waiting(async (conversation) => {
      await say(conversation);
      await conversation.flow();
    });
    c.reflex('late', 'one sec', 'copy');
    await judged(c);
    expect(c.messages.texts).toEqual(['one sec']);
    expect(c.outcomes.late).toBe('deduplicated');
  });

  test('though its first attempt had not begun', async () => {
    const c = await pairedConversation();
    c.post('m');
    c.reflex('said', 'one sec', 'm');
    await c.flow();
    c.reflex('late', 'one sec', 'copy');
    c.reflex('again', 'one sec', 'copy');
    await c.endOne(LATER);
    await judged(c);
    c.clock.advance(ROW_EXPECTED);
    expect(c.messages.texts).toEqual(['one sec', 'one sec']);
    expect(c.outcomes).toEqual({ said: 'sent', late: 'deduplicated', again: 'deduplicated' });
    const duplicate = { deduplicated: true, duplicate_of: expect.objectContaining({ command_id: 'said' }) };
    expect([c.acks.late, c.acks.again]).toEqual([
      [expect.objectContaining(duplicate)],
      [expect.objectContaining(duplicate)],
    ]);
  });

  test('though it was to be sent again as its outcome was unknown: it stays so', async () => {
    const c = await pairedConversation({ resendUnknown: true });
    c.post('m');
    c.reflex('said', 'one sec', 'm');
    await c.flow();
    c.reflex('late', 'one sec', 'copy');
    await c.endOne(UNKNOWN);
    c.copied('copy', 'm');
    c.clock.advance(3_600_000);
    await c.flow();
    expect(c.messages.texts).toEqual(['one sec', 'one sec']);
    expect(c.outcomes).toEqual({ said: 'sent', late: 'unknown' });
  });

  test('and is not too late when the pause is lifted in which it waited', async () => {
    const c = await pairedConversation({ heldAges: { text: 1000, reflex: 1000, scheduled: 1000 } });
    c.post('m');
    c.reflex('said', 'one sec', 'm');
    await c.flow();
    c.store.write(() => c.store.pauses.set(ANN, 'operator'));
    c.reflex('late', 'one sec', 'copy');
    c.copied('copy', 'm');
    c.clock.advance(2000);
    c.store.write(() => c.store.pauses.delete(ANN));
    expect(c.messages.texts).toEqual(['one sec']);
    expect(c.outcomes.late).toBe('deduplicated');
  });

  test('where the text that contained it failed by a row, which Messages may still send', async () => {
    const c = await waiting(async (conversation) => {
      conversation.reflex('said', 'one sec', 'm');
      await conversation.endByRow(22);
      conversation.clock.advance(ROW_EXPECTED);
    });
    c.reflex('late', 'one sec', 'copy');
    await judged(c);
    expect(c.messages.texts).toEqual(['one sec']);
    expect(c.outcomes).toEqual({ said: 'failed', late: 'failed' });
  });
});

test('a text that was tried first is not sent after one that comes before it, since two conversations turned out to be one', async () => {
  const c = await pairedConversation();
  const other = 'their other name';
  c.post('m');
  c.store.write(() => c.store.pauses.set(other, 'operator'));
  c.reflex('before', 'one sec', 'm', other);
  c.reflex('tried', 'one sec', 'm');
  await c.endOne(LATER);
  c.store.write(() => {
    c.store.rekey(new Map([[other, ANN]]), wordsKey);
    c.store.pauses.delete(ANN);
  });
  await c.flow();
  c.clock.advance(ROW_EXPECTED);
  await c.flow();
  expect(c.messages.texts).toEqual(['one sec', 'one sec']);
  expect(c.outcomes).toEqual({ before: 'sent', tried: 'deduplicated' });
});

test('what waits for a text that turns out to be a duplicate has the end of the text in its place', async () => {
  const c = await waiting();
  c.reflex('said', 'one sec', 'copy');
  c.reflex('late', 'one sec', 'm');
  c.reply('m', 'one sec');
  await judged(c);
  expect(c.messages.texts).toEqual(['one sec']);
  expect(c.outcomes).toEqual({ said: 'sent', late: 'deduplicated', 'm:0': 'deduplicated' });
  const { sends } = c.store;
  expect(['late', 'm:0'].map((id) => sends.findById(id)?.twin)).toEqual([1, 1]);
});

test('a message is recorded as begun to be answered where a reflex turns out to have sent its reply', async () => {
  const c = await waiting();
  c.reflex('said', 'one sec', 'copy');
  c.reply('m', 'one sec');
  await judged(c);
  expect([...c.answered]).toEqual(['m']);
});

describe(`seed ${SEED}`, () => {
  test('whenever a copy is judged, no text is sent that was already sent for its message, and none is dropped that was not', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 40 }), async (steps) => {
        const c = await play(steps);
        const { sends } = c.store;
        if (sends.findById('m:0')?.state !== 'failed') expect([...c.answered]).toEqual(['m']);
        expect(sends.countOpen()).toBe(0);
        for (let seq = 1; seq <= sends.newest(); seq++) {
          const send = sends.get(seq);
          expect(['sent', 'failed', 'unknown', 'deduplicated']).toContain(send?.state);
          if (send?.state !== 'deduplicated') continue;
          // A text reported as a duplicate has another in its place that was sent with the same content, and that is
          // no duplicate itself.
          const root = sends.get(send.twin ?? 0);
          expect(root).toMatchObject({ state: 'sent', twinKey: send.twinKey });
          expect(root?.twin === null || root?.tag !== null).toBe(true);
        }
      }),
      { seed: SEED, numRuns: sized(150, 3_000) },
    );
  });
});
