import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ackBody } from '../../src/backend/protocol.js';
import { FakeBackend } from '../support/FakeBackend.js';
import { makeBackend, type Running } from '../support/startBackend.js';

describe('acks in flight', () => {
  let fake: FakeBackend;
  let running: Running | undefined;

  beforeEach(async () => {
    fake = await FakeBackend.start();
  });
  afterEach(async () => {
    await running?.stop();
    running = undefined;
    await fake.stop();
  });

  const begin = (overrides: Parameters<typeof makeBackend>[1] = {}) => {
    running = makeBackend(fake, overrides);
    running.backend.start();
    return running;
  };
  const online = (made: Running) =>
    fake.until(() => made.backend.view().state === 'online', 'the link to be online');
  const add = (made: Running, id: string, revision = 1) =>
    made.store.write(() => made.store.acks.add(ackBody({ commandId: id, error: null, at: 0, revision })));
  const acked = (body: Record<string, unknown>) => body.command_id;
  const cleared = (made: Running, left = 0) =>
    fake.until(() => made.store.acks.count() === left, `${left} acks left`);

  test('are sent on the socket at once and cleared by the pong to a ping sent after them', async () => {
    const made = begin();
    await online(made);
    add(made, 'cmd_1');
    add(made, 'cmd_2');
    await fake.until(() => fake.framesOf('command_ack').length === 2, 'both acks');
    expect(made.store.acks.count()).toBe(2);
    await cleared(made);
    expect(fake.framesOf('command_ack').map((frame) => acked(frame.data as Record<string, unknown>))).toEqual(
      ['cmd_1', 'cmd_2'],
    );
    expect(fake.callsTo('/edge/command/ack')).toHaveLength(0);
    expect(fake.frames.at(-1)).toEqual({ type: 'ping' });
  });

  test('are not cleared by unsolicited pongs', async () => {
    const made = begin({
      timings: {
        link: { hurryMs: 5_000, pingIntervalMs: 60_000, wsPingIntervalMs: 60_000 },
        ackOverdueMs: 60_000,
      },
    });
    await online(made);
    await fake.until(() => made.backend.view().lastPongAt !== null, 'the proving pong');
    add(made, 'cmd_1');
    await fake.until(() => fake.framesOf('command_ack').length === 1, 'the ack');
    for (let i = 0; i < 5; i++) fake.pushRaw('{"type":"pong"}');
    fake.push({ command_id: 'marker', command_type: 'list_scheduled' });
    await fake.until(() => made.received.length === 1, 'the frame after the pongs');
    expect(made.store.acks.count()).toBe(1);
  });

  test('are sent again on the next socket when the first closed before their pong', async () => {
    const made = begin({ timings: { link: { wsPingIntervalMs: 60_000 }, ackOverdueMs: 60_000 } });
    await online(made);
    fake.answerPings(false);
    add(made, 'cmd_1');
    await fake.until(() => fake.framesOf('command_ack').length === 1, 'the first sending');
    fake.on('/edge/command/ack', () => new Promise(() => undefined));
    fake.drop();
    fake.answerPings(true);
    await fake.until(() => fake.framesOf('command_ack').length === 2, 'the second sending');
    await cleared(made);
  });

  test('are sent by HTTP too when no pong comes on a live socket', async () => {
    const made = begin({ timings: { link: { pongTimeoutMs: 60_000, suspicionMs: 10 } } });
    await online(made);
    fake.on('/edge/command/ack', { body: { ok: true } });
    fake.answerPings(false);
    add(made, 'cmd_1');
    await fake.until(() => fake.callsTo('/edge/command/ack').length === 1, 'the post');
    await cleared(made);
    expect(fake.callsTo('/edge/command/ack')[0]?.body).toMatchObject({
      command_id: 'cmd_1',
      status: 'completed',
      success: true,
      revision: 1,
    });
    expect(made.backend.view().state).toBe('online');
  });

  test('are sent by HTTP, in order, while there is no socket; only a 2xx with JSON clears them', async () => {
    fake.refuse(503);
    let times = 0;
    fake.on('/edge/command/ack', () => {
      times += 1;
      if (times === 1) return { status: 200, body: '<html>captive portal</html>' };
      return { body: { ok: true } };
    });
    const made = begin();
    await fake.until(() => made.backend.view().state === 'waiting', 'the refusal');
    add(made, 'cmd_1', 1);
    add(made, 'cmd_1', 2);
    await cleared(made);
    expect(fake.callsTo('/edge/command/ack').map((call) => call.body.revision)).toEqual([1, 1, 2]);
  });

  test('fall back to /edge/ack_command, and to the sync where neither exists', async () => {
    fake.refuse(503);
    fake.on('/edge/ack_command', { body: {} });
    const made = begin();
    add(made, 'cmd_1');
    await cleared(made);
    expect(fake.callsTo('/edge/command/ack')).toHaveLength(1);
    add(made, 'cmd_2');
    await cleared(made);
    expect(fake.callsTo('/edge/command/ack')).toHaveLength(1);
    fake.on('/edge/ack_command', { status: 404 });
    let carried: unknown;
    fake.on('/edge/sync', (call) => {
      const [ack] = call.body.command_acks as Record<string, unknown>[];
      if (!ack) return { body: {} };
      if (carried === undefined) {
        carried = ack;
        return { body: { commands: [] } };
      }
      return { body: { ack_commands: [ack.command_id] } };
    });
    add(made, 'cmd_3');
    await cleared(made);
    expect(carried).toMatchObject({ command_id: 'cmd_3' });
  });

  test('do not block one another when the backend refuses one', async () => {
    fake.refuse(503);
    fake.on('/edge/command/ack', (call) =>
      call.body.command_id === 'cmd_bad' ? { status: 422 } : { body: {} },
    );
    const made = begin();
    add(made, 'cmd_bad');
    add(made, 'cmd_good');
    await fake.until(() => fake.callsTo('/edge/command/ack').length >= 2, 'both posts');
    await cleared(made, 1);
    expect(made.store.acks.after(0, 10).map((ack) => ack.commandId)).toEqual(['cmd_bad']);
  });

  test.each([
    ['a 500', () => ({ status: 500 })],
    ['no answer', () => new Promise<never>(() => undefined)],
    ['an empty answer', () => ({ body: null })],
  ])(
    'do not block one another when one always gets %s',
    async (_, wrong) => {
      fake.refuse(503);
      fake.on('/edge/command/ack', (call) => (call.body.command_id === 'cmd_bad' ? wrong() : { body: {} }));
      const made = begin({ settings: { requestTimeoutSeconds: 0.2 } });
      add(made, 'cmd_bad');
      add(made, 'cmd_good');
      add(made, 'cmd_better');
      await fake.until(() => made.store.acks.count() === 1, 'the others to be read');
      expect(made.store.acks.after(0, 10).map((ack) => ack.commandId)).toEqual(['cmd_bad']);
      expect(fake.callsTo('/edge/command/ack').map((call) => call.body.command_id)).toEqual([
        ...['cmd_bad', 'cmd_bad', 'cmd_bad'],
        ...['cmd_good', 'cmd_better'],
      ]);
    },
    40_000,
  );

  test('that the backend refuses are listed among the problems until it accepts them', async () => {
    fake.refuse(503);
    let isFixed = false;
    fake.on('/edge/command/ack', () => (isFixed ? { body: {} } : { status: 422 }));
    const made = begin();
    add(made, 'cmd_bad');
    const problems = () => made.backend.view().problems.map(({ code }) => code);
    await fake.until(() => problems().includes('delivery_refused'), 'the problem');
    expect(made.backend.view().problems.find(({ code }) => code === 'delivery_refused')?.message).toBe(
      'The backend does not accept 1 ack (ack of cmd_bad: HTTP 422). Everything else continues.',
    );
    isFixed = true;
    made.backend.kick('a test');
    await cleared(made);
    expect(problems()).not.toContain('delivery_refused');
  });

  test('that fail while others are read keep their wait although they are queued again', async () => {
    fake.refuse(503);
    fake.on('/edge/command/ack', (call) =>
      call.body.command_id === 'cmd_bad' ? { status: 500 } : { body: {} },
    );
    const made = begin();
    add(made, 'cmd_bad');
    const posts = () => fake.callsTo('/edge/command/ack').map((call) => call.body.command_id);
    for (let times = 1; times <= 3; times += 1) {
      await fake.until(() => posts().length >= times, 'a post');
      const [bad] = made.store.acks.after(0, 1);
      if (bad !== undefined) made.store.write(() => made.store.acks.addAgain(bad.body));
    }
    add(made, 'cmd_good');
    await fake.until(() => made.backend.view().refusedAcks.count === 1, 'the refused one');
    expect(posts()).toContain('cmd_good');
  });

  test('that are superseded by a later one that was read are not sent after it', async () => {
    fake.refuse(503);
    fake.on('/edge/command/ack', (call) =>
      call.body.command_id === 'cmd_1' && call.body.revision === 1 ? { status: 422 } : { body: {} },
    );
    const made = begin();
    add(made, 'cmd_1', 1);
    add(made, 'cmd_1', 2);
    add(made, 'cmd_2', 1);
    await cleared(made);
    expect(
      fake.callsTo('/edge/command/ack').map((call) => [call.body.command_id, call.body.revision]),
    ).toEqual([
      ['cmd_1', 1],
      ['cmd_1', 2],
      ['cmd_2', 1],
    ]);
  });

  test('that the socket delivered are not blamed for their failures by HTTP', async () => {
    fake.refuse(503);
    fake.on('/edge/command/ack', () => ({ status: 500 }));
    const made = begin();
    add(made, 'cmd_1');
    await fake.until(() => fake.callsTo('/edge/command/ack').length === 3, 'three posts');
    fake.refuse(null);
    await cleared(made);
    fake.refuse(503);
    fake.drop();
    await fake.until(() => made.backend.view().state !== 'online', 'the socket to be gone');
    fake.on('/edge/command/ack', { body: {} });
    add(made, 'cmd_2');
    await cleared(made);
    expect(made.lines.filter((line) => line.includes('does not accept'))).toEqual([]);
  });

  test('stay in order, and all arrive, after the endpoint was down for all', async () => {
    fake.refuse(503);
    let times = 0;
    fake.on('/edge/command/ack', () => {
      times += 1;
      return times <= 4 ? { status: 502 } : { body: {} };
    });
    const made = begin();
    add(made, 'cmd_1', 1);
    add(made, 'cmd_1', 2);
    await fake.until(() => made.store.acks.count() === 0, 'both acks');
    expect(fake.callsTo('/edge/command/ack').map((call) => call.body.revision)).toEqual([1, 1, 1, 1, 1, 2]);
  });

  test('are sent in windows when there are very many, and all arrive', async () => {
    running = makeBackend(fake, { timings: { ackOverdueMs: 60_000 } });
    const made = running;
    made.store.write(() => {
      for (let i = 0; i < 3_500; i++)
        made.store.acks.add(ackBody({ commandId: `cmd_${i}`, error: null, at: 0, revision: 1 }));
    });
    made.backend.start();
    await fake.until(() => fake.framesOf('command_ack').length === 3_500, 'all acks');
    await cleared(made);
    expect(fake.framesOf('command_ack').length).toBe(3_500);
  });

  test('events are sent as frames to a backend that accepts them, and are cleared by the pong rule', async () => {
    fake.greetWith({ type: 'connected', data: { accepts: ['event'] } });
    const made = begin();
    await online(made);
    await fake.until(() => fake.callsTo('/edge/sync').length === 1, 'the catch-up');
    made.store.write(() => made.store.events.add({ eventType: 'message_sent', details: { a: 1 } }));
    await fake.until(() => fake.framesOf('event').length === 1, 'the event');
    await fake.until(() => made.store.events.count() === 0, 'the event to be cleared');
    expect(fake.framesOf('event')[0]?.data).toMatchObject({ event_type: 'message_sent', details: { a: 1 } });
    expect(
      fake.callsTo('/edge/sync').every((call) => (call.body.pending_events as unknown[]).length === 0),
    ).toBe(true);
  });
});
