import { describe, expect, test } from 'vitest';
import type { TextRequest } from '../../src/model/sending.js';
import type { SendOutcome } from '../../src/outgoing/OutcomeRecorder.js';
import type { Outgoing } from '../../src/outgoing/Outgoing.js';
import type { Store } from '../../src/store/Store.js';
import { FakeClock } from '../support/FakeClock.js';
import { FakeMessages } from '../support/FakeMessages.js';
import { outgoingOn } from '../support/outgoingOn.js';
import { temporaryDirectory, temporaryStore } from '../support/temporaryStore.js';

const ANN = '+13105551234';
const BOB = '+13105555678';

interface World {
  clock: FakeClock;
  store: Store;
  messages: FakeMessages;
  outgoing: Outgoing;
  outcomes: string[];
  send(id: string, request?: Partial<TextRequest>): void;
}

async function world(
  options: { store?: Store; clock?: FakeClock; messages?: FakeMessages; resendUnknown?: boolean } = {},
): Promise<World> {
  const clock = options.clock ?? new FakeClock();
  const store = options.store ?? temporaryStore(clock);
  const messages = options.messages ?? new FakeMessages();
  const outgoing = outgoingOn(store, messages, clock, {
    maxTextLength: 100,
    resendUnknown: options.resendUnknown ?? false,
  });
  const outcomes: string[] = [];
  outgoing.onOutcome((send, outcome) => outcomes.push(`${send.id} ${describeOutcome(outcome)}`));
  await outgoing.start();
  const send = (id: string, request: Partial<TextRequest> = {}) =>
    store.write(() =>
      outgoing.enqueue({
        id,
        conversation: ANN,
        threadId: ANN,
        text: id,
        role: 'message',
        priority: 2,
        pauseMs: 0,
        ...request,
      }),
    );
  return { clock, store, messages, outgoing, outcomes, send };
}

function describeOutcome(outcome: SendOutcome): string {
  if (outcome.kind === 'failed') return `failed ${outcome.errorCode}`;
  if (outcome.kind !== 'sent') return outcome.kind;
  return `sent${outcome.confirmed ? '' : ' unconfirmed'}${outcome.late ? ' late' : ''}`;
}

const notStarted = (retry: 'fallback' | 'later' | 'never') =>
  ({ kind: 'notStarted', errorCode: 'send_refused', message: 'refused', retry }) as const;

describe('a text being sent', () => {
  test('is stored as being attempted before osascript is started, in the commit that stored it', async () => {
    const { store, messages, outgoing } = await world();
    store.write(() => {
      outgoing.enqueue({
        id: 'a',
        conversation: ANN,
        threadId: ANN,
        text: 'a',
        role: 'message',
        priority: 2,
        pauseMs: 0,
      });
      expect(messages.started).toHaveLength(0);
    });
    expect(messages.texts).toEqual(['a']);
    expect(store.sends.findById('a')).toMatchObject({ state: 'attempting', generation: 'g', afterRow: 0 });
  });

  test('is sent once however often its cause is enqueued', async () => {
    const { messages, outcomes, send } = await world();
    send('a');
    send('a');
    await messages.succeed();
    send('a');
    expect(messages.texts).toEqual(['a']);
    expect(outcomes).toEqual(['a sent']);
  });

  test('keeps its order in a conversation and waits for the row of the one before it', async () => {
    const { clock, messages, outgoing, outcomes, send } = await world();
    send('a');
    send('b');
    await messages.end({ kind: 'accepted' });
    expect(messages.texts).toEqual(['a']);
    messages.addRow(ANN, 'a');
    outgoing.chatChanged();
    expect(outcomes).toEqual(['a sent']);
    expect(messages.texts).toEqual(['a', 'b']);
    clock.advance(0);
  });

  test('frees the one osascript slot as soon as it ends, so that other conversations do not wait for rows', async () => {
    const { messages, send } = await world();
    send('a');
    send('b', { conversation: BOB, threadId: BOB });
    expect(messages.texts).toEqual(['a']);
    await messages.end({ kind: 'accepted' });
    expect(messages.texts).toEqual(['a', 'b']);
  });

  test('of an urgent conversation overtakes other conversations, never texts of its own', async () => {
    const { messages, send } = await world();
    send('first', { conversation: 'c', threadId: 'c' });
    send('bob', { conversation: BOB, threadId: BOB });
    send('ann 1', { priority: 4 });
    send('ann 2', { priority: 0 });
    await messages.succeed('c');
    expect(messages.texts.at(-1)).toBe('ann 1');
  });

  test('pauses after the bubble before it and not at all with a pause of 0', async () => {
    const { clock, messages, send } = await world();
    send('a');
    send('b', { pauseMs: 800 });
    await messages.succeed();
    clock.advance(799);
    expect(messages.texts).toEqual(['a']);
    clock.advance(1);
    expect(messages.texts).toEqual(['a', 'b']);
    send('c');
    await messages.succeed();
    expect(messages.texts).toEqual(['a', 'b', 'c']);
  });

  test('that is accepted without a row is unknown after 10 s, and reported sent late if the row comes within 180 s', async () => {
    const { clock, messages, outgoing, outcomes, send } = await world();
    send('a');
    send('b');
    await messages.end({ kind: 'accepted' });
    clock.advance(10_001);
    expect(outcomes).toEqual(['a unknown']);
    expect(messages.texts).toEqual(['a', 'b']);
    messages.addRow(ANN, 'a');
    outgoing.chatChanged();
    expect(outcomes).toEqual(['a unknown', 'a sent late']);
  });

  test('is no longer looked for after 180 s', async () => {
    const { clock, messages, outgoing, outcomes, send } = await world();
    send('a');
    await messages.end({ kind: 'unknown', message: 'killed' });
    clock.advance(180_002);
    messages.addRow(ANN, 'a');
    outgoing.chatChanged();
    expect(outcomes).toEqual(['a unknown']);
  });

  test('that hung but has its row counts as sent', async () => {
    const { messages, outcomes, send } = await world();
    send('a');
    messages.addRow(ANN, 'a');
    await messages.end({ kind: 'unknown', message: 'killed at the deadline' });
    expect(outcomes).toEqual(['a sent']);
  });

  test('whose row has an error is failed when that is still there after 10 s; no other waits for it', async () => {
    const { clock, messages, outcomes, send } = await world();
    send('a');
    await messages.succeed(ANN, 22);
    send('b');
    send('other', { conversation: BOB, threadId: BOB });
    expect(messages.texts).toEqual(['a', 'other']);
    clock.advance(9_990);
    expect(outcomes).toEqual([]);
    clock.advance(20);
    expect(outcomes).toEqual(['a failed not_delivered']);
    await messages.succeed(BOB);
    expect(messages.texts).toEqual(['a', 'other', 'b']);
  });

  test('whose row has an error that is gone within 10 s, as Messages sends it by SMS, is sent', async () => {
    const { messages, outcomes, send, outgoing } = await world();
    send('a');
    await messages.succeed(ANN, 22);
    Object.assign(messages.rows[0] ?? {}, { error: 0, wasDowngraded: true, service: 'SMS' });
    outgoing.chatChanged();
    expect(outcomes).toEqual(['a sent']);
  });

  test('is sent unconfirmed where chat.db cannot be read', async () => {
    const { messages, outcomes, send } = await world();
    messages.readable = false;
    send('a');
    await messages.end({ kind: 'accepted' });
    expect(outcomes).toEqual(['a sent unconfirmed']);
  });

  test('does not take the row of another conversation, of another text, or of an equal text for its own', async () => {
    const { clock, messages, outcomes, send } = await world();
    send('same 1', { text: 'same' });
    await messages.succeed();
    send('same 2', { text: 'same' });
    messages.addRow(BOB, 'same');
    messages.addRow(ANN, 'other');
    await messages.end({ kind: 'accepted' });
    clock.advance(10_001);
    expect(outcomes).toEqual(['same 1 sent', 'same 2 unknown']);
  });
});

describe('a text that provably did not start', () => {
  test('is retried at once with the next form of its target', async () => {
    const { messages, outcomes, send } = await world();
    messages.forms = [
      { form: 'chat', address: 'guid', accountId: null },
      { form: 'participant', address: ANN, accountId: 'account' },
    ];
    send('a');
    await messages.end(notStarted('fallback'));
    expect(messages.started.map(({ target }) => target.form)).toEqual(['chat', 'participant']);
    await messages.succeed();
    expect(outcomes).toEqual(['a sent']);
  });

  test('but has its row in chat.db is sent, and not retried', async () => {
    const { messages, outcomes, send } = await world();
    send('a');
    messages.addRow(ANN, 'a');
    await messages.end(notStarted('later'));
    expect(messages.texts).toEqual(['a']);
    expect(outcomes).toEqual(['a sent']);
  });

  test('is not retried if its row comes during the pause before the next attempt', async () => {
    const { clock, messages, outcomes, send } = await world();
    send('a');
    await messages.end(notStarted('later'));
    messages.addRow(ANN, 'a');
    await clock.advanceAsync(2_000);
    expect(messages.texts).toEqual(['a']);
    expect(outcomes).toEqual(['a sent']);
  });

  test('is tried three times with pauses, then fails, and each attempt is counted', async () => {
    const { clock, store, messages, outcomes, send } = await world();
    send('a');
    expect(store.sends.findById('a')?.tries).toBe(1);
    await messages.end(notStarted('later'));
    clock.advance(2_000);
    await messages.end(notStarted('later'));
    clock.advance(8_000);
    expect(messages.texts).toEqual(['a', 'a', 'a']);
    await messages.end(notStarted('later'));
    expect(outcomes).toEqual(['a failed send_refused']);
    expect(store.sends.findById('a')?.tries).toBe(3);
  });

  test('fails at once if it never can, and does not block its lane', async () => {
    const { messages, outcomes, send } = await world();
    send('a');
    send('b');
    await messages.end(notStarted('never'));
    expect(outcomes).toEqual(['a failed send_refused']);
    expect(messages.texts).toEqual(['a', 'b']);
  });

  test('fails without a start if Messages has no such conversation', async () => {
    const { messages, outcomes, send } = await world();
    messages.forms = [];
    send('a');
    expect(messages.started).toHaveLength(0);
    expect(outcomes).toEqual(['a failed send_refused']);
  });

  test('or is too long fails with the limit named', async () => {
    const { store, messages, outcomes, send } = await world();
    send('a', { text: 'x'.repeat(101) });
    expect(messages.started).toHaveLength(0);
    expect(outcomes).toEqual(['a failed text_too_long']);
    expect(store.sends.findById('a')?.error).toContain('100 characters');
  });
});

describe('a text with an unknown outcome', () => {
  test('is never sent again by the agent', async () => {
    const { clock, messages, outcomes, send } = await world();
    send('a');
    await messages.end({ kind: 'unknown', message: 'error -1712' });
    clock.advance(600_000);
    expect(messages.texts).toEqual(['a']);
    expect(outcomes).toEqual(['a unknown']);
  });
});

describe('after a crash in the middle of a send', () => {
  async function diedWhileSending(dispatched: boolean) {
    const clock = new FakeClock();
    const store = temporaryStore(clock, temporaryDirectory());
    const before = await world({ clock, store });
    before.send('a');
    const tag = before.messages.started[0]?.tag ?? '';
    const messages = new FakeMessages();
    if (dispatched) messages.dispatchedBeforeDeath.add(tag);
    return { clock, store, messages };
  }

  test('a text that was never dispatched is sent again', async () => {
    const { clock, store, messages } = await diedWhileSending(false);
    const { outcomes } = await world({ clock, store, messages });
    expect(messages.texts).toEqual(['a']);
    await messages.succeed();
    expect(outcomes).toEqual(['a sent']);
  });

  test('a text that was dispatched is looked for in chat.db, not sent again', async () => {
    const { clock, store, messages } = await diedWhileSending(true);
    messages.addRow(ANN, 'a');
    const { outcomes } = await world({ clock, store, messages });
    clock.advance(0);
    expect(messages.texts).toEqual([]);
    expect(store.sends.findById('a')?.state).toBe('sent');
    expect(outcomes).toEqual(['a sent']);
  });

  test('a text that was dispatched and has no row is unknown', async () => {
    const { clock, store, messages } = await diedWhileSending(true);
    const { outcomes } = await world({ clock, store, messages });
    clock.advance(10_001);
    expect(messages.texts).toEqual([]);
    expect(outcomes).toEqual(['a unknown']);
  });
});

describe('when the wall clock is set', () => {
  test('a lane is not blocked for a day by a clock that was set back, nor a wait cut short by one set ahead', async () => {
    const { clock, messages, outcomes, send } = await world();
    send('a');
    await messages.end({ kind: 'accepted' });
    clock.jumpWall(-86_400_000);
    clock.advance(10_001);
    expect(outcomes).toEqual(['a unknown']);
    send('b');
    await messages.end({ kind: 'accepted' });
    clock.jumpWall(365 * 86_400_000);
    clock.advance(5_000);
    expect(outcomes).toEqual(['a unknown']);
  });

  test('a retry is not delayed by it', async () => {
    const { clock, messages, send } = await world();
    send('a');
    await messages.end(notStarted('later'));
    clock.jumpWall(-86_400_000);
    clock.advance(2_001);
    expect(messages.texts).toEqual(['a', 'a']);
  });
});

describe('a ghost row', () => {
  test('is a failure once the row of the text should have come, not before', async () => {
    const { clock, messages, outgoing, outcomes, send } = await world();
    send('a');
    messages.addGhost(ANN);
    await messages.end({ kind: 'accepted' });
    expect(outcomes).toEqual([]);
    clock.advance(10_001);
    outgoing.chatChanged();
    expect(outcomes).toEqual(['a failed not_delivered']);
  });
});

describe('outgoing.on_unknown: resend', () => {
  test('sends a text with an unknown outcome once more, after its row was looked for to the end', async () => {
    const { clock, messages, outcomes, send } = await world({ resendUnknown: true });
    send('a');
    await messages.end({ kind: 'unknown', message: 'killed' });
    clock.advance(170_000);
    expect(messages.texts).toEqual(['a']);
    clock.advance(20_000);
    expect(messages.texts).toEqual(['a', 'a']);
    await messages.end({ kind: 'unknown', message: 'killed' });
    clock.advance(400_000);
    expect(messages.texts).toEqual(['a', 'a']);
    expect(outcomes).toEqual(['a unknown', 'a unknown']);
  });
});

test('a text whose end cannot be stored is unknown and set aside; its conversation and the others continue', async () => {
  const { store, messages, outgoing, send } = await world();
  outgoing.onOutcome(({ id }) => {
    if (id === 'odd') throw new TypeError('no words for this');
  });
  send('odd');
  await messages.end({ kind: 'accepted' });
  send('fine', { conversation: BOB, threadId: BOB });
  await messages.end({ kind: 'accepted' });
  send('next');
  messages.addRow(ANN, 'odd');
  messages.addRow(BOB, 'fine');
  outgoing.chatChanged();
  const states = ['odd', 'fine', 'next'].map((id) => store.sends.findById(id)?.state);
  expect(states).toEqual(['unknown', 'sent', 'attempting']);
  expect(store.setAside.recent(9)).toMatchObject([{ kind: 'text', key: 'odd' }]);
});

test('a text whose failure cannot be stored when its attempt ends is unknown and set aside, and the next one is sent', async () => {
  const { store, messages, outgoing, send } = await world();
  outgoing.onOutcome(({ id }) => {
    if (id === 'odd') throw new TypeError('no words for this');
  });
  send('odd');
  send('next');
  await messages.end({ kind: 'notStarted', errorCode: 'send_refused', message: 'no', retry: 'never' });
  expect(['odd', 'next'].map((id) => store.sends.findById(id)?.state)).toEqual(['unknown', 'attempting']);
  expect(store.setAside.recent(9)).toMatchObject([{ kind: 'text', key: 'odd' }]);
});

test('a text whose processing throws as its turn comes is set aside, and affects neither the write in which it came nor the end of another', async () => {
  const { clock, store, messages, outgoing, send } = await world();
  outgoing.onOutcome(({ id }) => {
    if (id.startsWith('odd')) throw new TypeError('no words for this');
  });
  const states = (...ids: string[]) => ids.map((id) => store.sends.findById(id)?.state);
  const { forms } = messages;
  messages.forms = [];
  expect(() => send('odd')).toThrow('no words for this');
  // What came in that write is enqueued again, each alone.
  send('odd');
  messages.forms = forms;
  send('fine', { conversation: BOB, threadId: BOB });
  clock.advance(0);
  expect(states('odd', 'fine')).toEqual(['unknown', 'attempting']);
  send('odd too');
  messages.forms = [];
  await messages.end({ kind: 'accepted' });
  messages.forms = forms;
  clock.advance(0);
  expect(states('odd too', 'fine')).toEqual(['unknown', 'confirming']);
  expect(store.setAside.recent(9).map(({ key }) => key)).toEqual(['odd too', 'odd']);
  send('next');
  expect(states('next')).toEqual(['attempting']);
});

test('a text that is to be set aside while the disk is full is tried every two seconds, and not in between', async () => {
  const { clock, store, messages, outgoing, send } = await world();
  let tries = 0;
  outgoing.onOutcome(() => {
    tries += 1;
    if (tries === 1) throw new TypeError('no words for this');
    if (tries < 50) throw Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' });
  });
  messages.forms = [];
  expect(() => send('odd')).toThrow('no words for this');
  send('odd');
  clock.advance(9_000);
  expect(tries).toBe(6);
  clock.advance(100_000);
  expect(store.sends.findById('odd')?.state).toBe('unknown');
});

test('no timer is left of an agent that stopped while its ledger could not be read', async () => {
  const { clock, store, messages, outgoing, send } = await world();
  const fault = (code: string) => Object.assign(new Error(code), { code });
  outgoing.onOutcome(() => {
    throw new TypeError('no words for this');
  });
  messages.forms = [];
  store.sends.lanes = () => {
    throw fault('SQLITE_IOERR_READ');
  };
  expect(() => send('odd')).toThrow('no words for this');
  outgoing.stop();
  expect(clock.pending).toBe(0);
});

test('a text was handed over although its report throws: its end is stored once, and the next one is sent', async () => {
  const { store, messages, outgoing, send } = await world();
  const told: string[] = [];
  outgoing.onOutcome(({ id }, { kind }) => void told.push(`${id} ${kind}`));
  outgoing.onStarted(({ id }) => {
    if (id === 'odd') throw Object.assign(new Error('a read failed'), { code: 'SQLITE_IOERR_READ' });
  });
  for (const id of ['before', 'odd', 'behind']) send(id);
  for (let text = 0; text < 3; text++) await messages.succeed();
  expect(messages.texts).toEqual(['before', 'odd', 'behind']);
  expect(told).toEqual(['before sent', 'odd sent', 'behind sent']);
  expect(store.sends.attempting()).toEqual([]);
});

test('where the ledger cannot be read just after a failed write, the waiting texts are still sent', async () => {
  const { clock, store, messages, send } = await world();
  send('a');
  send('b');
  const lanes = store.sends.lanes.bind(store.sends);
  store.sends.lanes = () => {
    store.sends.lanes = lanes;
    throw Object.assign(new Error('a read failed'), { code: 'SQLITE_IOERR_READ' });
  };
  const refused = Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' });
  expect(
    store.tryWrite(() => {
      throw refused;
    }),
  ).toBe(false);
  await messages.succeed();
  clock.advance(2_000);
  expect(messages.texts).toEqual(['a', 'b']);
});

test('a new text is sent after those that wait, also where the ledger could not be read after a failed write', async () => {
  const { clock, store, messages, send } = await world();
  send('elsewhere', { conversation: BOB, threadId: BOB });
  send('a');
  const lanes = store.sends.lanes.bind(store.sends);
  store.sends.lanes = () => {
    store.sends.lanes = lanes;
    throw Object.assign(new Error('a read failed'), { code: 'SQLITE_IOERR_READ' });
  };
  const refused = Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' });
  store.tryWrite(() => {
    throw refused;
  });
  send('b');
  await messages.succeed(BOB);
  await messages.succeed();
  clock.advance(2_000);
  await messages.succeed();
  expect(messages.texts).toEqual(['elsewhere', 'a', 'b']);
});

test('a text whose write failed is not sent by the next write, also if memory could not be reloaded', async () => {
  const { clock, store, messages, outgoing, send } = await world();
  send('elsewhere', { conversation: BOB, threadId: BOB });
  const since = store.newRecipients.since.bind(store.newRecipients);
  store.newRecipients.since = () => {
    store.newRecipients.since = since;
    throw Object.assign(new Error('a read failed'), { code: 'SQLITE_IOERR_READ' });
  };
  const request = { id: 'lost', conversation: ANN, threadId: ANN, text: 'lost', pauseMs: 0 };
  store.tryWrite(() => {
    outgoing.enqueue({ ...request, role: 'message', priority: 2 });
    throw Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' });
  });
  await messages.succeed(BOB);
  send('b');
  await messages.succeed();
  clock.advance(2_000);
  expect(messages.texts).toEqual(['elsewhere', 'b']);
});

test('a text that is set aside takes its duplicates along, and each of their requests gets its end', async () => {
  const { store, messages, outgoing, send } = await world();
  const ended: string[] = [];
  outgoing.onEnded(({ commandId, parts }) => ended.push(`${commandId} ${parts[0]?.outcome.kind}`));
  outgoing.onOutcome(({ text }) => {
    if (text === 'one sec') throw new TypeError('no words for this');
  });
  const repeat = { text: 'one sec', role: 'reflex', answers: 'guid-1' } as const;
  send('reply', { text: 'one sec', role: 'first', answers: 'guid-1' });
  for (const commandId of ['c1', 'c2']) send(commandId, { ...repeat, commandId });
  expect(store.sends.findById('c1')?.state).toBe('waiting');
  await messages.end({ kind: 'accepted' });
  messages.addRow(ANN, 'one sec');
  outgoing.chatChanged();
  expect(['reply', 'c1', 'c2'].map((id) => store.sends.findById(id)?.state)).toEqual([
    'unknown',
    'unknown',
    'unknown',
  ]);
  expect(ended.filter((end) => end.startsWith('c'))).toEqual(['c1 unknown', 'c2 unknown']);
  send('next');
  expect(messages.texts).toEqual(['one sec', 'next']);
});
