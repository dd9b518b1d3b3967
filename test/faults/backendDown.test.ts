import { describe, expect, test } from 'vitest';
import { isWorthAnswering } from '../../src/incoming/forwarding.js';
import { MessageDispatcher } from '../../src/incoming/MessageDispatcher.js';
import type { Persona } from '../../src/kit/backend/persona.js';
import type { PostResult } from '../../src/model/incoming.js';
import { EdgeWorld, PERSON } from '../support/EdgeWorld.js';
import { FakeClock } from '../support/FakeClock.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { temporaryStore } from '../support/temporaryStore.js';

const HOUR = 3600_000;
const DOWN: PostResult = { kind: 'retry', cause: 'network', detail: 'ECONNREFUSED' };
const DONE: PostResult = { kind: 'answered', body: { should_respond: false } };
const MESSAGES = '/edge/message';
const persona: Persona = ({ filtered_text }) => ({ bubbles: [`re: ${filtered_text}`] });

describe('a backend that is down for hours', () => {
  /** A desk whose backend answers at once: as `results` says, for every post. */
  function desk() {
    const clock = new FakeClock();
    const store = temporaryStore(clock);
    const world = { result: DOWN, delivered: [] as string[] };
    const forwarder = new MessageDispatcher({
      store,
      backend: {
        postMessage: async (_body, guid) => {
          if (world.result === DONE) world.delivered.push(guid);
          return world.result;
        },
      },
      replies: { enqueue: () => undefined },
      clock,
      random: () => 0.5,
      log: new RecordingLog(),
      worthAnswering: (sentAt) =>
        isWorthAnswering(sentAt, clock.now(), store.outages.since(sentAt), {
          maxAgeMs: 6 * HOUR,
          catchUpMs: 24 * HOUR,
        }),
      settings: () => ({ bubbleDelayMs: 0 }),
    });
    forwarder.start();
    const arrive = (guid: string, conversation: string) =>
      store.write(() =>
        store.incoming.add({
          ...{ guid, conversation, threadId: conversation, chatGuid: '', sender: conversation, text: 'hi' },
          ...{ rowId: 1, sentAt: clock.now(), isGroup: false, participants: [], service: 'iMessage' },
          ...{ replyToGuid: null, attachments: [] },
        }),
      );
    return { clock, store, world, arrive };
  }

  test('gets every message when it is back, in the order of each conversation, none twice', async () => {
    const { clock, store, world, arrive } = desk();
    const expected: Record<string, string[]> = { ann: [], bob: [], cal: [] };
    for (let hour = 0; hour < 4; hour++) {
      for (const person of Object.keys(expected)) {
        arrive(`${person}-${hour}`, person);
        expected[person]?.push(`${person}-${hour}`);
      }
      await clock.advanceAsync(HOUR);
    }
    world.result = DONE;
    await clock.advanceAsync(2 * 60_000);
    for (const [person, guids] of Object.entries(expected)) {
      expect(world.delivered.filter((guid) => guid.startsWith(person))).toEqual(guids);
    }
    expect(store.incoming.countOpen()).toBe(0);
  });

  test('is remembered as down even if the store did not take the first failure', async () => {
    const { clock, store, world, arrive } = desk();
    arrive('m', 'ann');
    const full = Object.assign(new Error('full'), { code: 'SQLITE_FULL' });
    const begin = store.outages.begin.bind(store.outages);
    store.outages.begin = () => {
      throw full;
    };
    await clock.advanceAsync(1_000);
    store.outages.begin = begin;
    await clock.advanceAsync(10 * HOUR);
    expect(store.outages.isOpen('backend')).toBe(true);
    world.result = DONE;
    await clock.advanceAsync(2 * 60_000);
    expect(world.delivered).toEqual(['m']);
  });
});

describe('a backend that does not accept messages', { concurrent: true }, () => {
  test('because it is being deployed (404) gets them later, in order, each once', async (context) => {
    const world = await EdgeWorld.open(context, { persona });
    await world.start();
    world.backend.failHttp(404, 2, { path: MESSAGES });
    await deliver(world, ['one', 'two', 'three']);
  });

  test('because its secret was rotated (401) gets them once .env is right', async (context) => {
    const world = await EdgeWorld.open(context, { persona });
    const daemon = await world.start();
    world.backend.rotateSecret('rotated-secret-77');
    world.mac.chatDb.receive({ from: PERSON, text: 'one' });
    await daemon.statusUntil(({ snapshot }) =>
      (snapshot?.problems ?? []).some(({ code }) => code === 'backend_unauthorised'),
    );
    world.writeSecret('rotated-secret-77');
    await deliver(world, ['two', 'three'], ['one', 'two', 'three']);
    await daemon.statusUntil(({ snapshot }) => snapshot?.state === 'healthy');
  });

  test('permanently (422) has them set aside: listed, posted again or dropped by the operator', async (context) => {
    const world = await EdgeWorld.open(context, { persona });
    const daemon = await world.start();
    world.backend.failHttp(422, 2, { path: MESSAGES });
    const poison = world.mac.chatDb.receive({ from: PERSON, text: 'poison' });
    await daemon.statusUntil(({ snapshot }) => snapshot?.incoming_parked === 1);
    const dropped = world.mac.chatDb.receive({ from: PERSON, text: 'never mind' });
    await daemon.statusUntil(({ snapshot }) => snapshot?.incoming_parked === 2);
    world.mac.chatDb.receive({ from: PERSON, text: 'not blocked' });
    await world.sent(1);

    const listed = await world.cli('queue', 'list', '--json');
    expect(JSON.parse(listed.stdout).parked).toMatchObject([
      { guid: poison.guid, error: expect.stringContaining('422') },
      { guid: dropped.guid },
    ]);
    expect(await world.cli('queue', 'drop', dropped.guid)).toMatchObject({ exitCode: 0 });
    expect(await world.cli('queue', 'retry', poison.guid)).toMatchObject({ exitCode: 0 });
    expect(await world.cli('queue', 'retry', 'no-such-guid')).toMatchObject({ exitCode: 1 });
    await world.sent(2);
    expect((await world.cli('queue', 'list')).stdout).toContain('Nothing is set aside.');
    expect(await daemon.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(world.texts).toEqual(['re: not blocked', 're: poison']);
  });
});

/** People write; each message is delivered once and answered once. */
async function deliver(world: EdgeWorld, texts: string[], expected = texts): Promise<void> {
  for (const text of texts) world.mac.chatDb.receive({ from: PERSON, text });
  await world.sent(expected.length);
  const brought = world.backend.messages.map(({ body }) => body.filtered_text);
  expect(brought.toSorted()).toEqual(expected.toSorted());
  expect(world.texts.toSorted()).toEqual(expected.map((text) => `re: ${text}`).toSorted());
}
