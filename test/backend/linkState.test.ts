import { describe, expect, test } from 'vitest';
import { isLive, pollerMode } from '../../src/backend/linkState.js';
import { type PlayEvent, started } from '../support/LinkPlay.js';

const closed = (code: number): PlayEvent => ({ type: 'lost', loss: { kind: 'closed', code, reason: '' } });
const failed: PlayEvent = { type: 'lost', loss: { kind: 'failed', detail: 'ECONNREFUSED' } };
const refused = (status: number, retryAfterMs?: number): PlayEvent => ({
  type: 'lost',
  loss: { kind: 'refused', status, detail: '', ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
});

describe('the link, state by state', () => {
  test('connects on start, with a deadline of 5 s that grows to 20 s with the failures', () => {
    const play = started();
    const deadlines: number[] = [];
    for (let i = 0; i < 6; i++) {
      expect(play.state.name).toBe('dialing');
      deadlines.push(play.waits);
      play.wait().wait();
    }
    expect(deadlines).toEqual([5_000, 10_000, 15_000, 20_000, 20_000, 20_000]);
  });

  test('verifies an open socket with a ping at once, and gives it up after 5 s of silence', () => {
    const play = started().feed({ type: 'opened' });
    expect(play.state.name).toBe('proving');
    expect(play.did).toEqual(['ping', 'wsPing']);
    expect(pollerMode(play.state)).toBe('running');
    expect(play.waits).toBe(5_000);
    play.wait();
    expect(play.state.name).toBe('waiting');
    expect(play.did).toEqual(['terminate']);
  });

  test('is online with the first frame of any type, and catches up once', () => {
    const play = started().feed({ type: 'opened' }).feed({ type: 'frame', pong: false });
    expect(play.state.name).toBe('online');
    expect(play.did).toEqual(['sync:online']);
    expect(pollerMode(play.state)).toBe('paused');
    expect(play.feed({ type: 'frame', pong: false }).did).toEqual([]);
  });

  test('waits 1, 2, 4, 8, 16, 30, 30 s times 1 to 2 between failures', () => {
    for (const chance of [0, 0.5, 0.999]) {
      const play = started();
      play.chance = chance;
      const waits: number[] = [];
      for (let i = 0; i < 8; i++) {
        waits.push(play.feed(failed).waits);
        play.wait();
      }
      expect(waits).toEqual([1, 2, 4, 8, 16, 30, 30, 30].map((d) => d * 1_000 * (1 + chance)));
    }
  });

  test('starts again at 1 s only after 30 s up with a pong', () => {
    const flapping = started();
    for (const expected of [1_000, 2_000, 4_000]) {
      expect(flapping.online().after(29_999).feed(closed(1012)).waits).toBe(expected);
      flapping.wait();
    }
    expect(flapping.online().after(30_000).feed(closed(1012)).waits).toBe(1_000);
    const pongless = started();
    for (const expected of [1_000, 2_000]) {
      pongless.feed({ type: 'opened' }).feed({ type: 'frame', pong: false });
      expect(pongless.after(30_000).feed(closed(1006)).waits).toBe(expected);
      pongless.wait();
    }
  });

  test('counts the pong of a slow backend, though its ping had timed out', () => {
    const slow = started().feed(closed(1006));
    slow.wait();
    slow.feed({ type: 'opened' }).feed({ type: 'frame', pong: false });
    while (slow.state.name === 'online' && slow.state.keepalive.ping !== null) slow.wait();
    slow.feed({ type: 'frame', pong: true });
    slow.after(30_000);
    expect(slow.feed(closed(1012)).waits).toBe(1_000);
  });

  test('waits from 8 s after 1013, at least 30 s after 4409, and as long as Retry-After says', () => {
    expect(started().online().feed(closed(1013)).waits).toBe(8_000);
    expect(started().online().feed(closed(4409)).waits).toBe(30_000);
    expect(started().feed(refused(503, 45_000)).waits).toBe(45_000);
    expect(started().feed(refused(503, 10)).waits).toBe(1_000);
  });

  test('asks for an immediate sync only when it comes from a live socket', () => {
    expect(started().feed(failed).did).toEqual(['terminate']);
    expect(started().feed({ type: 'opened' }).feed(closed(1006)).did).toEqual(['terminate']);
    expect(started().online().feed(closed(1006)).did).toEqual(['terminate', 'sync:dropped']);
  });

  test('ends a socket on which no frame follows a JSON ping within 10 s', () => {
    const play = started().online();
    const silent = play.at;
    play.wait(); // The WebSocket-level ping of the opening was never answered: no more of them.
    play.wait();
    expect(play.at - silent).toBe(30_000);
    expect(play.did).toEqual(['ping']);
    play.wait();
    expect(play.state.name).toBe('suspect');
    expect(pollerMode(play.state)).toBe('paused');
    play.wait();
    expect(play.at - silent).toBe(40_000);
    expect(play.state.name).toBe('waiting');
    expect(play.did).toEqual(['terminate', 'sync:dropped']);
  });

  test('finds a half-open socket by WebSocket-level pings within 12 s, if the backend answers them', () => {
    const play = started().online().feed({ type: 'wsPong' });
    play.wait();
    expect(play.at).toBe(5_800);
    expect(play.did).toEqual(['wsPing']);
    play.wait();
    expect([play.at, play.state.name]).toEqual([9_800, 'suspect']);
    expect(play.did).toEqual(['ping']);
    play.wait();
    expect([play.at, play.state.name]).toEqual([11_800, 'waiting']);
    // What was waited under suspicion counts: the new dial is not another second away.
    expect(play.waits).toBe(0);
  });

  test('never suspects a backend that has not answered a WebSocket-level ping', () => {
    const play = started().online();
    for (let i = 0; i < 20; i++) {
      play.wait();
      if (play.did.includes('ping')) play.feed({ type: 'frame', pong: true });
      expect(play.state.name).toBe('online');
      expect(play.did).not.toContain('wsPing');
    }
  });

  test('takes any frame as a sign of life while suspect', () => {
    const play = started().online().feed({ type: 'wsPong' }).wait().wait();
    expect(play.state.name).toBe('suspect');
    expect(play.feed({ type: 'frame', pong: false }).state.name).toBe('online');
  });

  test('keeps one JSON ping outstanding, and pings again after one that was answered by other frames only', () => {
    const play = started().online();
    let outstanding = 0;
    let pings = 0;
    for (let second = 0; second < 300; second++) {
      play.after(1_000).feed({ type: 'frame', pong: false }).feed({ type: 'timer' });
      if (play.did.includes('ping')) pings += 1;
      outstanding = play.state.name === 'online' && play.state.keepalive.ping ? 1 : 0;
      expect(outstanding).toBeLessThanOrEqual(1);
    }
    expect(pings).toBe(10);
    expect(play.state.name).toBe('online');
  });

  test('pings early when something waits for its pong', () => {
    const play = started().online().feed({ type: 'hurry' });
    expect(play.waits).toBeLessThanOrEqual(1_000);
    expect(play.wait().did).toEqual(['ping']);
    expect(play.feed({ type: 'hurry' }).waits).toBeGreaterThan(500);
  });

  test('after sleep pings with a deadline of 3 s, then reconnects at once', () => {
    const play = started().online().after(3_600_000).feed({ type: 'wake' });
    expect([play.state.name, play.did]).toEqual(['suspect', ['ping']]);
    expect(play.waits).toBe(3_000);
    play.wait();
    expect([play.state.name, play.did]).toEqual(['dialing', ['terminate', 'sync:dropped', 'dial']]);
    const alive = started()
      .online()
      .after(3_600_000)
      .feed({ type: 'wake' })
      .feed({ type: 'frame', pong: true });
    expect(alive.state.name).toBe('online');
    expect(started().feed(failed).feed({ type: 'wake' }).state.name).toBe('dialing');
  });

  test('retries a refusal once at once, then each 60–72 s for 10 min, then each 5 min', () => {
    const play = started().feed(refused(401));
    expect([play.state.name, play.did]).toEqual(['blocked', ['terminate', 'reregister']]);
    expect(play.feed({ type: 'registered' }).state.name).toBe('dialing');
    const waits: number[] = [];
    for (let i = 0; i < 14; i++) {
      play.chance = i % 2 === 0 ? 0 : 0.999;
      play.feed(refused(403));
      expect(play.state.name).toBe('blocked');
      expect(play.did).not.toContain('reregister');
      waits.push(play.waits);
      play.wait();
    }
    expect(Math.min(...waits.slice(0, 9))).toBe(60_000);
    expect(Math.max(...waits.slice(0, 9))).toBeLessThan(72_000);
    expect(waits.at(-1)).toBeGreaterThanOrEqual(300_000);
  });

  test('is blocked by 4001 and 1008 alike, and regains the immediate retry after 30 s up', () => {
    for (const code of [4001, 1008]) {
      const play = started().online().feed(closed(code));
      expect(play.did).toEqual(['terminate', 'sync:dropped', 'reregister']);
      play.feed({ type: 'registered' }).online().feed(closed(code));
      expect(play.did).toEqual(['terminate', 'sync:dropped']);
      play.wait().online().after(30_000).feed(closed(code));
      expect(play.did).toContain('reregister');
    }
  });

  test('makes at most 3 handshakes in 75 s against a backend that always refuses', () => {
    for (const chance of [0, 0.999]) {
      const play = started();
      play.chance = chance;
      let handshakes = 1;
      while (play.at <= 75_000 && handshakes < 10) {
        play.feed(refused(401));
        if (play.did.includes('reregister')) play.feed({ type: 'registered' });
        else play.wait();
        if (play.at <= 75_000) handshakes += 1;
      }
      expect(handshakes).toBeLessThanOrEqual(3);
    }
  });

  test.each(['kick', 'credentials', 'authorised'] as const)('leaves blocked on %s', (type) => {
    const play = started().feed(refused(401)).feed({ type: 'registered' }).feed(refused(401));
    expect(play.feed({ type }).state.name).toBe('dialing');
  });

  test.each(['kick', 'credentials'] as const)('reconnects on %s with a socket that seems healthy', (type) => {
    for (const play of [started().feed({ type: 'opened' }), started().online()]) {
      const { epoch } = play.state;
      expect(play.feed({ type }).state).toMatchObject({ name: 'dialing', epoch: epoch + 1 });
      expect(play.did.filter((done) => !done.startsWith('sync'))).toEqual(['terminate', 'dial']);
    }
  });

  test('stops connecting with credentials that have changed', () => {
    const play = started().feed({ type: 'credentials' });
    expect([play.state.name, play.did]).toEqual(['dialing', ['terminate', 'dial']]);
  });

  test('ignores the late events of an old socket (docs/facts.md, bug 5)', () => {
    const play = started().online();
    const old = play.state.epoch;
    play.feed(closed(1006)).wait().online();
    for (const late of [closed(1006), { type: 'frame', pong: true }, { type: 'opened' }] as PlayEvent[]) {
      const before = play.state;
      expect(play.feed(late, old).state).toBe(before);
      expect(play.did).toEqual([]);
    }
  });

  test('drains: waits for handlers, sends the last frames and a ping, closes on its pong', () => {
    const play = started().online().feed({ type: 'drain', deadline: 25_000 });
    expect([play.state.name, pollerMode(play.state), isLive(play.state)]).toEqual(['draining', 'off', true]);
    expect(play.feed({ type: 'settled' }).did).toEqual(['lastWords', 'ping']);
    expect(play.feed({ type: 'frame', pong: false }).did).toEqual([]);
    expect(play.feed({ type: 'frame', pong: true }).did).toEqual(['close']);
    expect(play.feed(closed(1000)).state.name).toBe('stopped');
  });

  test('counts in the drain only the pong to the ping after the last frames', () => {
    const play = started().online().after(1_000).feed({ type: 'hurry' }).wait();
    expect(play.did).toEqual(['ping']);
    expect(play.feed({ type: 'drain', deadline: 25_000 }).feed({ type: 'settled' }).did).toEqual([
      'lastWords',
    ]);
    expect(play.feed({ type: 'frame', pong: true }).did).toEqual(['ping']);
    expect(play.feed({ type: 'frame', pong: true }).did).toEqual(['close']);
  });
});
