import { describe, expect, test } from 'vitest';
import type { TextRequest } from '../../src/model/sending.js';
import { FakeClock } from '../support/FakeClock.js';
import { FakeMessages } from '../support/FakeMessages.js';
import { outgoingOn } from '../support/outgoingOn.js';
import { queuedText } from '../support/queuedText.js';
import { temporaryStore } from '../support/temporaryStore.js';

const ANN = '+13105551234';

const TEXT: TextRequest = {
  id: 'a',
  conversation: ANN,
  threadId: ANN,
  text: 'a',
  role: 'message',
  priority: 2,
  pauseMs: 0,
};

async function sentText() {
  const clock = new FakeClock();
  const store = temporaryStore(clock);
  const messages = new FakeMessages();
  const told: string[] = [];
  const outcomes: string[] = [];
  const open = async () => {
    const outgoing = outgoingOn(store, messages, clock);
    outgoing.onOutcome((send, outcome) => {
      const late = outcome.kind === 'sent' && outcome.late ? ' late' : '';
      outcomes.push(`${send.id} ${outcome.kind}${late}`);
    });
    outgoing.onDelivery((send, event) => told.push(`${send.id} ${event.kind}`));
    await outgoing.start();
    return outgoing;
  };
  const outgoing = await open();
  store.write(() => outgoing.enqueue(TEXT));
  await messages.succeed();
  const row = messages.rows[0];
  if (row === undefined) throw new Error('no row');
  return { clock, store, messages, told, outcomes, row, outgoing, open };
}

describe('the later states of a sent text', () => {
  test('delivered and read are each reported once, in order, even if both are seen at one look', async () => {
    const { told, row, outgoing } = await sentText();
    Object.assign(row, { isDelivered: true });
    outgoing.chatChanged();
    outgoing.chatChanged();
    expect(told).toEqual(['a delivered']);
    Object.assign(row, { isRead: true });
    outgoing.chatChanged();
    expect(told).toEqual(['a delivered', 'a read']);
  });

  test('an error that comes after the text was sent is reported as a failure', async () => {
    const { told, row, outgoing } = await sentText();
    Object.assign(row, { error: 22 });
    outgoing.chatChanged();
    outgoing.chatChanged();
    expect(told).toEqual(['a failed']);
  });

  test('a text that failed and is then sent by SMS is reported as that, over a restart too', async () => {
    const { told, row, outgoing, open } = await sentText();
    Object.assign(row, { error: 22 });
    outgoing.chatChanged();
    outgoing.stop();
    const again = await open();
    Object.assign(row, { error: 0, wasDowngraded: true, service: 'SMS' });
    again.chatChanged();
    expect(told).toEqual(['a failed', 'a downgraded']);
  });

  test('also where the row had the failure from the start, which is reported once', async () => {
    const { clock, messages, store, outgoing, told } = await sentText();
    store.write(() => outgoing.enqueue({ ...TEXT, id: 'b', text: 'b' }));
    await messages.succeed(ANN, 22);
    clock.advance(10_001);
    expect(store.sends.findById('b')).toMatchObject({ state: 'failed', errorCode: 'not_delivered' });
    outgoing.chatChanged();
    expect(told).toEqual([]);
    Object.assign(messages.rows[1] ?? {}, { error: 0, wasDowngraded: true });
    outgoing.chatChanged();
    expect(told).toEqual(['b downgraded']);
  });

  test('a text that was reported as failed and is sent later is reported as sent, late, once, over a restart too', async () => {
    const { clock, messages, store, outgoing, open, outcomes } = await sentText();
    store.write(() => outgoing.enqueue({ ...TEXT, id: 'b', text: 'b' }));
    await messages.succeed(ANN, 22);
    clock.advance(10_001);
    const row = messages.rows[1] ?? {};
    Object.assign(row, { error: 0 });
    outgoing.chatChanged();
    expect(outcomes.splice(0)).toEqual(['a sent', 'b failed']);
    outgoing.stop();
    const again = await open();
    Object.assign(row, { wasDowngraded: true, service: 'SMS' });
    again.chatChanged();
    again.chatChanged();
    expect(outcomes).toEqual(['b sent late']);
    expect(store.sends.findById('b')).toMatchObject({ state: 'sent', service: 'SMS', guid: 'row-2' });
  });

  test('a second failure, after the text was reported as sent late, is reported once', async () => {
    const { clock, messages, store, outgoing, told, outcomes } = await sentText();
    store.write(() => outgoing.enqueue({ ...TEXT, id: 'b', text: 'b' }));
    await messages.succeed(ANN, 22);
    clock.advance(10_001);
    const row = messages.rows[1] ?? {};
    Object.assign(row, { error: 0, wasDowngraded: true, service: 'SMS' });
    outgoing.chatChanged();
    expect(outcomes).toEqual(['a sent', 'b failed', 'b sent late']);
    Object.assign(row, { error: 4, isSent: false });
    outgoing.chatChanged();
    outgoing.chatChanged();
    expect(told).toEqual(['b downgraded', 'b failed']);
    expect(store.sends.findById('b')?.lifeUntil).not.toBeNull();
  });

  test('a second failure of a text that failed after it was sent, and became an SMS, is reported too', async () => {
    const { told, row, outgoing } = await sentText();
    for (const change of [
      { error: 22 },
      { wasDowngraded: true },
      { error: 0, isDelivered: true },
      { error: 4 },
    ]) {
      Object.assign(row, change);
      outgoing.chatChanged();
      outgoing.chatChanged();
    }
    expect(told).toEqual(['a failed', 'a downgraded', 'a delivered', 'a failed']);
  });

  test('the parts behind one that failed by its row do not claim that row', async () => {
    const { clock, messages, store, outgoing, outcomes } = await sentText();
    const files = [{ path: '/tmp/menu.pdf', name: 'menu.pdf' }];
    store.write(() => outgoing.enqueue({ ...TEXT, id: 'b', text: 'b', files }));
    clock.advance(1_000);
    await messages.succeed(ANN, 22);
    clock.advance(10_001);
    expect(outcomes).toEqual(['a sent', 'b:1 failed', 'b:2 failed']);
    expect(store.sends.findById('b:2')?.guid).toBeNull();
  });

  test('a text that became an SMS is reported', async () => {
    const { told, row, outgoing } = await sentText();
    Object.assign(row, { wasDowngraded: true, service: 'SMS' });
    outgoing.chatChanged();
    expect(told).toEqual(['a downgraded']);
  });

  test('a receipt hours later is found by the round once a minute, not after 48 hours', async () => {
    const { clock, told, row, outgoing } = await sentText();
    clock.advance(3600_000);
    Object.assign(row, { isDelivered: true });
    outgoing.chatChanged();
    expect(told).toEqual([]);
    clock.advance(60_000);
    expect(told).toEqual(['a delivered']);
    clock.advance(48 * 3600_000);
    Object.assign(row, { isRead: true });
    outgoing.chatChanged();
    clock.advance(120_000);
    outgoing.chatChanged();
    clock.advance(120_000);
    expect(told.filter((line) => line === 'a read').length).toBeLessThanOrEqual(1);
  });

  test('continues after a restart, and nothing is reported twice', async () => {
    const { clock, told, row, outgoing, open } = await sentText();
    Object.assign(row, { isDelivered: true });
    outgoing.chatChanged();
    outgoing.stop();
    const again = await open();
    Object.assign(row, { isRead: true });
    again.chatChanged();
    clock.advance(120_000);
    expect(told).toEqual(['a delivered', 'a read']);
  });
});

test('a text whose later state cannot be reported is set aside, and those beside it are reported', async () => {
  const { store, messages, told, outgoing } = await sentText();
  store.write(() => outgoing.enqueue({ ...TEXT, id: 'b', text: 'b' }));
  await messages.succeed();
  outgoing.onDelivery(({ id }) => {
    if (id === 'a') throw new TypeError('no words for this');
  });
  for (const row of messages.rows) Object.assign(row, { isDelivered: true });
  for (let look = 0; look < 2; look++) outgoing.chatChanged();
  expect(told.filter((step) => step.startsWith('b'))).toEqual(['b delivered']);
  expect(store.setAside.recent(9)).toMatchObject([{ kind: 'text', key: 'a' }]);
});

test('an error in the report, and in setting it aside, stops no later look', async () => {
  const { store, told, row, outgoing } = await sentText();
  let isOdd = true;
  const trip = () => {
    if (isOdd) throw new TypeError('no words for this');
  };
  outgoing.onDelivery(trip);
  store.setAside.note = trip;
  Object.assign(row, { isDelivered: true });
  outgoing.chatChanged();
  isOdd = false;
  told.length = 0;
  outgoing.chatChanged();
  expect(told).toEqual(['a delivered']);
});

describe('however many texts are followed', () => {
  /** So many texts that were sent a moment ago, with their rows. */
  async function followed(count: number) {
    const world = await sentText();
    const { store, messages, clock } = world;
    store.write(() => {
      for (let number = 1; number <= count; number++) {
        messages.addRow(ANN, `text ${number}`);
        const known = { id: `t${number}`, conversation: ANN, text: `text ${number}` };
        const send = store.sends.add(queuedText({ ...known, state: 'failed' }));
        const guid = messages.rows.at(-1)?.guid ?? null;
        store.sends.settle(send?.seq ?? 0, { state: 'sent', guid });
        store.sends.setReported(send?.seq ?? 0, 0, clock.now() + 48 * 3600_000);
      }
    });
    const rowOf = (text: string) => messages.rows.find((row) => row.text === text) ?? {};
    return { ...world, rowOf };
  }

  test('beyond the first 200 a receipt is reported at the change too, not at the round once a minute', async () => {
    const { clock, told, outgoing, rowOf } = await followed(450);
    for (const text of ['text 1', 'text 250', 'text 450']) Object.assign(rowOf(text), { isDelivered: true });
    outgoing.chatChanged();
    clock.advance(1);
    expect(told).toEqual(['t1 delivered', 't250 delivered', 't450 delivered']);
  });

  test('the round once a minute finds all of them too, and those of which chat.db showed nothing then', async () => {
    const { clock, told, outgoing, messages, rowOf } = await followed(450);
    clock.advance(3600_000);
    Object.assign(rowOf('text 450'), { isRead: true });
    messages.readable = false;
    outgoing.chatChanged();
    clock.advance(60_000);
    messages.readable = true;
    clock.advance(60_001);
    expect(told).toEqual(['t450 delivered', 't450 read']);
  });

  test('a machine that has no time for the agent delays a receipt by no more than a second', async () => {
    const { clock, told, outgoing, messages, rowOf } = await followed(1);
    const compare = messages.statesOf.bind(messages);
    messages.statesOf = (guids) => {
      clock.advance(5_000);
      return compare(guids);
    };
    outgoing.chatChanged();
    Object.assign(rowOf('text 1'), { isDelivered: true });
    outgoing.chatChanged();
    clock.advance(1_000);
    expect(told).toEqual(['t1 delivered']);
  });

  test('comparing them takes a twentieth of the time, however often chat.db changes, and no change is missed', async () => {
    const { clock, told, outgoing, messages, rowOf } = await followed(10);
    const compare = messages.statesOf.bind(messages);
    messages.statesOf = (guids) => {
      clock.advance(5);
      return compare(guids);
    };
    messages.statesAsked = 0;
    for (let change = 0; change < 10; change++) outgoing.chatChanged();
    Object.assign(rowOf('text 7'), { isDelivered: true });
    outgoing.chatChanged();
    expect([messages.statesAsked, told]).toEqual([11, []]);
    clock.advance(94);
    expect(messages.statesAsked).toBe(11);
    clock.advance(1);
    expect([messages.statesAsked, told]).toEqual([22, ['t7 delivered']]);
    clock.advance(10_000);
    expect(messages.statesAsked).toBe(22);
  });
});
