import { expect, test } from 'vitest';
import type { SendRecord } from '../../src/model/sending.js';
import { isReported, outcomeEvent, ownText, publishOutcomes } from '../../src/outgoing/outcomeEvents.js';
import { LIFE } from '../../src/store/sendRecord.js';
import { FakeClock } from '../support/FakeClock.js';
import { FakeMessages } from '../support/FakeMessages.js';
import { outgoingOn } from '../support/outgoingOn.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { temporaryStore } from '../support/temporaryStore.js';

const send = (reported = 0) => ({ reported, conversation: '+13105551234', file: null }) as SendRecord;

test('a failure is safe to repeat only where Messages has no row of the text', () => {
  const failed = { kind: 'failed', errorCode: 'not_delivered', message: 'no' } as const;
  expect(outcomeEvent(send(), failed)?.details).toMatchObject({ retry_safe: true });
  expect(outcomeEvent(send(), { ...failed, guid: 'G' })?.details).toMatchObject({
    retry_safe: false,
    message_guid: 'G',
  });
});

test('what follows a failure is reported though forward.delivery is off', () => {
  const downgraded = { kind: 'downgraded', service: 'SMS' } as const;
  expect(isReported(send(), downgraded, false)).toBe(false);
  expect(isReported(send(LIFE.failed), downgraded, false)).toBe(true);
  expect(isReported(send(LIFE.recovered), { kind: 'delivered' }, false)).toBe(true);
  expect(isReported(send(), { kind: 'failed', error: 22 }, false)).toBe(true);
});

test('a text to oneself, as in the selftest, counts in the status as evidence of sending, and the backend gets nothing about it', async () => {
  const [clock, log, messages] = [new FakeClock(), new RecordingLog(), new FakeMessages()];
  const store = temporaryStore(clock);
  const outgoing = outgoingOn(store, messages, clock, {}, { boot: 'this boot' });
  const activity = { sentAt: null, error: null, errorAt: null };
  const ends: string[] = [];
  publishOutcomes({
    ...{ outgoing, store, activity, clock, log, fileEnded: () => undefined, reportsDelivery: () => true },
    loops: { started: () => undefined, sent: () => undefined },
    ended: (_conversation, { kind }) => ends.push(kind),
  });
  await outgoing.start();
  const OWN = '+13105550100';
  const own = { address: OWN, conversation: OWN };
  store.write(() => outgoing.enqueue(ownText('selftest_1', 'edge-agent selftest', own)));
  await clock.advanceAsync(0);
  await messages.succeed(OWN);
  await clock.advanceAsync(0);
  expect(activity.sentAt).not.toBeNull();
  expect(ends).toEqual(['sent']);
  expect(store.events.count()).toBe(0);
});
