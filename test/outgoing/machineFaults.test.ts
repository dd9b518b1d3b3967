import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../src/model/errorCodes.js';
import type { AttemptResult } from '../../src/model/sending.js';
import type { FetchedFile } from '../../src/outgoing/ports.js';
import { FakeClock } from '../support/FakeClock.js';
import { FakeMessages } from '../support/FakeMessages.js';
import { outgoingOn } from '../support/outgoingOn.js';
import { temporaryStore } from '../support/temporaryStore.js';

const ANN = '+13105551234';
const BOB = '+13105555678';
const SEED = 20261129;

/** The sender of texts, which ends attempts as `judge` decides, at once. */
async function world(
  judge: (text: string) => AttemptResult,
  fetch?: () => Promise<FetchedFile>,
  maxPerMinute = 0,
) {
  const clock = new FakeClock();
  const store = temporaryStore(clock);
  const messages = new FakeMessages();
  const start = messages.start.bind(messages);
  messages.start = (attempt) => {
    const end = start(attempt);
    const result = judge(attempt.text);
    if (result.kind === 'accepted') messages.addRow(homes.get(attempt.text) ?? ANN, attempt.text);
    messages.started.at(-1)?.end(result);
    return end;
  };
  const faults: (string | undefined)[] = [];
  const homes = new Map<string, string>();
  const outgoing = outgoingOn(
    store,
    messages,
    clock,
    { maxPerMinute },
    {
      ...(fetch === undefined ? {} : { fetcher: { fetch } }),
      onMachine: (fault) => faults.push(fault?.code),
    },
  );
  const outcomes: string[] = [];
  outgoing.onOutcome((send, { kind }) => outcomes.push(`${send.text} ${kind}`));
  await outgoing.start();
  const send = (text: string, conversation = ANN, more = {}) => {
    homes.set(text, conversation);
    store.write(() =>
      outgoing.enqueue({
        ...{ id: text, conversation, threadId: conversation, text, role: 'message', priority: 2, pauseMs: 0 },
        ...more,
      } as const),
    );
  };
  return { clock, store, messages, outgoing, outcomes, faults, send };
}

const refused = (errorCode: ErrorCode): AttemptResult => ({
  ...{ kind: 'notStarted', errorCode, message: 'no', retry: 'later' },
});

test('texts to a group whose chat only chat.db can name wait in their order while it cannot be read', async () => {
  const { messages, outcomes, clock, send } = await world(() => ({ kind: 'accepted' }));
  messages.needsChatDb = true;
  messages.readable = false;
  for (const text of ['one', 'two', 'three']) send(text);
  await clock.advanceAsync(3600_000);
  expect(messages.texts).toEqual([]);
  expect(outcomes).toEqual([]);
  messages.readable = true;
  await clock.advanceAsync(10_000);
  expect(outcomes).toEqual(['one sent', 'two sent', 'three sent']);
});

describe.each([
  'disk_full',
  'too_many_files',
  'machine_exhausted',
  'state_unwritable',
  'osascript_missing',
  'automation_pending',
] as const)('while this machine cannot start a text (%s)', (code) => {
  test('nothing is given up for hours, and all is sent in order within 30 s of its end', async () => {
    let isBroken = true;
    const { clock, outcomes, send } = await world(() => (isBroken ? refused(code) : { kind: 'accepted' }));
    send('a1');
    send('a2');
    send('b1', BOB);
    for (let minute = 0; minute < 300; minute++) await clock.advanceAsync(60_000);
    expect(outcomes).toEqual([]);
    isBroken = false;
    await clock.advanceAsync(31_000);
    expect(outcomes.filter((one) => one.startsWith('a'))).toEqual(['a1 sent', 'a2 sent']);
    expect(outcomes).toContain('b1 sent');
  });
});

test('a text that only this machine cannot start delays no other', async () => {
  const { clock, outcomes, send } = await world((text) =>
    text === 'a1' ? refused('machine_exhausted') : { kind: 'accepted' },
  );
  send('a1');
  for (const text of ['b1', 'b2', 'b3']) send(text, BOB);
  await clock.advanceAsync(60_000);
  expect(outcomes).toEqual(['b1 sent', 'b2 sent', 'b3 sent']);
});

test('attempts are some seconds apart however many conversations wait, and none counts for the pace', async () => {
  let isBroken = true;
  const { clock, messages, outcomes, send } = await world(
    () => (isBroken ? refused('too_many_files') : { kind: 'accepted' }),
    undefined,
    3,
  );
  for (let number = 0; number < 50; number++) send(`a${number}`, `+131055500${10 + number}`);
  await clock.advanceAsync(600_000);
  expect(messages.texts.length).toBeLessThan(60);
  expect(messages.texts.length).toBeGreaterThan(20);
  isBroken = false;
  await clock.advanceAsync(31_000);
  expect(outcomes).toHaveLength(50);
});

test('another failure after a fault of this machine still has its three tries', async () => {
  const results = [
    refused('disk_full'),
    refused('disk_full'),
    ...Array.from({ length: 3 }, () => refused('send_refused')),
  ];
  const { clock, messages, outcomes, send } = await world(() => results.shift() ?? { kind: 'accepted' });
  send('a1');
  await clock.advanceAsync(60_000);
  expect(messages.texts).toHaveLength(5);
  expect(outcomes).toEqual(['a1 failed']);
});

test('a file that this machine cannot stage is fetched again, with the texts behind it in order, and reported', async () => {
  const fault = { code: 'disk_full', message: 'The disk is full.', remedy: 'Make room.' } as const;
  let isFull = true;
  const { clock, messages, outcomes, faults, send } = await world(
    () => ({ kind: 'accepted' }),
    async () => (isFull ? { kind: 'kept', fault } : { kind: 'fetched', path: '/staged/a.png' }),
  );
  send('a1', ANN, { files: [{ name: 'a.png', url: 'https://example.com/a.png' }] });
  send('a2');
  send('b1', BOB);
  for (let minute = 0; minute < 30; minute++) await clock.advanceAsync(60_000);
  expect(outcomes).toEqual(['b1 sent']);
  expect(faults.at(-1)).toBe('disk_full');
  isFull = false;
  // The row of a file is waited for before the next text of its conversation.
  for (let minute = 0; minute < 10; minute++) await clock.advanceAsync(60_000);
  const handedOver = messages.started.map(({ text, file }) => file ?? text);
  expect(handedOver).toEqual(['b1', 'a1', '/staged/a.png', 'a2']);
  expect(faults.at(-1)).toBeUndefined();
});

test(`whatever faults of this machine come and go, each text ends once, sent, in its order (seed ${SEED})`, async () => {
  const codes = [
    'disk_full',
    'too_many_files',
    'machine_exhausted',
    'state_unwritable',
    'osascript_missing',
    'automation_pending',
  ] as const;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.option(fc.constantFrom(...codes), { nil: undefined, freq: 3 }), { maxLength: 40 }),
      fc.array(fc.boolean(), { minLength: 1, maxLength: 8 }),
      async (faults, toBob) => {
        const left = [...faults];
        const { clock, store, outcomes, send } = await world(() => {
          const code = left.shift();
          return code === undefined ? { kind: 'accepted' } : refused(code);
        });
        const texts = toBob.map((isBob, index) => `${isBob ? 'b' : 'a'}${index}`);
        for (const text of texts) send(text, text.startsWith('b') ? BOB : ANN);
        for (let step = 0; step < 60; step++) await clock.advanceAsync(30_000);
        for (const letter of ['a', 'b']) {
          const mine = texts.filter((text) => text.startsWith(letter));
          expect(outcomes.filter((one) => one.startsWith(letter))).toEqual(
            mine.map((text) => `${text} sent`),
          );
        }
        store.close();
      },
    ),
    { seed: SEED, numRuns: 60 },
  );
});
