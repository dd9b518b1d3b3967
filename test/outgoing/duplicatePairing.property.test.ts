import fc from 'fast-check';
import { expect, test } from 'vitest';
import { pairedConversation } from '../support/pairedConversation.js';
import { sized } from '../support/size.js';

/** What may happen to message `m`, in any order that a backend and a dying daemon can bring about. */
type PlayedEvent =
  | { kind: 'post' | 'reflex' | 'repeatedReflex' | 'postAgain' | 'reply'; m: number }
  | { kind: 'sent' | 'refused' | 'restart' };

const SEED = 20_261_128;
const MESSAGES = 3;

const message = (kind: 'post' | 'reflex' | 'repeatedReflex' | 'postAgain' | 'reply') =>
  fc.record({ kind: fc.constant(kind), m: fc.nat(MESSAGES - 1) });

const happenings = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: message('post') },
    { weight: 3, arbitrary: message('reflex') },
    { weight: 3, arbitrary: message('reply') },
    { weight: 1, arbitrary: message('repeatedReflex') },
    { weight: 1, arbitrary: message('postAgain') },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('sent' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('refused' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
  ),
  { minLength: 5, maxLength: 40 },
);

const REFUSED = { kind: 'notStarted', errorCode: 'send_refused', message: '', retry: 'never' } as const;

/** Plays what is possible of it, then brings every message to its end; returns the texts that were really sent. */
async function play(texts: readonly string[], strays: readonly string[], events: readonly PlayedEvent[]) {
  const c = await pairedConversation();
  const went: string[] = [];
  const state = texts.map(() => ({
    posted: false,
    reflexed: false,
    again: 0,
    answered: false,
    refused: false,
  }));
  const textOf = (m: number) => texts[m] ?? '';
  const inFlight = () => {
    const attempt = c.messages.started.at(-1);
    return attempt !== undefined && c.messages.started.length > went.length + refusals ? attempt : undefined;
  };
  let refusals = 0;
  const end = async (result: 'sent' | typeof REFUSED) => {
    const attempt = inFlight();
    if (attempt === undefined) return false;
    if (result === 'sent') went.push(attempt.text);
    else refusals += 1;
    await c.endOne(result);
    return true;
  };
  const flow = async () => {
    while (await end('sent'));
  };
  for (const [index, text] of strays.entries()) c.reflex(`stray${index}`, text);
  await flow();
  // Without its name, a late reflex is then taken for that of the open message, and sent.
  const isOwed = () => state.some(({ posted, answered, reflexed }) => posted && !answered && !reflexed);
  const open = () => state.filter(({ posted, answered }) => posted && !answered).length;
  const happen = async (event: PlayedEvent) => {
    if (event.kind === 'sent') return void (await end('sent'));
    if (event.kind === 'restart') {
      await flow();
      return c.restart();
    }
    if (event.kind === 'refused') {
      // One refusal a message: its duplicate is then to be sent in its place.
      const m = texts.indexOf(inFlight()?.text ?? '');
      const spent = state[m];
      if (spent === undefined || texts.filter((text) => text === textOf(m)).length > 1 || spent.refused)
        return;
      if (spent.answered && !spent.reflexed) return;
      spent.refused = true;
      return void (await end(REFUSED));
    }
    if (!('m' in event)) return;
    const { m } = event;
    const of = state[m];
    if (of === undefined) return;
    if (event.kind === 'post' && !of.posted) {
      of.posted = true;
      c.post(`m${m}`);
    } else if (event.kind === 'reflex' && of.posted && !of.reflexed && !(of.answered && isOwed())) {
      of.reflexed = true;
      c.reflex(`r${m}`, textOf(m));
    } else if (event.kind === 'repeatedReflex' && of.reflexed) {
      c.reflex(`r${m}`, textOf(m));
    } else if (
      event.kind === 'postAgain' &&
      of.posted &&
      !of.answered &&
      of.reflexed &&
      !of.refused &&
      open() === 1
    ) {
      of.again += 1;
      c.post(`m${m}`);
      c.reflex(`r${m}.${of.again}`, textOf(m));
    } else if (event.kind === 'reply' && of.posted && !of.answered) {
      of.answered = true;
      c.reply(`m${m}`, textOf(m), `more ${m}`);
    }
  };
  for (const event of events) await happen(event);
  for (let m = 0; m < texts.length; m++) {
    await happen({ kind: 'post', m });
    await happen({ kind: 'reply', m });
    await flow();
  }
  await flow();
  return went;
}

test(`whatever the order, each message gets its reflex once and its later bubbles once (seed ${SEED})`, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('ok', 'haha', 'one sec'), { minLength: 1, maxLength: MESSAGES }),
      fc.array(fc.constantFrom('haha', 'lol'), { maxLength: 1 }),
      happenings,
      async (texts, strays, events) => {
        const went = await play(texts, strays, events);
        const expected = [...strays, ...texts, ...texts.map((_text, m) => `more ${m}`)];
        expect(went.toSorted()).toEqual(expected.toSorted());
      },
    ),
    { numRuns: sized(60, 2_000), seed: SEED },
  );
});
