import { describe, expect, test } from 'vitest';
import { pairedConversation } from '../support/pairedConversation.js';

const ANN = '+13105551234';
const REFUSED = { kind: 'notStarted', errorCode: 'send_refused', message: '', retry: 'never' } as const;
const UNKNOWN = { kind: 'unknown', message: 'killed' } as const;
const ROW_EXPECTED = 10_001;
const ROW_WATCHED = 180_001;

type Conversation = Awaited<ReturnType<typeof pairedConversation>>;

/** A message with the reflex `r1`, whose outcome is unknown, and a reply that repeats its text. */
async function unknownReflex(options = {}): Promise<Conversation> {
  const c = await pairedConversation(options);
  c.post('m1');
  c.reply('m1', 'one sec');
  c.reflex('r1', 'one sec');
  await c.endOne(UNKNOWN);
  c.clock.advance(ROW_EXPECTED);
  return c;
}

/** The text on its way fails by a row that Messages may yet send. */
async function failByRow(c: Conversation): Promise<void> {
  await c.endByRow(22);
  c.clock.advance(ROW_EXPECTED);
}

function goOutBySms(c: Conversation, row = 0): void {
  Object.assign(c.messages.rows[row] ?? {}, { error: 0, wasDowngraded: true, service: 'SMS' });
  c.clock.advance(60_000);
}

describe('the end of a duplicate', () => {
  test('is unknown while that of the text in its place is: it is not acked as sent', async () => {
    const c = await unknownReflex();
    expect(c.acks.r1).toEqual([
      {
        outcome: 'unknown',
        retry_safe: false,
        deduplicated: true,
        duplicate_of: { bubble: 1, in_reply_to: 'm1' },
      },
    ]);
  });

  test('is corrected when the text of unknown outcome arrives late', async () => {
    const c = await unknownReflex();
    c.messages.addRow(ANN, 'one sec');
    c.clock.advance(60_000);
    c.look();
    expect(c.acks.r1?.at(-1)).toEqual({
      outcome: 'sent',
      retry_safe: false,
      late: true,
      deduplicated: true,
      duplicate_of: { bubble: 1, in_reply_to: 'm1', message_guid: 'row-1' },
    });
    expect(c.messages.texts).toEqual(['one sec']);
  });

  test('is corrected when the text of unknown outcome turns out to have failed by its row, and again when it is sent by SMS', async () => {
    const c = await unknownReflex();
    c.messages.addRow(ANN, 'one sec', 22);
    c.look();
    expect(c.acks.r1?.at(-1)).toMatchObject({
      outcome: 'not_sent',
      retry_safe: false,
      message_guid: 'row-1',
    });
    goOutBySms(c);
    expect(c.acks.r1?.at(-1)).toMatchObject({ outcome: 'sent', deduplicated: true });
    expect(c.acks.r1).toHaveLength(3);
    expect(c.messages.texts).toEqual(['one sec']);
  });

  test('stays unknown when a second attempt is refused: the first may have been sent', async () => {
    const c = await unknownReflex({ resendUnknown: true });
    c.clock.advance(ROW_WATCHED);
    expect(c.messages.texts).toEqual(['one sec', 'one sec']);
    await c.endOne(REFUSED);
    expect(c.outcomes).toEqual({ 'm1:0': 'unknown', r1: 'unknown' });
    await c.flow();
    expect(c.messages.texts).toHaveLength(2);
  });

  test('is corrected when a second attempt succeeds', async () => {
    const c = await unknownReflex({ resendUnknown: true });
    c.clock.advance(ROW_WATCHED);
    await c.flow();
    expect(c.outcomes).toEqual({ 'm1:0': 'sent', r1: 'deduplicated' });
  });

  test('waits, for one that arrives while a text of unknown outcome is sent again', async () => {
    const c = await pairedConversation({ resendUnknown: true });
    c.post('m1');
    c.reflex('r1', 'one sec');
    await c.endOne(UNKNOWN);
    c.clock.advance(ROW_EXPECTED);
    c.clock.advance(ROW_WATCHED);
    c.reply('m1', 'one sec', 'found it');
    expect(c.outcomes).toEqual({ r1: 'unknown' });
    await c.endOne(REFUSED);
    await c.flow();
    expect(c.messages.texts).toEqual(['one sec', 'one sec', 'found it']);
    expect(c.outcomes).toMatchObject({ r1: 'unknown', 'm1:0': 'unknown' });
  });

  test('names in its ack the text that was sent in its place', async () => {
    const c = await pairedConversation();
    c.post('m1');
    c.reflex('r1', 'one sec', 'm1');
    await c.flow();
    c.reflex('r2', 'one sec', 'm1');
    expect(c.acks.r2).toEqual([
      {
        outcome: 'sent',
        retry_safe: false,
        deduplicated: true,
        duplicate_of: { command_id: 'r1', in_reply_to: 'm1', message_guid: 'row-1' },
      },
    ]);
  });
});

describe('a text that failed by its row and may still be sent by SMS', () => {
  test('takes every duplicate along, waiting or later, and corrects all of it when it is sent', async () => {
    const c = await pairedConversation();
    c.post('m1');
    c.reflex('r1', 'one sec', 'm1');
    c.reflex('r2', 'one sec', 'm1');
    c.reply('m1', 'one sec');
    await failByRow(c);
    c.reflex('r3', 'one sec', 'm1');
    await c.restart();
    c.reflex('r4', 'one sec', 'm1');
    expect(Object.values(c.outcomes)).toEqual(Array(5).fill('failed'));
    goOutBySms(c);
    expect(c.outcomes).toEqual({
      r1: 'sent',
      r2: 'deduplicated',
      'm1:0': 'deduplicated',
      r3: 'deduplicated',
      r4: 'deduplicated',
    });
    c.reflex('r5', 'one sec', 'm1');
    expect(c.outcomes.r5).toBe('deduplicated');
    expect(c.messages.texts).toEqual(['one sec']);
  });

  test('holds back duplicates of itself only', async () => {
    const c = await pairedConversation();
    c.post('m1');
    c.reflex('r1', 'one sec', 'm1');
    await failByRow(c);
    c.reflex('r2', 'hold on', 'm1');
    await c.flow();
    c.reply('m1', 'looking', 'found it');
    await c.flow();
    expect(c.messages.texts).toEqual(['one sec', 'hold on', 'looking', 'found it']);
  });

  test('may be one that took the place of another: those that wait for it share its end', async () => {
    const c = await pairedConversation();
    c.post('m1');
    c.reflex('r1', 'one sec', 'm1');
    c.reflex('r2', 'one sec', 'm1');
    c.reply('m1', 'one sec', 'found it');
    await c.endOne(REFUSED);
    expect(c.messages.texts).toEqual(['one sec', 'one sec']);
    await failByRow(c);
    expect(c.outcomes).toMatchObject({ r1: 'failed', r2: 'failed', 'm1:0': 'failed' });
    expect(c.acks.r1).toMatchObject([{ outcome: 'not_sent', retry_safe: true }]);
    expect(c.acks.r2).toMatchObject([{ outcome: 'not_sent', retry_safe: false, message_guid: 'row-1' }]);
    goOutBySms(c);
    expect(c.outcomes).toMatchObject({ r1: 'failed', r2: 'sent', 'm1:0': 'deduplicated' });
    expect(c.messages.texts).toEqual(['one sec', 'one sec', 'found it']);
  });

  test('two that fail without a row one after the other let the third be sent', async () => {
    const c = await pairedConversation();
    c.post('m1');
    c.reflex('r1', 'one sec', 'm1');
    c.reflex('r2', 'one sec', 'm1');
    c.reply('m1', 'one sec', 'found it');
    await c.endOne(REFUSED);
    await c.endOne(REFUSED);
    await c.flow();
    expect(c.outcomes).toEqual({ r1: 'failed', r2: 'failed', 'm1:0': 'sent', 'm1:1': 'sent' });
    expect(c.messages.texts).toEqual(['one sec', 'one sec', 'one sec', 'found it']);
  });

  test('one that took the place of a text that failed is the counterpart of what comes later', async () => {
    const c = await pairedConversation();
    c.post('m1');
    c.reflex('r1', 'one sec');
    c.reply('m1', 'one sec');
    await c.endOne(REFUSED);
    await c.flow();
    c.reflex('r2', 'one sec');
    await c.flow();
    expect(c.outcomes).toEqual({ r1: 'failed', 'm1:0': 'sent', r2: 'deduplicated' });
  });
});

test('a message is recorded as begun to be answered with its reply, also where a reflex had sent its first bubble', async () => {
  const { post, reflex, reply, flow, answered } = await pairedConversation();
  post('m1');
  post('m2');
  reflex('r', 'one sec');
  await flow();
  expect([...answered]).toEqual([]);
  reply('m2', 'one sec');
  expect([...answered]).toEqual(['m2']);
  reply('m1', 'well');
  await flow();
  expect([...answered]).toEqual(['m2', 'm1']);
});

test('a reflex to a message that is not read yet loses nothing that is known of what was answered', async () => {
  const { reflex, flow, store } = await pairedConversation();
  let told = 0;
  store.lineage.onAnswer(() => {
    told += 1;
  });
  reflex('r', 'one sec', 'nobody-knows-it');
  await flow();
  expect(told).toBe(0);
});
