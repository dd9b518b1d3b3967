import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PROTOCOL_RULES } from '../../src/backend/linkTypes.js';
import { ackBody } from '../../src/backend/protocol.js';
import { systemClock } from '../../src/system/clock.js';
import { CountingClock } from '../support/CountingClock.js';
import { FakeBackend } from '../support/FakeBackend.js';
import { FakeClock } from '../support/FakeClock.js';
import { type MadeLink, makeLink } from '../support/makeLink.js';
import { FAST, makeBackend, type Running } from '../support/startBackend.js';

const RULES = { ...PROTOCOL_RULES, ...FAST.link };
/** Gives up no link that is only slow, as all are on a busy machine. */
const PATIENT = {
  ...{ dialFirstMs: 10_000, dialLongestMs: 10_000, provingMs: 10_000 },
  ...{ pingIntervalMs: 60_000, wsPingIntervalMs: 60_000 },
};

/** Bugs that users reported of other clients: bugs 1 to 17 of docs/facts.md. */
describe('a bug that other clients had', () => {
  let fake: FakeBackend;
  const running: Running[] = [];
  const unheard: unknown[] = [];
  const hear = (error: unknown) => unheard.push(error);

  beforeEach(async () => {
    process.on('unhandledRejection', hear);
    process.on('uncaughtException', hear);
    fake = await FakeBackend.start();
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((made) => made.stop()));
    await fake.stop();
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', hear);
    process.off('uncaughtException', hear);
    expect(unheard.splice(0)).toEqual([]);
  });

  const make = (overrides: Parameters<typeof makeBackend>[1] = {}) => {
    const made = makeBackend(fake, overrides);
    running.push(made);
    return made;
  };
  const begin = (overrides: Parameters<typeof makeBackend>[1] = {}) => {
    const made = make(overrides);
    made.backend.start();
    return made;
  };
  const online = (made: Running) =>
    fake.until(() => made.backend.view().state === 'online', 'the link to be online');
  const passed = (ms: number) => {
    const end = performance.now() + ms;
    return fake.until(() => performance.now() >= end, 'time to pass', ms + 2_000);
  };

  test('bug 1: an outage leaks sockets, because a forced close reconnects without a guard', async () => {
    const clock = new CountingClock();
    const made = begin({ timings: { link: { ...PATIENT, backoffMs: [2] } }, options: { clock } });
    const timers: number[] = [];
    for (let i = 1; i <= 60; i++) {
      await fake.until(
        () => made.backend.view().state === 'online' && fake.handshakes.length === i,
        `link ${i}`,
      );
      timers.push(clock.pending);
      // We give it up ourselves, every second time just as the peer cuts it.
      made.backend.redeliver('given up');
      if (i % 2 === 0) fake.drop();
      await fake.until(() => fake.handshakes.length > i, `dial ${i + 1}`);
    }
    expect(fake.mostOpen).toBeLessThanOrEqual(2);
    await fake.until(() => fake.sockets.size === 1, 'one socket');
    expect(Math.max(...timers)).toBeLessThan(12);
    await made.backend.drain(500);
    expect(clock.pending).toBe(0);
  });

  test.each(['/edge/register', '/edge/sync'])(
    'bug 2: a stop that races a failing request to %s leaves an unhandled rejection',
    async (path) => {
      fake.refuse(401);
      fake.on(path, { status: 500 });
      const made = begin();
      await fake.until(() => fake.callsTo(path).length >= 2, 'two failures');
      let answer: (reply: { status: number }) => void = () => undefined;
      const answered = new Promise<{ status: number }>((resolve) => {
        answer = resolve;
      });
      fake.on(path, () => answered);
      const calls = fake.callsTo(path).length;
      made.backend.credentialsChanged();
      await fake.until(() => fake.callsTo(path).length > calls, 'one in flight');
      const drained = made.backend.drain(500);
      answer({ status: 500 });
      await drained;
      expect(made.backend.view().state).toBe('stopped');
    },
  );

  test('bug 3: each handshake that is refused with 409 spawns another socket', async () => {
    fake.refuse(409);
    const made = begin();
    await fake.until(() => fake.handshakes.length === 5, 'five refused handshakes');
    fake.refuse(null);
    await online(made);
    const gaps = fake.handshakes.slice(1).map((one, i) => one.at - (fake.handshakes[i]?.at ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThan(15);
    expect(fake.sockets.size).toBe(1);
  });

  test('bug 4: an API error before the reconnect ends all reconnecting', async () => {
    fake.refuse(401);
    fake.on('/edge/register', { status: 500, body: 'oops' });
    const made = begin();
    await fake.until(() => fake.handshakes.length === 3, 'the slow retry');
    fake.refuse(null);
    made.backend.kick('test');
    await online(made);
  });

  test('bug 5: the late end of the old socket clears the new one', async () => {
    const made = begin();
    await online(made);
    const old = fake.socket;
    fake.freeze();
    await fake.until(() => fake.handshakes.length === 2, 'the next dial');
    await online(made);
    const { since } = made.backend.view();
    fake.thaw();
    old.terminate();
    await fake.until(() => !fake.sockets.has(old), 'the end of the old socket');
    fake.push({ command_id: 'cmd_new', command_type: 'list_scheduled' });
    await fake.until(() => made.received.length === 1, 'a command by the new socket');
    expect(made.received[0]?.via).toBe('websocket');
    expect(made.backend.view()).toMatchObject({ state: 'online', since });
    expect(fake.handshakes).toHaveLength(2);
  });

  test('bug 6: nothing is received for hours while the link shows connected', async () => {
    const made = begin();
    await online(made);
    await fake.until(() => made.backend.view().lastPongAt !== null, 'a pong');
    fake.freeze();
    // Writing works as ever: the kernel takes it.
    made.store.write(() => made.store.acks.add(ackBody({ commandId: 'c', error: null, at: 0, revision: 1 })));
    await fake.until(() => fake.handshakes.length === 2, 'a second handshake');
    await online(made);
    expect(made.backend.view().lastDisconnect?.cause).toBe('a ping was not answered');
    await fake.until(() => made.store.acks.count() === 0, 'the ack to be proven read by the next socket');
  });

  test('bug 7: a quiet link is taken for a dead one', async () => {
    const made = begin({ timings: { link: { ...PATIENT, pingIntervalMs: 100, pongTimeoutMs: 60_000 } } });
    await online(made);
    await fake.until(() => fake.framesOf('ping').length >= 5, 'many pings');
    expect(fake.handshakes).toHaveLength(1);
    expect(made.backend.view().state).toBe('online');
  });

  test('bug 8: giving up a socket that still connects raises an unhandled error', async () => {
    fake.hang();
    const made = begin({ timings: { link: { dialFirstMs: 40, dialLongestMs: 40, backoffMs: [5] } } });
    await fake.until(() => fake.handshakes.length >= 3, 'deadlines in the middle of the handshake');
    made.backend.wake();
    await fake.until(() => fake.handshakes.length >= 5, 'more of them');
    await fake.until(() => made.backend.view().state === 'dialing', 'one more handshake');
    await made.backend.drain(500);
    await passed(50);
    expect(made.backend.view().state).toBe('stopped');
    expect(made.lines).toContain(
      '[ERROR] WebSocket error: ["no answer to the handshake within its deadline"]',
    );
  });

  test('bug 12: one special close path reconnects without any wait', async () => {
    for (const code of [1000, 1001, 1008, 1011, 1012, 1013, 3500, 4000, 4001, 4401, 4409]) {
      fake.closeOnceOpen(code, 0);
      const before = fake.handshakes.length;
      const made = begin();
      await fake.until(() => fake.handshakes.length > before, 'the first dial');
      await passed(200);
      // 20 + 40 + 80 ms and the time in between; blocked once at once, then not for 600 ms.
      const [first, ...again] = fake.handshakes.slice(before);
      const soon = again.filter(({ at }) => at - (first?.at ?? 0) < 200);
      expect(soon.length, `after ${code}`).toBeLessThanOrEqual(4);
      await made.backend.drain(300);
      fake.closeOnceOpen(null);
    }
  });

  test('bug 12: the wait does not grow while each link is accepted and closed', async () => {
    fake.closeOnceOpen(1012, 5);
    begin();
    await fake.until(() => fake.handshakes.length === 6, 'six flaps');
    const gaps = fake.handshakes.slice(1).map((one, i) => one.at - (fake.handshakes[i]?.at ?? 0));
    [20, 40, 80, 160, 300].forEach((least, i) => {
      expect(gaps[i]).toBeGreaterThanOrEqual(least);
    });
  });

  test('bug 14: stopping a listener twice stops another one', async () => {
    const made = begin();
    await online(made);
    let heard = 0;
    const listener = () => {
      heard += 1;
    };
    const first = made.backend.onHttpOutcome(listener);
    const second = made.backend.onHttpOutcome(listener);
    first();
    first();
    await made.backend.postMessage({}, 'g');
    expect(heard).toBe(1);
    second();
  });

  test('bug 15: after the Mac slept, the link never comes back', async () => {
    const made = begin({ timings: { link: { wsPingIntervalMs: 60_000, pingIntervalMs: 60_000 } } });
    await online(made);
    const pings = fake.framesOf('ping').length;
    made.backend.wake();
    await fake.until(() => fake.framesOf('ping').length === pings + 1, 'the ping after waking');
    await online(made);
    expect(fake.handshakes).toHaveLength(1);
    fake.freeze();
    made.backend.wake();
    await fake.until(() => fake.handshakes.length === 2, 'the fresh dial');
    await online(made);
    fake.refuse(503, { 'Retry-After': '3600' });
    fake.drop();
    await fake.until(() => made.backend.view().state === 'waiting' && fake.handshakes.length === 3, 'a wait');
    fake.refuse(null);
    made.backend.wake();
    await online(made);
  });

  test('bug 16: state of the closed socket is used for the new one', async () => {
    // An ack that is overdue on a loaded machine would go by HTTP as well.
    const made = begin({ timings: { link: { ...PATIENT, backoffMs: [2] }, ackOverdueMs: 60_000 } });
    for (let i = 1; i <= 20; i++) {
      await fake.until(
        () => made.backend.view().state === 'online' && fake.handshakes.length === i,
        `link ${i}`,
      );
      const body = ackBody({ commandId: `cmd_${i}`, error: null, at: 0, revision: 1 });
      made.store.write(() => made.store.acks.add(body));
      fake.push({ command_id: `cmd_${i}`, command_type: 'list_scheduled' });
      await fake.until(() => made.store.acks.count() === 0 && made.received.length === i, 'both ways');
      fake.drop();
    }
    expect(fake.framesOf('command_ack')).toHaveLength(20);
    expect(fake.callsTo('/edge/command/ack')).toHaveLength(0);
  });

  test('bug 17: after a deploy every client reconnects in the same instant', async () => {
    const fleet = Array.from({ length: 10 }, (_, i) =>
      begin({
        timings: { link: { ...PATIENT, backoffMs: [200] } },
        options: { random: () => i / 10 },
      }),
    );
    await Promise.all(fleet.map(online));
    const before = fake.handshakes.length;
    for (const socket of fake.sockets) socket.close(1012);
    await fake.until(() => fake.handshakes.length >= before + 10, 'all of them again');
    const waits = fleet.map(({ lines }) => {
      const scheduled = lines.find((line) => line.includes('Scheduling WebSocket reconnect attempt'));
      return Number(/ in (\d+)ms/.exec(scheduled ?? '')?.[1]);
    });
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(200);
    expect(Math.max(...waits) - Math.min(...waits)).toBeGreaterThan(150);
  });

  describe('in the driver of the link', () => {
    let made: MadeLink | undefined;

    afterEach(async () => {
      if (!made) return;
      const { link, timers } = made;
      made = undefined;
      link.feed({ type: 'drain', deadline: 0 });
      link.feed({ type: 'settled' });
      await fake.until(() => link.state.name === 'stopped', 'the end of the link');
      expect(timers()).toBe(0);
    });

    const url = () => fake.url.replace('http', 'ws');
    const is = (name: string) => fake.until(() => made?.link.state.name === name, `the link to be ${name}`);

    test('bug 6: a dead link is noticed within 12 s, however busy this machine is', async () => {
      const clock = new FakeClock();
      made = makeLink(url, clock, PROTOCOL_RULES);
      made.link.feed({ type: 'start', websocket: true });
      await is('online');
      fake.freeze();
      await clock.advanceAsync(12_000);
      expect(made.states.slice(0, 5)).toEqual(['dialing', 'proving', 'online', 'suspect', 'waiting']);
      expect(made.link.state.lastLoss).toEqual({ kind: 'unanswered' });
    });

    test('bug 9: a socket that never finishes closing is waited for forever', async () => {
      made = makeLink(url, systemClock, RULES);
      made.link.feed({ type: 'start', websocket: true });
      await is('online');
      // A close frame whose TCP connection is never ended by the peer.
      const raw = (fake.socket as unknown as { _socket: Socket })._socket;
      const { end, destroy } = raw;
      raw.end = () => raw;
      raw.destroy = () => raw;
      fake.closeWith(1001);
      await fake.until(() => fake.handshakes.length === 2, 'the next dial');
      await is('online');
      Object.assign(raw, { end, destroy });
    });

    test('bug 11: connecting or disconnecting in a handler leaves the link in the middle of a change', async () => {
      made = makeLink(url, systemClock, RULES, (link, after) => {
        if (after.name === 'online') link.feed({ type: 'redial', why: 'asked in a handler' });
        if (after.name === 'dialing') link.feed({ type: 'kick' });
      });
      made.link.feed({ type: 'start', websocket: true });
      await fake.until(() => fake.handshakes.length === 4, 'four dials');
      expect(fake.mostOpen).toBeLessThanOrEqual(2);
      const dial = ['dialing', 'proving', 'online'];
      expect(made.states.slice(0, 6)).toEqual([...dial, ...dial]);
    });

    test('bug 13: an overdue timer fires before the pong in the buffer is read', async () => {
      made = makeLink(url, systemClock, { ...RULES, wsPingIntervalMs: 60_000, pingIntervalMs: 1_700 });
      made.link.feed({ type: 'start', websocket: true });
      for (const blocked of [1, 2]) {
        // Looked at right after the backend wrote its pong: the loop is blocked with the pong unread.
        await fake.until(() => {
          if (fake.framesOf('ping').length < blocked) return false;
          const end = performance.now() + 1_500;
          while (performance.now() < end);
          return true;
        }, `ping ${blocked}`);
        await is('online');
      }
      await fake.until(() => fake.framesOf('ping').length >= 3, 'pings that go on');
      expect(made.states).toEqual(['dialing', 'proving', 'online']);
    });

    test('bug 13: an hour of sleep between the ping and its pong ends a healthy link', async () => {
      const clock = new FakeClock();
      made = makeLink(url, clock, { ...PROTOCOL_RULES, wsPingIntervalMs: 1e9 });
      made.link.feed({ type: 'start', websocket: true });
      await is('online');
      clock.advance(30_000);
      clock.jumpWall(3_600_000);
      clock.advance(10_500);
      await is('online');
      expect(fake.handshakes).toHaveLength(1);
    });
  });

  describe('in the handshake', () => {
    let server: Server;
    let sockets: Socket[];
    let behave: (socket: Socket) => void;

    beforeEach(async () => {
      sockets = [];
      server = createServer((socket) => {
        sockets.push(socket);
        socket.on('error', () => socket.destroy());
        behave(socket);
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    });
    afterEach(async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    });

    test.each([
      ['ends it', (socket: Socket) => socket.once('data', () => socket.end())],
      ['resets it', (socket: Socket) => socket.once('data', () => socket.resetAndDestroy())],
      ['ends it at once', (socket: Socket) => socket.end()],
    ])('bug 10: after a peer that %s before it opened, the client never reconnects', async (_, how) => {
      behave = how;
      const { port } = server.address() as { port: number };
      const made = makeLink(() => `ws://127.0.0.1:${port}/edge/ws`, systemClock, RULES);
      made.link.feed({ type: 'start', websocket: true });
      await fake.until(() => sockets.length >= 4, 'four dials');
      expect(made.states.filter((name) => name === 'waiting').length).toBeGreaterThanOrEqual(3);
      made.link.feed({ type: 'drain', deadline: 0 });
      made.link.feed({ type: 'settled' });
      await fake.until(() => made.link.state.name === 'stopped', 'the end of the link');
      expect(made.timers()).toBe(0);
    });
  });
});
