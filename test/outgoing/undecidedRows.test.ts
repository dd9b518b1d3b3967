import { describe, expect, test } from 'vitest';
import type { TextRequest } from '../../src/model/sending.js';
import { FakeClock } from '../support/FakeClock.js';
import { FakeMessages } from '../support/FakeMessages.js';
import { outgoingOn } from '../support/outgoingOn.js';
import { temporaryStore } from '../support/temporaryStore.js';

const ANN = '+13105551234';
const BOB = '+13105555678';

async function world(resendUnknown = false) {
  const clock = new FakeClock();
  const store = temporaryStore(clock);
  const messages = new FakeMessages();
  const outgoing = outgoingOn(store, messages, clock, { resendUnknown });
  const outcomes: string[] = [];
  outgoing.onOutcome((send, outcome) =>
    outcomes.push(`${send.id} ${outcome.kind === 'failed' ? outcome.errorCode : outcome.kind}`),
  );
  await outgoing.start();
  const send = (id: string, text: string, more: Partial<TextRequest> = {}) =>
    store.write(() =>
      outgoing.enqueue({
        ...{ id, conversation: ANN, threadId: ANN, text, role: 'message', priority: 2, pauseMs: 0 },
        ...more,
      }),
    );
  /** A row whose sending chat.db leaves undecided. Returns what decides it. */
  const firstState = (text: string, conversation: string | null = ANN) => {
    messages.addRow(conversation ?? '', text);
    const row = messages.rows.at(-1);
    if (row === undefined) throw new Error('unreachable: it was added');
    Object.assign(row, { conversation, isUndecided: true });
    return {
      guid: row.guid,
      settle: (to = ANN) => {
        Object.assign(row, { conversation: to, isUndecided: false });
        outgoing.chatChanged();
      },
    };
  };
  return { clock, store, messages, outgoing, outcomes, send, firstState };
}

describe('a row whose sending chat.db leaves undecided', () => {
  test.each([
    ['k', 5_000],
    ['👍', 60_000],
    ['a longer text', 150_000],
  ])('keeps the verdict on “%s” open, and proves it when that is decided after %i ms', async (text, ms) => {
    const { clock, messages, outcomes, send, firstState, store } = await world();
    send('a', text);
    const row = firstState(text);
    await messages.end({ kind: 'accepted' });
    clock.advance(ms);
    expect(outcomes).toEqual([]);
    row.settle();
    expect(outcomes).toEqual(['a sent']);
    expect(store.sends.findById('a')?.guid).toBe(row.guid);
    expect(clock.pending).toBeLessThanOrEqual(2);
  });

  test('also while it has no chat yet, and of none that is settled elsewhere', async () => {
    const { clock, messages, outcomes, send, firstState } = await world();
    send('a', 'ok');
    const row = firstState('ok', null);
    await messages.end({ kind: 'accepted' });
    clock.advance(20_000);
    expect(outcomes).toEqual([]);
    row.settle(BOB);
    clock.advance(1_100);
    expect(outcomes).toEqual(['a unknown']);
  });

  test('does not keep it open for longer than a row is looked for', async () => {
    const { clock, messages, outcomes, send, firstState } = await world();
    send('a', 'ok');
    firstState('ok');
    await messages.end({ kind: 'accepted' });
    clock.advance(179_000);
    expect(outcomes).toEqual([]);
    clock.advance(2_000);
    expect(outcomes).toEqual(['a unknown']);
  });

  test('is no evidence of sending once it was read as a message of a person', async () => {
    const { clock, messages, outcomes, send, firstState, store } = await world();
    send('a', 'ok');
    const { guid } = firstState('ok');
    const message = {
      ...{ guid, rowId: 1, conversation: ANN, threadId: ANN, chatGuid: '', sender: ANN, text: 'ok' },
      ...{ sentAt: clock.now(), isGroup: false, participants: [ANN], service: 'iMessage' },
      ...{ replyToGuid: null, attachments: [] },
    };
    store.write(() => store.incoming.add(message));
    await messages.end({ kind: 'accepted' });
    clock.advance(10_100);
    expect(outcomes).toEqual(['a unknown']);
  });

  test('prevents its text from being sent again, however osascript ended or the operator requests it', async () => {
    const { clock, messages, send, firstState } = await world(true);
    send('a', 'ok');
    firstState('ok');
    await messages.end({ kind: 'notStarted', errorCode: 'send_refused', message: '', retry: 'later' });
    clock.advance(3_600_000);
    expect(messages.texts).toEqual(['ok']);
  });

  test('keeps its place: the row of a later text with the same content proves that one', async () => {
    const { clock, messages, outcomes, send, firstState, store, outgoing } = await world();
    send('a', 'ok');
    await messages.end({ kind: 'accepted' });
    clock.advance(10_100);
    expect(outcomes).toEqual(['a unknown']);
    const first = firstState('ok');
    send('b', 'ok');
    await messages.succeed();
    outgoing.chatChanged();
    expect(outcomes).toEqual(['a unknown', 'b sent']);
    first.settle();
    expect(outcomes).toEqual(['a unknown', 'b sent', 'a sent']);
    expect(store.sends.findById('a')?.guid).toBe(first.guid);
  });

  test('yields its place to a row that is marked as sent, where there is but one text', async () => {
    const { messages, outcomes, send, firstState, outgoing } = await world();
    send('a', 'ok');
    firstState('ok');
    await messages.succeed();
    outgoing.chatChanged();
    expect(outcomes).toEqual(['a sent']);
  });
});

test('an answer to a message that came from the agent’s own account fails, unless Messages has it; later answers too', async () => {
  const { messages, outcomes, send, store, outgoing, clock } = await world();
  const message = {
    ...{ guid: 'm', rowId: 1, conversation: ANN, threadId: ANN, chatGuid: '', sender: ANN, text: 'hi' },
    ...{ sentAt: clock.now(), isGroup: false, participants: [ANN], service: 'iMessage' },
    ...{ replyToGuid: null, attachments: [] },
  };
  store.write(() => {
    store.incoming.add(message);
    const [record] = store.incoming.open(ANN, 1);
    if (record !== undefined) store.incoming.postStarted(record.seq, 0);
  });
  send('reflex', 'one', { role: 'reflex', answers: 'm' });
  send('m:0', 'one', { role: 'first', answers: 'm' });
  send('m:1', 'two', { role: 'bubble', answers: 'm' });
  send('other', 'three');
  store.write(() => {
    store.incoming.reverse('m');
    outgoing.withdrawAnswers(message);
  });
  expect(outcomes).toEqual(['m:0 answer_withdrawn', 'm:1 answer_withdrawn']);
  send('late', 'four', { answers: 'm' });
  expect(outcomes.slice(2)).toEqual(['late answer_withdrawn']);
  await messages.end({ kind: 'notStarted', errorCode: 'send_refused', message: '', retry: 'never' });
  await messages.succeed();
  expect(messages.texts).toEqual(['one', 'three']);
});

test.each([
  ['that waits behind another text', 'm:0 first', 'reflex'],
  ['that a reflex that names none has begun', 'reflex', 'm:0 first'],
])('no duplicate takes the place of an answer %s and is withdrawn', async (_, ...order) => {
  const { messages, outcomes, send, store, outgoing, clock } = await world();
  const message = {
    ...{ guid: 'm', rowId: 1, conversation: ANN, threadId: ANN, chatGuid: '', sender: ANN, text: 'hi' },
    ...{ sentAt: clock.now(), isGroup: false, participants: [ANN], service: 'iMessage' },
    ...{ replyToGuid: null, attachments: [] },
  };
  send('other', 'three');
  store.write(() => {
    store.incoming.add(message);
    const [record] = store.incoming.open(ANN, 1);
    if (record === undefined) throw new Error('not stored');
    store.incoming.postStarted(record.seq, store.sends.newest());
    if (order[0] === 'm:0 first') store.incoming.settle(record.seq, 'answered');
  });
  for (const id of order) {
    if (id === 'reflex') send('reflex', 'one', { role: 'reflex' });
    else send('m:0', 'one', { role: 'first', answers: 'm' });
  }
  store.write(() => {
    store.incoming.reverse('m');
    outgoing.withdrawAnswers(message);
  });
  for (let sent = 0; sent < messages.texts.length; sent += 1) await messages.succeed();
  expect(messages.texts).toEqual(['three']);
  expect(outcomes.toSorted()).toEqual(['m:0 answer_withdrawn', 'other sent', 'reflex answer_withdrawn']);
});
