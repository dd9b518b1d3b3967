import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Clock, systemClock } from '../../src/system/clock.js';
import { FakeBackend } from '../support/FakeBackend.js';
import { AGENT_ID, makeBackend, PATIENT, type Running } from '../support/startBackend.js';

describe('the poller', () => {
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
  const polling = (overrides: Parameters<typeof makeBackend>[1] = {}) =>
    begin({ ...overrides, settings: { websocketEnabled: false, ...overrides.settings } });
  const online = (made: Running) =>
    fake.until(() => made.backend.view().state === 'online', 'the link to be online');
  const syncs = () => fake.callsTo('/edge/sync');

  test('never has two polls in flight', async () => {
    let inFlight = 0;
    let most = 0;
    fake.on('/edge/sync', async () => {
      inFlight += 1;
      most = Math.max(most, inFlight);
      await new Promise((resolve) => setTimeout(resolve, 60));
      inFlight -= 1;
      return { body: {} };
    });
    const made = polling({ settings: { syncIntervalSeconds: 0.01 } });
    for (let i = 0; i < 5; i++) {
      await fake.until(() => syncs().length > i, 'a poll');
      made.backend.kick('test');
    }
    expect(most).toBe(1);
  });

  test('asks a backend without syncs when the socket is up, and not again for each waiting event', async () => {
    fake.on('/edge/sync', { status: 404 });
    const made = begin();
    await online(made);
    await fake.until(() => syncs().length > 0, 'the sync of the new socket');
    const pings = () => fake.framesOf('ping').length;
    const untilPinged = (from: number) => fake.until(() => pings() > from + 4, 'five pings more');
    await untilPinged(pings());
    const before = syncs().length;
    made.store.write(() => made.store.events.add({ eventType: 'message_sent', details: {} }));
    // Each ping is further off than an event would wait for its sync.
    await untilPinged(pings());
    expect(syncs().length).toBe(before);
    fake.socket.terminate();
    await fake.until(() => syncs().length > before, 'a sync when there is no socket');
    expect(made.backend.view().problems.map(({ code }) => code)).not.toContain('sync_failing');
  });

  test('carries events, acks and status, and clears only what the reply lists', async () => {
    fake.on('/edge/command/ack', { status: 404 });
    running = makeBackend(fake, { settings: { websocketEnabled: false } });
    const made = running;
    made.store.write(() => {
      made.store.events.add({ eventType: 'message_sent', threadId: '+1', details: {} });
      made.store.events.add({ eventType: 'message_read', details: {} });
    });
    const [first, second] = made.store.events.after(0, 10);
    let times = 0;
    fake.on('/edge/sync', () => {
      times += 1;
      return { body: times === 1 ? {} : { ack_events: [first?.eventId] } };
    });
    made.backend.start();
    await fake.until(() => syncs().length === 3, 'three polls');
    const listed = syncs().map((call) =>
      (call.body.pending_events as { event_id: string }[]).map((event) => event.event_id),
    );
    expect(listed).toEqual([
      [first?.eventId, second?.eventId],
      [first?.eventId, second?.eventId],
      [second?.eventId],
    ]);
    expect(syncs()[0]?.body).toMatchObject({
      edge_agent_id: AGENT_ID,
      last_command_id: null,
      command_acks: [],
      status: { active_rules: 0, version: '0.1.0' },
    });
  });

  test('stores commands before it moves last_command_id, and not if they cannot be stored', async () => {
    fake.on('/edge/sync', {
      body: { commands: [{ command_id: 'cmd_1', command_type: 'list_scheduled' }, { no: 'id' }] },
    });
    running = makeBackend(fake, { settings: { websocketEnabled: false, syncIntervalSeconds: 0.03 } });
    const made = running;
    made.inbox.broken = true;
    made.backend.start();
    await fake.until(() => syncs().length === 2, 'two failing polls');
    expect(syncs()[1]?.body.last_command_id).toBeNull();
    made.inbox.broken = false;
    await fake.until(() => made.received.length >= 1, 'the command');
    const so_far = syncs().length;
    await fake.until(() => syncs().length > so_far, 'another poll');
    expect(syncs().at(-1)?.body.last_command_id).toBe('cmd_1');
  });

  test('backs off while polls fail, says so once, and recovers', async () => {
    fake.on('/edge/sync', { status: 502, body: '<html>bad gateway</html>' });
    const waits: number[] = [];
    const clock: Clock = {
      now: () => systemClock.now(),
      monotonic: () => systemClock.monotonic(),
      after(ms, run) {
        waits.push(ms);
        return systemClock.after(ms, run);
      },
    };
    const made = polling({ settings: { syncIntervalSeconds: 0.02 }, options: { clock } });
    await fake.until(() => syncs().length === 5, 'five failures');
    // Of 20 ms, doubled with each failure: 320 after the fourth.
    expect(waits.filter((ms) => ms > 160 && ms <= 320)).toHaveLength(1);
    expect(made.lines.filter((line) => line.startsWith('[WARN] HTTP polling failed'))).toHaveLength(1);
    expect(made.backend.view().problems.map((one) => one.code)).toEqual(['backend_unreachable']);
    fake.on('/edge/sync', { body: {} });
    await fake.until(() => made.lines.includes('[INFO] HTTP polling works again'), 'the recovery');
    expect(made.backend.view().problems).toEqual([]);
  });

  test('makes no request but the catch-up sync beside a live socket', async () => {
    const made = begin({ settings: { syncIntervalSeconds: 0.02 } });
    await online(made);
    await fake.until(() => fake.framesOf('ping').length >= 3, 'a while');
    expect(syncs()).toHaveLength(1);
  });

  test('repeats the catch-up until one succeeds', async () => {
    fake.on('/edge/sync', { status: 500 });
    const made = begin({ settings: { syncIntervalSeconds: 0.03 } });
    await online(made);
    await fake.until(() => syncs().length === 2, 'two failures');
    fake.on('/edge/sync', { body: { commands: [{ command_id: 'cmd_s', command_type: 'list_scheduled' }] } });
    await fake.until(() => made.received.length === 1, 'the stranded command');
    const count = syncs().length;
    await fake.until(() => fake.framesOf('ping').length >= 3, 'a while');
    expect(syncs()).toHaveLength(count);
  });

  test('sends waiting events beside a live socket, no more often than allowed, and stops when there are none', async () => {
    const made = begin();
    await online(made);
    await fake.until(() => syncs().length === 1, 'the catch-up');
    fake.on('/edge/sync', (call) => {
      const events = call.body.pending_events as { event_id: string }[];
      return { body: { ack_events: syncs().length >= 3 ? events.map((event) => event.event_id) : [] } };
    });
    const added = performance.now();
    made.store.write(() => made.store.events.add({ eventType: 'message_sent', details: {} }));
    await fake.until(() => syncs().length === 3, 'two syncs with the event');
    // Counted from before the second, which may arrive late.
    expect((syncs()[2]?.at ?? 0) - added).toBeGreaterThanOrEqual(95);
    await fake.until(() => fake.framesOf('ping').length >= 3, 'a while');
    expect(syncs()).toHaveLength(3);
    expect(made.store.events.count()).toBe(0);
  });

  test('finds by a safety sync that the backend lost the agent, warns and reconnects', async () => {
    const made = begin({ settings: { safetySyncSeconds: 0.1 }, timings: PATIENT });
    await online(made);
    await fake.until(() => syncs().length === 1, 'the catch-up');
    fake.on('/edge/sync', {
      body: { commands: [{ command_id: 'cmd_held', command_type: 'list_scheduled' }] },
    });
    await fake.until(() => fake.handshakes.length === 2, 'the redial');
    expect(made.lines.some((line) => line.startsWith('[WARN] The backend held back commands'))).toBe(true);
    // That the old one has ended may be seen late; in the end there is one.
    expect(fake.mostOpen).toBeLessThanOrEqual(2);
    await fake.until(() => fake.sockets.size === 1, 'one socket alone');
  });

  test('does not reconnect for a command that came by the socket as well', async () => {
    const made = begin({ settings: { safetySyncSeconds: 0.1 }, timings: PATIENT });
    await online(made);
    await fake.until(() => syncs().length === 1, 'the catch-up');
    fake.push({ command_id: 'cmd_both', command_type: 'list_scheduled' });
    await fake.until(() => made.received.length === 1, 'the push');
    fake.on('/edge/sync', {
      body: { commands: [{ command_id: 'cmd_both', command_type: 'list_scheduled' }] },
    });
    const enough = performance.now() + 2_500;
    await fake.until(() => performance.now() > enough && syncs().length > 5, 'longer than the grace');
    expect(fake.handshakes).toHaveLength(1);
  });

  test('does not reconnect for pushed commands that could not be stored at first', async () => {
    const made = begin({ settings: { safetySyncSeconds: 0.1 }, timings: PATIENT });
    await online(made);
    await fake.until(() => syncs().length === 1, 'the catch-up');
    made.inbox.broken = true;
    fake.push({ command_id: 'cmd_full', command_type: 'list_scheduled' });
    await fake.until(
      () => made.lines.some((line) => line.includes('Could not store commands')),
      'the failed push',
    );
    made.inbox.broken = false;
    fake.on('/edge/sync', {
      body: { commands: [{ command_id: 'cmd_full', command_type: 'list_scheduled' }] },
    });
    await fake.until(() => made.received.length >= 1, 'the command by the sync');
    const enough = performance.now() + 2_500;
    await fake.until(() => performance.now() > enough, 'longer than the grace');
    expect(fake.handshakes).toHaveLength(1);
  });

  test('passes config_updates on', async () => {
    fake.on('/edge/sync', { body: { config_updates: { backend: { sync_interval_seconds: 5 } } } });
    const made = polling();
    await fake.until(() => made.updates.length >= 1, 'the settings');
    expect(made.updates[0]).toEqual({ backend: { sync_interval_seconds: 5 } });
  });
});
