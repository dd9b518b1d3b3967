import { describe, expect, test } from 'vitest';
import { pairedConversation as conversation } from '../support/pairedConversation.js';

const ANN = '+13105551234';

describe('a reflex and the first bubble of its reply', () => {
  test('reflex sent first: the first bubble is skipped', async () => {
    const c = await conversation();
    c.post('m1');
    c.reflex('r1', 'one sec');
    await c.flow();
    c.reply('m1', 'one sec', 'found it');
    await c.flow();
    expect(c.messages.texts).toEqual(['one sec', 'found it']);
    expect(c.outcomes).toEqual({ r1: 'sent', 'm1:0': 'deduplicated', 'm1:1': 'sent' });
  });

  test('reply first: the late reflex is not sent', async () => {
    const c = await conversation();
    c.post('m1');
    c.reply('m1', 'one sec', 'found it');
    await c.flow();
    c.reflex('r1', 'one sec');
    await c.flow();
    expect(c.messages.texts).toEqual(['one sec', 'found it']);
    expect(c.outcomes.r1).toBe('deduplicated');
  });

  test('both at once: the second waits for the first and is dropped when it was sent', async () => {
    const c = await conversation();
    c.post('m1');
    c.reflex('r1', 'one sec');
    c.reply('m1', 'one  sec ', 'found it');
    expect(c.messages.texts).toEqual(['one sec']);
    await c.flow();
    expect(c.messages.texts).toEqual(['one sec', 'found it']);
  });

  test('the first failed: the second takes its place, before the later bubbles', async () => {
    const c = await conversation();
    c.post('m1');
    c.reflex('r1', 'one sec');
    c.reply('m1', 'one sec', 'found it');
    await c.endOne({ kind: 'notStarted', errorCode: 'send_refused', message: '', retry: 'never' });
    await c.flow();
    expect(c.messages.texts).toEqual(['one sec', 'one sec', 'found it']);
    expect(c.outcomes).toEqual({ r1: 'failed', 'm1:0': 'sent', 'm1:1': 'sent' });
  });

  test('the first failed by its row, which may still be sent by SMS: the waiting one fails with it', async () => {
    const c = await conversation();
    c.post('m1');
    c.reflex('r1', 'one sec');
    c.reply('m1', 'one sec', 'found it');
    await c.messages.succeed(ANN, 22);
    c.clock.advance(10_001);
    expect(c.messages.texts).toEqual(['one sec', 'found it']);
    expect(c.outcomes).toEqual({ r1: 'failed', 'm1:0': 'failed' });
    expect(c.failures['m1:0']).toEqual({
      ...c.failures.r1,
      duplicateOf: { commandId: 'r1', answers: null, guid: 'row-1' },
    });
    expect(c.failures['m1:0']).toMatchObject({ errorCode: 'not_delivered', guid: 'row-1' });
  });

  test('one that arrives after such a failure fails with it too, whichever of the two it is', async () => {
    const c = await conversation();
    c.post('m1');
    c.reflex('r1', 'one sec');
    await c.messages.succeed(ANN, 22);
    c.clock.advance(10_001);
    c.reply('m1', 'one sec');
    expect(c.failures['m1:0']).toEqual({
      ...c.failures.r1,
      duplicateOf: { commandId: 'r1', answers: null, guid: 'row-1' },
    });
    c.post('m2');
    c.reply('m2', 'ok');
    await c.messages.succeed(ANN, 22);
    c.clock.advance(10_001);
    c.reflex('r2', 'ok');
    expect(c.failures.r2).toMatchObject({ guid: 'row-2' });
    expect(c.messages.texts).toEqual(['one sec', 'ok']);
  });

  test('a text that failed by its row and is sent later corrects the failure of its duplicate', async () => {
    const c = await conversation();
    c.post('m1');
    c.reply('m1', 'one sec');
    c.reflex('r1', 'one sec');
    await c.messages.succeed(ANN, 22);
    c.clock.advance(10_001);
    expect(c.outcomes).toEqual({ 'm1:0': 'failed', r1: 'failed' });
    Object.assign(c.messages.rows[0] ?? {}, { error: 0, wasDowngraded: true, service: 'SMS' });
    c.clock.advance(60_000);
    expect(c.outcomes).toEqual({ 'm1:0': 'sent', r1: 'deduplicated' });
    expect(c.messages.texts).toEqual(['one sec']);
  });

  test('an unknown outcome counts as sent', async () => {
    const c = await conversation();
    c.post('m1');
    c.reflex('r1', 'one sec');
    c.reply('m1', 'one sec');
    await c.endOne({ kind: 'unknown', message: 'killed' });
    c.clock.advance(10_001);
    expect(c.messages.texts).toEqual(['one sec']);
    expect(c.outcomes).toEqual({ r1: 'unknown', 'm1:0': 'unknown' });
  });

  test('a first bubble that differs is sent', async () => {
    const c = await conversation();
    c.post('m1');
    c.reflex('r1', 'one sec');
    c.reply('m1', 'just a moment', 'found it');
    await c.flow();
    expect(c.messages.texts).toEqual(['one sec', 'just a moment', 'found it']);
  });

  test('the same text in answer to two messages is sent twice', async () => {
    const c = await conversation();
    for (const guid of ['m1', 'm2']) {
      c.post(guid);
      c.reflex(`r-${guid}`, 'ok');
      c.reply(guid, 'ok', `about ${guid}`);
      await c.flow();
    }
    expect(c.messages.texts).toEqual(['ok', 'about m1', 'ok', 'about m2']);
  });

  test('an older unmatched reflex does not swallow the bubble of a later message', async () => {
    const c = await conversation();
    c.reflex('r0', 'haha');
    await c.flow();
    c.post('m1');
    c.reply('m1', 'haha', 'more');
    await c.flow();
    expect(c.messages.texts).toEqual(['haha', 'haha', 'more']);
  });

  test('a reply that comes only after an outage still finds its reflex', async () => {
    const c = await conversation();
    c.post('m1');
    c.reflex('r1', 'one sec');
    await c.flow();
    c.clock.advance(3_600_000);
    c.post('m1');
    c.reply('m1', 'one sec', 'found it');
    await c.flow();
    expect(c.messages.texts).toEqual(['one sec', 'found it']);
  });

  test('a reflex that comes again while its message is posted again is a duplicate with the same text only', async () => {
    const c = await conversation();
    c.post('m1');
    c.reflex('r1', 'one sec');
    await c.flow();
    c.post('m1');
    c.reflex('again', 'one sec');
    c.reflex('other', 'gimme a moment');
    await c.flow();
    expect(c.outcomes).toEqual({ r1: 'sent', again: 'deduplicated', other: 'sent' });
    c.reply('m1', 'one sec', 'found it');
    await c.flow();
    expect(c.messages.texts).toEqual(['one sec', 'gimme a moment', 'found it']);
  });

  test('posts that cannot have been read cause no second reflex: the same text without a name is sent', async () => {
    const c = await conversation();
    for (const _ of [1, 2]) {
      c.post('m1');
      c.unread('m1');
    }
    c.post('m1');
    for (const id of ['r1', 'r2']) {
      c.reflex(id, 'one sec');
      await c.flow();
    }
    c.post('m1');
    c.unread('m1');
    c.reflex('r3', 'one sec');
    await c.flow();
    expect(c.messages.texts).toEqual(['one sec', 'one sec', 'one sec']);
  });

  test('a reflex for a second open message is no repetition while it has had none', async () => {
    const c = await conversation();
    c.post('m1');
    c.post('m2');
    c.reflex('r1', 'ok');
    await c.flow();
    c.post('m1');
    c.reflex('r2', 'ok');
    await c.flow();
    expect(c.messages.texts).toEqual(['ok', 'ok']);
  });

  test('a reflex that names its message is paired with that reply only', async () => {
    const c = await conversation();
    c.post('m1');
    c.post('m2');
    c.reflex('r2', 'ok', 'm2');
    await c.flow();
    c.reply('m1', 'ok');
    c.reply('m2', 'ok', 'done');
    await c.flow();
    expect(c.messages.texts).toEqual(['ok', 'ok', 'done']);
    expect(c.outcomes).toMatchObject({ 'm1:0': 'sent', 'm2:0': 'deduplicated' });
  });

  test('a late reflex is compared with first bubbles of the last ten minutes only', async () => {
    const c = await conversation();
    c.post('m1');
    c.reply('m1', 'ok');
    await c.flow();
    c.clock.advance(600_001);
    c.reflex('r1', 'ok');
    await c.flow();
    expect(c.messages.texts).toEqual(['ok', 'ok']);
  });

  test('a restart in between changes nothing', async () => {
    const c = await conversation();
    c.post('m1');
    c.reflex('r1', 'one sec');
    await c.flow();
    await c.restart();
    c.reply('m1', 'one sec', 'found it');
    await c.flow();
    await c.restart();
    c.reflex('r1', 'one sec');
    await c.flow();
    expect(c.messages.texts).toEqual(['one sec', 'found it']);
  });
});
