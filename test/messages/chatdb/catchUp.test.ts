import { expect, onTestFinished, test } from 'vitest';
import { IncomingReader } from '../../../src/messages/chatdb/IncomingReader.js';
import { MessagesWorld, OTHER, OWN, PERSON } from './messagesWorld.js';

/** How many messages each commit of a catch-up of 400 brings, where each takes so many ms. */
function batches(msEach: number): number[] {
  const world = new MessagesWorld();
  world.writer.receive({ from: OTHER, text: 'before', date: world.clock.now() });
  const sizes: number[] = [];
  let isWorking = false;
  const reader = new IncomingReader({
    chatDb: world.chatDb,
    store: world.newStore(),
    clock: world.clock,
    log: world.log,
    region: 'US',
    ownAddresses: () => new Set([OWN]),
    worthAnswering() {
      if (isWorking) world.clock.advance(msEach);
      return true;
    },
    onMessages: (messages) => void sizes.push(messages.length),
  });
  onTestFinished(() => reader.stop());
  reader.scan();
  world.writer.bulkReceive(400, { from: PERSON, endDate: world.clock.now() });
  isWorking = true;
  reader.scan();
  world.clock.advance(60_000);
  isWorking = false;
  return sizes;
}

test('a catch-up on a busy machine continues in batches that let other work in between', () => {
  const sizes = batches(2);
  expect(sizes[0]).toBe(200);
  expect(Math.max(...sizes.slice(1))).toBe(25);
  expect(sizes.reduce((sum, size) => sum + size)).toBe(400);
});

test('and elsewhere in large ones', () => {
  expect(batches(0)).toEqual([200, 200]);
});
