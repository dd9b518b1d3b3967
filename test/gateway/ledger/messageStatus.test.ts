import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Knowledge,
  learn,
  type MessageEvidence,
  NOTHING_KNOWN,
  statusOf,
  takesBack,
} from '../../../src/gateway/ledger/messageStatus.js';

type AckEvidence = Extract<MessageEvidence, { kind: 'ack' }>;
type EventEvidence = Extract<MessageEvidence, { kind: 'event' }>;

const ack = (revision: number, at: number, more: Partial<AckEvidence> = {}): AckEvidence => ({
  kind: 'ack',
  revision,
  at,
  status: 'completed',
  error: null,
  result: { outcome: 'sent', retry_safe: false, message_guid: 'G1', service: 'iMessage' },
  ...more,
});
const failedAck = (revision: number, at: number, result: Record<string, unknown>, error: string) =>
  ack(revision, at, { status: 'failed', error, result });
const event = (eventType: string, at: number, details: Record<string, unknown> = {}): EventEvidence => ({
  kind: 'event',
  eventId: `evt_${eventType}_${at}`,
  eventType,
  at,
  details: { message_guid: 'G1', ...details },
});
const standing = (...evidence: MessageEvidence[]) => statusOf(evidence.reduce(learn, NOTHING_KNOWN));

describe('the status of a message', () => {
  test('is unknown at first', () => {
    expect(standing()).toMatchObject({ status: 'queued', at: null, evidence: { kind: 'request' } });
  });

  test('is not sent by an ack that only stores a scheduled text', () => {
    const stored = ack(1, 10, { result: { schedule_id: 'sched_1' } });
    expect(standing(stored)).toMatchObject({ status: 'accepted', evidence: { kind: 'ack', revision: 1 } });
    expect(standing(stored, ack(2, 90))).toMatchObject({ status: 'sent', at: 90 });
  });

  test('passes from sent to delivered and read, each with its time and evidence', () => {
    expect(standing(ack(1, 10))).toMatchObject({ status: 'sent', guid: 'G1', service: 'iMessage' });
    expect(standing(ack(1, 10), event('message_delivered', 12))).toMatchObject({
      status: 'delivered',
      at: 12,
      evidence: { kind: 'event', event_type: 'message_delivered' },
    });
    const all = [ack(1, 10), event('message_delivered', 12), event('message_read', 20)] as const;
    expect(standing(...all)).toMatchObject({ status: 'read', at: 20, outcome: 'sent', retrySafe: null });
  });

  test('is unknown after an unknown outcome, and not failed', () => {
    const unknown = failedAck(1, 10, { outcome: 'unknown', retry_safe: false }, 'outcome_unknown: killed');
    expect(standing(unknown)).toMatchObject({
      status: 'unknown',
      code: 'outcome_unknown',
      error: 'killed',
      retrySafe: false,
    });
    expect(standing(unknown, ack(2, 60))).toMatchObject({ status: 'sent', evidence: { revision: 2 } });
    expect(standing(unknown, event('message_delivered', 11))).toMatchObject({ status: 'delivered' });
  });

  test('is failed for a text found undelivered later, although it was acked as sent', () => {
    const later = event('message_failed', 90, {
      outcome: 'not_sent',
      code: 'not_delivered',
      error: 'Messages reported error 22',
      retry_safe: false,
    });
    expect(standing(ack(1, 10), later)).toMatchObject({
      status: 'failed',
      code: 'not_delivered',
      retrySafe: false,
    });
    const again = event('message_sent', 200, { service: 'SMS', late: true });
    expect(standing(ack(1, 10), later, again)).toMatchObject({ status: 'sent', service: 'SMS', code: null });
    expect(standing(ack(1, 10), later, event('message_delivered', 300))).toMatchObject({
      status: 'delivered',
    });
  });

  test('names the service of a text that became an SMS', () => {
    expect(
      standing(ack(1, 10), event('message_sent', 40, { service: 'SMS', downgraded: true })),
    ).toMatchObject({
      status: 'sent',
      service: 'SMS',
    });
  });

  test('is not changed by an ack of a lower or equal revision', () => {
    const second = failedAck(2, 5, { outcome: 'not_sent', retry_safe: true }, 'send_refused: no');
    expect(standing(second, ack(1, 90), ack(2, 90))).toMatchObject({ status: 'failed', retrySafe: true });
  });

  test('is failed for a command that the agent refuses, which is not safe to repeat as it is', () => {
    const refused = ack(1, 5, { status: 'failed', error: 'invalid_payload: payload.text', result: {} });
    expect(standing(refused)).toMatchObject({ status: 'failed', code: 'invalid_payload', outcome: null });
  });

  test('is cancelled for a scheduled text that was cancelled, by whichever side', () => {
    const stored = ack(1, 10, { result: { schedule_id: 'sched_1' } });
    const gone = ack(2, 20, { status: 'failed', error: 'cancelled by cmd_3', result: {} });
    expect(standing(stored, gone)).toMatchObject({ status: 'cancelled', error: 'cancelled by cmd_3' });
    expect(standing(stored, event('schedule_cancelled', 20))).toMatchObject({ status: 'cancelled' });
  });

  test('is delivered only once all of several parts are', () => {
    const parts = [{ message_guid: 'G1' }, { message_guid: 'G2' }];
    const sent = ack(1, 10, { result: { outcome: 'sent', message_guid: 'G1', parts } });
    const one = event('message_delivered', 12);
    const other = event('message_delivered', 14, { message_guid: 'G2' });
    expect(standing(sent, one)).toMatchObject({ status: 'sent' });
    expect(standing(sent, one, other)).toMatchObject({ status: 'delivered', at: 14 });
    expect(standing(sent, other, event('message_read', 20))).toMatchObject({ status: 'delivered' });
  });

  test('does not hide, for one part that was sent, that another was not', () => {
    const partly = failedAck(
      1,
      10,
      { outcome: 'partly_sent', retry_safe: false, parts: [{ message_guid: 'G1' }] },
      'attachment_unavailable: gone',
    );
    expect(standing(partly, event('message_sent', 11))).toMatchObject({
      status: 'failed',
      outcome: 'partly_sent',
    });
  });

  test('ignores fields of another type than documented', () => {
    const odd = ack(1, 5, { result: { outcome: 7, parts: 'x', message_guid: {}, duplicate_of: [] } });
    expect(standing(odd)).toMatchObject({ status: 'accepted', guid: null });
  });
});

const arbitrary = fc.oneof(
  fc
    .tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 4 }))
    .map(
      ([revision, at, kind]) =>
        [
          ack(revision, at),
          failedAck(revision, at, { outcome: 'unknown', retry_safe: false }, 'outcome_unknown: x'),
          failedAck(revision, at, { outcome: 'not_sent', retry_safe: true }, 'send_refused: x'),
          ack(revision, at, { result: { schedule_id: 's' } }),
          ack(revision, at, { result: { parts: [{ message_guid: 'G1' }, { message_guid: 'G2' }] } }),
        ][kind] ?? ack(revision, at),
    ),
  fc
    .tuple(
      fc.constantFrom(
        'message_sent',
        'message_failed',
        'message_delivered',
        'message_read',
        'schedule_cancelled',
      ),
      fc.integer({ min: 0, max: 50 }),
      fc.constantFrom('G1', 'G2'),
    )
    .map(
      ([type, at, guid]): EventEvidence => ({
        ...event(type, at, { message_guid: guid }),
        eventId: `evt_${type}_${at}_${guid}`,
      }),
    ),
);

/** One ack of each revision, as an agent sends them; of equal ones the first to arrive counts. */
const evidence = fc
  .array(arbitrary, { maxLength: 12 })
  .map((all) =>
    all.filter(
      (one, index) =>
        one.kind !== 'ack' ||
        !all.slice(0, index).some((before) => before.kind === 'ack' && before.revision === one.revision),
    ),
  );

describe('whatever an agent reports', () => {
  test('the status does not depend on the order in which it arrived', () => {
    fc.assert(
      fc.property(evidence, fc.infiniteStream(fc.nat()), (all, order) => {
        const shuffled = all
          .map((one) => [order.next().value ?? 0, one] as const)
          .sort(([a], [b]) => a - b)
          .map(([, one]) => one);
        expect(standing(...shuffled)).toEqual(standing(...all));
      }),
      { numRuns: 2_000 },
    );
  });

  test('what arrives twice changes nothing', () => {
    fc.assert(
      fc.property(evidence, (all) => {
        const known = all.reduce<Knowledge>(learn, NOTHING_KNOWN);
        for (const one of all) expect(learn(known, one)).toBe(known);
      }),
      { numRuns: 1_000 },
    );
  });

  test('no text of a removed agent stays open, and none that it was given is safe to repeat', () => {
    fc.assert(
      fc.property(evidence, fc.boolean(), (all, wasReached) => {
        const removed = standing(...all, { kind: 'removal', at: 60, wasReached });
        expect(['queued', 'accepted']).not.toContain(removed.status);
        if (all.length > 0 || wasReached)
          expect(removed.retrySafe === true && removed.code === 'agent_removed').toBe(false);
      }),
      { numRuns: 2_000 },
    );
  });

  test('a text whose command cannot be read is unknown unless the agent reported its end, and never safe to repeat for that', () => {
    fc.assert(
      fc.property(evidence, fc.option(fc.boolean()), (all, wasReached) => {
        const damage = { kind: 'damage', at: 60 } as const;
        const removal = wasReached === null ? [] : [{ kind: 'removal', at: 70, wasReached } as const];
        const before = standing(...all);
        const after = standing(...all, damage, ...removal);
        expect(standing(...removal, damage, ...all)).toEqual(after);
        const isOpen = before.status === 'queued' || before.status === 'accepted';
        if (isOpen)
          expect(after).toMatchObject({ status: 'unknown', code: 'item_set_aside', retrySafe: false });
        else expect(after).toEqual(before);
      }),
      { numRuns: 2_000 },
    );
  });

  test('a message is never called sent that was only reported as failed, nor failed that was only sent', () => {
    fc.assert(
      fc.property(evidence, (all) => {
        const { status } = standing(...all);
        const says = (kinds: readonly string[]) =>
          all.some((one) => {
            const single = standing(one).status;
            return kinds.includes(single);
          });
        if (status === 'sent') expect(says(['sent'])).toBe(true);
        if (status === 'failed') expect(says(['failed'])).toBe(true);
        if (status === 'unknown') expect(says(['unknown'])).toBe(true);
        if (status === 'read') expect(says(['read'])).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });
});

test('only what was certain is taken back', () => {
  expect(takesBack('sent', 'delivered')).toBe(false);
  expect(takesBack('unknown', 'sent')).toBe(false);
  expect(takesBack('queued', 'failed')).toBe(false);
  expect(takesBack('delivered', 'failed')).toBe(true);
  expect(takesBack('failed', 'sent')).toBe(true);
});
