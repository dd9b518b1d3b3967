import { expect, test } from 'vitest';
import type { SendRecord } from '../../src/model/sending.js';
import { isToldOfLife, outcomeEvent } from '../../src/outgoing/outcomeEvents.js';
import { LIFE } from '../../src/store/sendRecord.js';

const send = (told = 0) => ({ told, conversation: '+13105551234', file: null }) as SendRecord;

test('a failure is safe to repeat only where Messages has no row of the text', () => {
  const failed = { kind: 'failed', errorCode: 'not_delivered', message: 'no' } as const;
  expect(outcomeEvent(send(), failed)?.details).toMatchObject({ retry_safe: true });
  expect(outcomeEvent(send(), { ...failed, guid: 'G' })?.details).toMatchObject({
    retry_safe: false,
    message_guid: 'G',
  });
});

test('what follows a failure is told though forward.delivery is off', () => {
  const downgraded = { kind: 'downgraded', service: 'SMS' } as const;
  expect(isToldOfLife(send(), downgraded, false)).toBe(false);
  expect(isToldOfLife(send(LIFE.failed), downgraded, false)).toBe(true);
  expect(isToldOfLife(send(LIFE.recovered), { kind: 'delivered' }, false)).toBe(true);
  expect(isToldOfLife(send(), { kind: 'failed', error: 22 }, false)).toBe(true);
});
