import { describe, expect, test } from 'vitest';
import { silent } from '../../src/kit/backend/persona.js';
import { EdgeWorld, PERSON } from '../support/EdgeWorld.js';

/** Everything that the backend was sent, as text. */
const sentTo = (world: EdgeWorld) => JSON.stringify([world.backend.messages, world.backend.journal.events]);

describe('on macOS 26, where only date_edited and the summary show that a message was unsent', {
  concurrent: true,
}, () => {
  test('a message unsent while the agent is down is never posted', async (context) => {
    const world = await EdgeWorld.open(context, { persona: silent, version: 26 });
    const { chatDb } = world.mac;
    const daemon = await world.start();
    await daemon.kill('SIGTERM');
    const oops = chatDb.receive({ from: PERSON, text: 'oops-secret' });
    const parts = chatDb.receive({ from: PERSON, text: 'stays and goes-secret' });
    chatDb.happenings.unsend(oops, Date.now(), 'summary');
    chatDb.happenings.unsendParts(parts, [1], { text: 'stays', original: 2 });
    chatDb.receive({ from: PERSON, text: 'the next one' });
    await world.start();
    await world.backend.until(() => world.backend.messages.length === 2);
    expect(world.backend.messages.map(({ body }) => body.filtered_text)).toEqual(['stays', 'the next one']);
    expect(sentTo(world)).not.toMatch(/secret/);
    expect(sentTo(world)).not.toContain(oops.guid);
  });

  test('a message unsent while it waits for a retry is no longer posted, and the next one is', async (context) => {
    const world = await EdgeWorld.open(context, { persona: silent, version: 26 });
    const { backend } = world;
    const { chatDb } = world.mac;
    const daemon = await world.start();
    backend.failHttp(503, Number.POSITIVE_INFINITY, { path: '/edge/message' });
    const oops = chatDb.receive({ from: PERSON, text: 'oops-secret' });
    await daemon.line('A message could not be delivered to the backend');
    chatDb.happenings.unsend(oops, Date.now(), 'summary');
    // What the backend may have read is reported as taken back; that it was noticed is what the test waits for.
    await backend.until(() =>
      backend.journal.events.some(({ body }) => body.event_type === 'message_unsent'),
    );
    backend.clearHttpFaults();
    chatDb.receive({ from: PERSON, text: 'the next one' });
    await backend.until(() => backend.messages.length > 0);
    expect(backend.messages.map(({ body }) => body.filtered_text)).toEqual(['the next one']);
    expect(sentTo(world)).not.toMatch(/secret/);
  });
});
