import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { cpuSeconds } from '../support/cpuSeconds.js';
import { EdgeWorld } from '../support/EdgeWorld.js';

const MESSAGES = '/edge/message';
const PEOPLE = 400;
const WATCHED_S = 10;

test('an outage costs almost nothing while 400 people wait, and then each is answered, in order', async (context) => {
  const world = await EdgeWorld.open(context, {
    persona: () => ({ bubbles: [], shouldRespond: false }),
  });
  const { backend, mac } = world;
  const daemon = await world.start();
  // The backend reads each post, and its answer never arrives.
  backend.loseReplies({ path: MESSAGES, times: Infinity });
  const people = Array.from({ length: PEOPLE }, (_, index) => `+1310${6660000 + index}`);
  for (const from of people) mac.chatDb.bulkReceive(2, { from });
  await daemon.statusUntil(({ snapshot }) => snapshot?.incoming_queued === 2 * PEOPLE);
  await backend.until(() => backend.messages.length >= 10);

  const before = { posts: backend.messages.length, cpu: cpuSeconds(daemon.pid) };
  await pause(WATCHED_S * 1_000);
  const posts = backend.messages.length - before.posts;
  const cpu = cpuSeconds(daemon.pid) - before.cpu;
  // Eight that were under way when it opened, then one at a time.
  expect(posts).toBeLessThan(8 + WATCHED_S);
  // It was all of a core; what is left is mostly what an agent costs right after its start.
  expect(cpu).toBeLessThan(0.15 * WATCHED_S);

  const { snapshot } = await daemon.status();
  expect(snapshot?.incoming_queued).toBe(2 * PEOPLE);
  expect(snapshot?.oldest.incoming_queued).not.toBeNull();

  backend.clearHttpFaults();
  await daemon.statusUntil(({ snapshot }) => snapshot?.incoming_queued === 0);
  const firsts = backend.messages.filter(({ repeat }) => !repeat).map(({ body }) => body);
  expect(firsts).toHaveLength(2 * PEOPLE);
  for (const from of people) {
    const places = firsts.filter(({ sender }) => sender === from).map(({ sequence }) => sequence);
    expect(places).toEqual([1, 2]);
  }
});
