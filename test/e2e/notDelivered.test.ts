import { describe, expect, test } from 'vitest';
import { EdgeWorld } from '../support/EdgeWorld.js';

describe('a text that Messages reports as not delivered and then sends by SMS', { concurrent: true }, () => {
  test('within the time that its ack takes anyway, is sent, and nothing else is ever reported', async (context) => {
    const world = await EdgeWorld.open(context);
    world.behave({ kind: 'ok', row: { kind: 'downgraded', afterMs: 1_500 } });
    await world.start();
    const ack = await world.acked(world.command('by SMS'));
    expect(ack).toMatchObject({
      status: 'completed',
      revision: 1,
      result: { outcome: 'sent', confirmed: true, service: 'SMS' },
    });
  });

  test('later, is not safe to repeat, and a later ack reports it as sent', async (context) => {
    const world = await EdgeWorld.open(context, { settings: { 'forward.delivery': false } });
    world.behave({ kind: 'ok', row: { kind: 'downgraded', afterMs: 13_000 } });
    await world.start();
    const commandId = world.command('by SMS');
    expect(await world.acked(commandId)).toMatchObject({
      status: 'failed',
      error: expect.stringMatching(/^not_delivered/),
      result: { outcome: 'not_sent', retry_safe: false },
    });
    expect(await world.acked(commandId, 2)).toMatchObject({
      status: 'completed',
      result: { outcome: 'sent', retry_safe: false, service: 'SMS', late: true },
    });
    const told = () =>
      world.backend.journal.events.map(({ body }) => [body.event_type, body.details as object] as const);
    await world.backend.until(() => told().length === 3);
    expect(told()).toMatchObject([
      ['message_failed', { code: 'not_delivered', retry_safe: false }],
      ['message_sent', { service: 'SMS', late: true }],
      ['message_sent', { service: 'SMS', downgraded: true }],
    ]);
    expect(world.texts).toEqual(['by SMS']);
  });
});
