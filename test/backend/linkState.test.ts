import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { initialState, isLive, next, pollerMode, wakeAt } from '../../src/backend/linkState.js';
import {
  type LinkEvent,
  type LinkState,
  type Loss,
  PROTOCOL_RULES,
  type Step,
} from '../../src/backend/linkTypes.js';

type Happening = LinkEvent extends infer E
  ? E extends LinkEvent
    ? Omit<E, 'at' | 'chance' | 'epoch'>
    : never
  : never;

/** Plays events at instants, in the current epoch, and keeps what came of them. */
class Play {
  state: LinkState = initialState(0);
  at = 0;
  chance = 0;
  last: Step = { state: this.state, effects: [] };

  feed(event: Happening, epoch = this.state.epoch): this {
    this.last = next(
      this.state,
      { ...event, epoch, at: this.at, chance: this.chance } as LinkEvent,
      PROTOCOL_RULES,
    );
    this.state = this.last.state;
    return this;
  }

  after(ms: number): this {
    this.at += ms;
    return this;
  }

  /** Moves on to the instant that the state waits for. */
  wait(): this {
    this.at = Math.max(this.at, wakeAt(this.state, PROTOCOL_RULES) ?? this.at);
    return this.feed({ type: 'timer' });
  }

  online(): this {
    return this.feed({ type: 'opened' }).feed({ type: 'frame', pong: true });
  }

  get did(): string[] {
    return this.last.effects.map((effect) => ('why' in effect ? `${effect.do}:${effect.why}` : effect.do));
  }

  get waits(): number {
    return (wakeAt(this.state, PROTOCOL_RULES) ?? Number.NaN) - this.at;
  }
}

const started = () => new Play().feed({ type: 'start', websocket: true });
const closed = (code: number): Happening => ({ type: 'lost', loss: { kind: 'closed', code, reason: '' } });
const failed: Happening = { type: 'lost', loss: { kind: 'failed', detail: 'ECONNREFUSED' } };
const refused = (status: number, retryAfterMs?: number): Happening => ({
  type: 'lost',
  loss: { kind: 'refused', status, detail: '', ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
});

describe('the link, state by state', () => {
  it('dials on start, with a deadline of 5 s that grows to 20 s with the failures', () => {
    const play = started();
    const deadlines: number[] = [];
    for (let i = 0; i < 6; i++) {
      expect(play.state.name).toBe('dialing');
      deadlines.push(play.waits);
      play.wait().wait();
    }
    expect(deadlines).toEqual([5_000, 10_000, 15_000, 20_000, 20_000, 20_000]);
  });

  it('proves an open socket with a ping at once, and gives it up after 5 s of silence', () => {
    const play = started().feed({ type: 'opened' });
    expect(play.state.name).toBe('proving');
    expect(play.did).toEqual(['ping', 'wsPing']);
    expect(pollerMode(play.state)).toBe('running');
    expect(play.waits).toBe(5_000);
    play.wait();
    expect(play.state.name).toBe('waiting');
    expect(play.did).toEqual(['terminate']);
  });

  it('is online with the first frame, whatever frame, and catches up once', () => {
    const play = started().feed({ type: 'opened' }).feed({ type: 'frame', pong: false });
    expect(play.state.name).toBe('online');
    expect(play.did).toEqual(['sync:online']);
    expect(pollerMode(play.state)).toBe('paused');
    expect(play.feed({ type: 'frame', pong: false }).did).toEqual([]);
  });

  it('waits 1, 2, 4, 8, 16, 30, 30 s times 1 to 2 between failures', () => {
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

  it('starts anew at 1 s only after 30 s up with a pong', () => {
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

  it('waits from 8 s after 1013, at least 30 s after 4409, and as long as Retry-After says', () => {
    expect(started().online().feed(closed(1013)).waits).toBe(8_000);
    expect(started().online().feed(closed(4409)).waits).toBe(30_000);
    expect(started().feed(refused(503, 45_000)).waits).toBe(45_000);
    expect(started().feed(refused(503, 10)).waits).toBe(1_000);
  });

  it('asks for an immediate sync only when it comes from a live socket', () => {
    expect(started().feed(failed).did).toEqual(['terminate']);
    expect(started().feed({ type: 'opened' }).feed(closed(1006)).did).toEqual(['terminate']);
    expect(started().online().feed(closed(1006)).did).toEqual(['terminate', 'sync:dropped']);
  });

  it('ends a socket whose JSON ping met no frame within 10 s', () => {
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

  it('finds a half-open socket by WebSocket-level pings within 12 s, if the backend answers them', () => {
    const play = started().online().feed({ type: 'wsPong' });
    play.wait();
    expect(play.at).toBe(6_000);
    expect(play.did).toEqual(['wsPing']);
    play.wait();
    expect([play.at, play.state.name]).toEqual([10_000, 'suspect']);
    expect(play.did).toEqual(['ping']);
    play.wait();
    expect([play.at, play.state.name]).toEqual([12_000, 'waiting']);
    // What was waited under suspicion counts: the new dial is not another second away.
    expect(play.waits).toBe(0);
  });

  it('never suspects a backend that has not answered a WebSocket-level ping', () => {
    const play = started().online();
    for (let i = 0; i < 20; i++) {
      play.wait();
      if (play.did.includes('ping')) play.feed({ type: 'frame', pong: true });
      expect(play.state.name).toBe('online');
      expect(play.did).not.toContain('wsPing');
    }
  });

  it('takes any frame as life while suspect', () => {
    const play = started().online().feed({ type: 'wsPong' }).wait().wait();
    expect(play.state.name).toBe('suspect');
    expect(play.feed({ type: 'frame', pong: false }).state.name).toBe('online');
  });

  it('keeps one JSON ping outstanding, and pings again after one that was answered by other frames only', () => {
    const play = started().online();
    let outstanding = 0;
    let pings = 0;
    for (let second = 0; second < 300; second++) {
      play.after(1_000).feed({ type: 'frame', pong: false }).feed({ type: 'timer' });
      if (play.did.includes('ping')) pings += 1;
      outstanding = play.state.name === 'online' && play.state.heart.ping ? 1 : 0;
      expect(outstanding).toBeLessThanOrEqual(1);
    }
    expect(pings).toBe(10);
    expect(play.state.name).toBe('online');
  });

  it('pings early when something waits for its pong', () => {
    const play = started().online().feed({ type: 'hurry' });
    expect(play.waits).toBeLessThanOrEqual(1_000);
    expect(play.wait().did).toEqual(['ping']);
    expect(play.feed({ type: 'hurry' }).waits).toBeGreaterThan(500);
  });

  it('after sleep asks with 3 s, then dials at once', () => {
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

  it('retries a refusal once at once, then each 60–72 s for 10 min, then each 5 min', () => {
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

  it('is blocked by 4001 and 1008 alike, and earns the immediate retry anew by 30 s up', () => {
    for (const code of [4001, 1008]) {
      const play = started().online().feed(closed(code));
      expect(play.did).toEqual(['terminate', 'sync:dropped', 'reregister']);
      play.feed({ type: 'registered' }).online().feed(closed(code));
      expect(play.did).toEqual(['terminate', 'sync:dropped']);
      play.wait().online().after(30_000).feed(closed(code));
      expect(play.did).toContain('reregister');
    }
  });

  it('makes at most 3 handshakes in 75 s against a backend that always refuses', () => {
    for (const chance of [0, 0.999]) {
      const play = started();
      play.chance = chance;
      let handshakes = 1;
      while (play.at <= 75_000) {
        play.feed(refused(401));
        if (play.did.includes('reregister')) play.feed({ type: 'registered' });
        else play.wait();
        if (play.at <= 75_000) handshakes += 1;
      }
      expect(handshakes).toBeLessThanOrEqual(3);
    }
  });

  it.each(['kick', 'credentials', 'authorised'] as const)('leaves blocked on %s', (type) => {
    const play = started().feed(refused(401)).feed({ type: 'registered' }).feed(refused(401));
    expect(play.feed({ type }).state.name).toBe('dialing');
  });

  it('ignores the late events of an old socket (A3-5)', () => {
    const play = started().online();
    const old = play.state.epoch;
    play.feed(closed(1006)).wait().online();
    for (const late of [closed(1006), { type: 'frame', pong: true }, { type: 'opened' }] as Happening[]) {
      const before = play.state;
      expect(play.feed(late, old).state).toBe(before);
      expect(play.did).toEqual([]);
    }
  });

  it('drains: waits for handlers, sends the last words and a ping, closes on its pong', () => {
    const play = started().online().feed({ type: 'drain', deadline: 25_000 });
    expect([play.state.name, pollerMode(play.state), isLive(play.state)]).toEqual(['draining', 'off', true]);
    expect(play.feed({ type: 'settled' }).did).toEqual(['lastWords', 'ping']);
    expect(play.feed({ type: 'frame', pong: false }).did).toEqual([]);
    expect(play.feed({ type: 'frame', pong: true }).did).toEqual(['close']);
    expect(play.feed(closed(1000)).state.name).toBe('stopped');
  });

  it('counts in the drain only the pong to the ping after the last words', () => {
    const play = started().online().after(1_000).feed({ type: 'hurry' }).wait();
    expect(play.did).toEqual(['ping']);
    expect(play.feed({ type: 'drain', deadline: 25_000 }).feed({ type: 'settled' }).did).toEqual([
      'lastWords',
    ]);
    expect(play.feed({ type: 'frame', pong: true }).did).toEqual(['ping']);
    expect(play.feed({ type: 'frame', pong: true }).did).toEqual(['close']);
  });
});

const loss: fc.Arbitrary<Loss> = fc.oneof(
  fc
    .constantFrom(1000, 1001, 1006, 1008, 1011, 1012, 1013, 4001, 4409, 4999)
    .map((code) => ({ kind: 'closed' as const, code, reason: '' })),
  fc
    .constantFrom(301, 400, 401, 403, 404, 409, 429, 502)
    .map((status) => ({ kind: 'refused' as const, status, detail: '' })),
  fc.constant({ kind: 'failed' as const, detail: 'reset' }),
);
const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Happening>({ type: 'opened' }) },
  { weight: 4, arbitrary: fc.boolean().map((pong): Happening => ({ type: 'frame', pong })) },
  { weight: 3, arbitrary: loss.map((one): Happening => ({ type: 'lost', loss: one })) },
  { weight: 6, arbitrary: fc.constant<Happening>({ type: 'timer' }) },
  {
    weight: 5,
    arbitrary: fc.constantFrom<Happening>(
      { type: 'wsPong' },
      { type: 'wake' },
      { type: 'kick' },
      { type: 'hurry' },
      { type: 'redial', why: 'x' },
      { type: 'registered' },
      { type: 'credentials' },
      { type: 'authorised' },
      { type: 'uncredentialed', reason: 'secret_missing' },
      { type: 'start', websocket: true },
    ),
  },
);
const step = fc.record({
  event: happening,
  stale: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  wait: fc.oneof(fc.constant('due' as const), fc.integer({ min: 0, max: 20_000 })),
  chance: fc.double({ min: 0, max: 0.999, noNaN: true }),
});

describe('the link, whatever happens', () => {
  const runs = { numRuns: 2_000 };

  it('never has two sockets, never acts on one that is gone, and numbers every transition', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const play = started();
        const open = new Set([play.state.epoch]);
        for (const { event, stale, wait, chance } of steps) {
          play.chance = chance;
          if (wait !== 'due') play.after(wait);
          else play.at = Math.max(play.at, wakeAt(play.state, PROTOCOL_RULES) ?? 0);
          const before = play.state;
          play.feed(event, stale ? before.epoch - 1 : before.epoch);
          if (event.type === 'lost' && !stale) open.delete(before.epoch);
          if (event.type === 'uncredentialed' && !stale && before.name === 'dialing')
            open.delete(before.epoch);
          for (const effect of play.last.effects) {
            if (effect.do === 'terminate') open.delete(effect.epoch);
            if (effect.do === 'dial') {
              expect(open.size).toBe(0);
              open.add(effect.epoch);
            }
            if (effect.do === 'ping' || effect.do === 'wsPing' || effect.do === 'close')
              expect(open.has(effect.epoch)).toBe(true);
          }
          expect(open.size).toBeLessThanOrEqual(1);
          const needsSocket = ['dialing', 'proving', 'online', 'suspect'].includes(play.state.name);
          expect(open.size).toBe(needsSocket ? 1 : 0);
          const moved = play.state.name !== before.name || play.state.epoch !== before.epoch;
          if (moved) expect(play.state.transition).toBe(before.transition + 1);
          expect(pollerMode(play.state) === 'paused').toBe(isLive(play.state));
        }
      }),
      runs,
    );
  });

  it('always has a way out: time alone leads from every state to a dial', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const play = started();
        for (const { event, wait, chance } of steps) {
          play.chance = chance;
          if (wait === 'due') play.wait();
          else play.after(wait).feed(event);
        }
        const epoch = play.state.epoch;
        for (let i = 0; i < 40 && play.state.epoch === epoch; i++) {
          expect(wakeAt(play.state, PROTOCOL_RULES)).toBeDefined();
          play.wait();
        }
        expect(play.state.epoch).toBeGreaterThan(epoch);
      }),
      runs,
    );
  });

  it('never spins: a due timer either changes the state or moves the next instant on', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const play = started();
        for (const { event, wait, chance } of steps) {
          play.chance = chance;
          if (wait !== 'due') play.after(wait).feed(event);
          play.wait();
          for (let i = 0; i < 4; i++) {
            const due = wakeAt(play.state, PROTOCOL_RULES);
            if (due === undefined || due > play.at) break;
            expect(i).toBeLessThan(3);
            play.feed({ type: 'timer' });
          }
        }
      }),
      runs,
    );
  });

  it('after a loss waits d to 2d, with d no less than the protocol says for the failures before it', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const play = started();
        for (const { event, wait, chance } of steps) {
          play.chance = chance;
          if (wait !== 'due') play.after(wait);
          else play.at = Math.max(play.at, wakeAt(play.state, PROTOCOL_RULES) ?? 0);
          const before = play.state;
          play.feed(event);
          if (play.state.name !== 'waiting' || before.name === 'waiting') continue;
          const d = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000][Math.min(play.state.step - 1, 5)] ?? 0;
          const from = before.name === 'suspect' && event.type === 'timer' ? before.since : play.at;
          expect(play.state.until).toBeGreaterThanOrEqual(Math.max(from + d, play.at));
          expect(play.state.until).toBeLessThanOrEqual(Math.max(from + 2 * d, play.at, from + 30_000));
        }
      }),
      runs,
    );
  });

  it('always ends a drain by its deadline', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.array(step, { maxLength: 30 }), (before, during) => {
        const play = started();
        for (const { event, wait } of before) {
          if (wait === 'due') play.wait();
          else play.after(wait).feed(event);
        }
        const deadline = play.at + 25_000;
        play.feed({ type: 'drain', deadline });
        for (const { event } of during) {
          if (event.type !== 'timer') play.feed(event);
          expect(play.did).not.toContain('dial');
        }
        for (let i = 0; i < 6 && play.state.name !== 'stopped'; i++) play.wait();
        expect(play.state.name).toBe('stopped');
        expect(play.at).toBeLessThanOrEqual(deadline);
      }),
      runs,
    );
  });
});
