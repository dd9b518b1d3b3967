import { expect, test } from 'vitest';
import { Retention } from '../../src/store/Retention.js';
import { FakeClock } from '../support/FakeClock.js';
import { temporaryStore } from '../support/temporaryStore.js';

const DAY = 86_400_000;

function ack(commandId: string) {
  return {
    command_id: commandId,
    status: 'completed' as const,
    success: true,
    error: null,
    completed_at: '',
    timestamp: '',
    revision: 1,
  };
}

test('a command keeps its id and last ack for 90 days, its content and undelivered acks for 7', () => {
  const clock = new FakeClock();
  const store = temporaryStore(clock);
  const retention = new Retention(store, clock);
  store.write(() => {
    store.commands.add({
      commandId: 'c',
      commandType: 't',
      body: '{"text":"hi"}',
      bodyHash: 'h',
      via: 'http',
    });
    store.commands.finish(ack('c'));
    store.acks.add(ack('c'));
    store.commands.add({ commandId: 'open', commandType: 't', body: '{}', bodyHash: 'h', via: 'http' });
  });
  clock.advance(7 * DAY + 1);
  expect(retention.prune()).toBeGreaterThan(0);
  expect(store.acks.count()).toBe(0);
  expect(store.commands.find('c')).toMatchObject({ state: 'done', ack: { command_id: 'c' } });
  clock.advance(83 * DAY + 1);
  retention.prune();
  expect(store.commands.find('c')).toBeUndefined();
  expect(store.commands.find('open')).toBeDefined();
  expect(retention.prune()).toBe(0);
});

test('forgetting goes on by itself in steps and ends with no timer left', () => {
  const clock = new FakeClock();
  const store = temporaryStore(clock);
  store.write(() => {
    for (let n = 0; n < 1200; n++) store.events.add({ eventType: 'message_failed', details: {} });
  });
  clock.advance(8 * DAY);
  const retention = new Retention(store, clock);
  retention.start();
  clock.advance(1000);
  expect(store.events.count()).toBe(0);
  retention.stop();
  expect(clock.pending).toBe(0);
});
