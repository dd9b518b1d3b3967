import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isLive, pollerMode, wakeAt } from '../../src/backend/linkState.js';
import { type LinkState, type Loss, PROTOCOL_RULES } from '../../src/backend/linkTypes.js';
import { type LinkPlay, type PlayEvent, started } from '../support/LinkPlay.js';
import { sized } from '../support/size.js';

const loss: fc.Arbitrary<Loss> = fc.oneof(
  fc
    .constantFrom(1000, 1001, 1006, 1008, 1011, 1012, 1013, 4001, 4409, 4999)
    .map((code) => ({ kind: 'closed' as const, code, reason: '' })),
  fc
    .constantFrom(301, 400, 401, 403, 404, 409, 429, 502)
    .map((status) => ({ kind: 'refused' as const, status, detail: '' })),
  fc.constant({ kind: 'failed' as const, detail: 'reset' }),
);
const happening: fc.Arbitrary<PlayEvent> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<PlayEvent>({ type: 'opened' }) },
  { weight: 4, arbitrary: fc.boolean().map((pong): PlayEvent => ({ type: 'frame', pong })) },
  { weight: 3, arbitrary: loss.map((one): PlayEvent => ({ type: 'lost', loss: one })) },
  { weight: 6, arbitrary: fc.constant<PlayEvent>({ type: 'timer' }) },
  {
    weight: 5,
    arbitrary: fc.constantFrom<PlayEvent>(
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

/** Whether a socket, or the dial for one, ended by this event, and whether we gave it up for another ourselves. */
function ending(before: LinkState, after: LinkState, event: PlayEvent): 'none' | 'lost' | 'replaced' {
  if (after.transition === before.transition || event.type === 'uncredentialed') return 'none';
  if ('keepalive' in before && after.name === 'dialing') return 'replaced';
  const had = before.name === 'dialing' || 'keepalive' in before;
  return had && (after.name === 'waiting' || after.name === 'blocked') ? 'lost' : 'none';
}

/** By its own account, whether the link of now was up 30 s and had a pong. */
class Stability {
  private openedAt = Number.POSITIVE_INFINITY;
  private ponged = false;

  stable(at: number): boolean {
    return this.ponged && at - this.openedAt >= 30_000;
  }

  note(before: string, event: PlayEvent, { state, at }: LinkPlay): void {
    if (before === 'dialing' && state.name === 'proving') {
      this.openedAt = at;
      this.ponged = false;
    } else if (!('keepalive' in state)) this.openedAt = Number.POSITIVE_INFINITY;
    else if (event.type === 'frame' && event.pong) this.ponged = true;
  }
}

describe('the link, whatever happens', () => {
  const runs = { numRuns: sized(400, 4_000) };

  test('never has two sockets, never acts on one that is gone, and numbers every transition', () => {
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
          const syncs = play.did.filter((effect) => effect.startsWith('sync:'));
          if (isLive(before) && (!isLive(play.state) || play.state.epoch !== before.epoch))
            expect(syncs).toEqual(['sync:dropped']);
          else expect(syncs).toEqual(before.name === 'proving' && isLive(play.state) ? ['sync:online'] : []);
        }
      }),
      runs,
    );
  });

  test('always has a way out: time alone leads from every state to a connection attempt', () => {
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

  test('never spins: a due timer either changes the state or moves the next instant on', () => {
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

  test('after a loss waits d to 2d, where d grows with each until a link was up 30 s and had a pong', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const play = started();
        const watch = new Stability();
        let base = 0;
        for (const { event, wait, chance } of steps) {
          play.chance = chance;
          if (wait !== 'due') play.after(wait);
          else play.at = Math.max(play.at, wakeAt(play.state, PROTOCOL_RULES) ?? 0);
          const before = play.state;
          play.feed(event);
          const { lastLoss } = play.state;
          const stable = watch.stable(play.at);
          watch.note(before.name, event, play);
          const ended = ending(before, play.state, event);
          if (ended !== 'lost') {
            if (ended === 'replaced') base = 0;
            continue;
          }
          if (stable) base = 0;
          if (lastLoss?.kind === 'closed' && lastLoss.code === 1013) base = Math.max(base, 3);
          const d = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000][Math.min(base, 5)] ?? 0;
          base += 1;
          if (play.state.name !== 'waiting') continue;
          const from = before.name === 'suspect' && event.type === 'timer' ? before.since : play.at;
          const least = lastLoss?.kind === 'closed' && lastLoss.code === 4409 ? 30_000 : 0;
          expect(play.state.until).toBe(Math.max(from + Math.max(d * (1 + chance), least), play.at));
        }
      }),
      runs,
    );
  });

  test('answers refusals by one immediate retry, and by no other until a link was up 30 s and had a pong', () => {
    const refusal = fc.constantFrom<PlayEvent>(
      { type: 'lost', loss: { kind: 'refused', status: 401, detail: '' } },
      { type: 'lost', loss: { kind: 'closed', code: 4001, reason: '' } },
      { type: 'registered' },
    );
    const refusing = fc.oneof(
      step,
      step.chain((one) => refusal.map((event) => ({ ...one, event }))),
    );
    fc.assert(
      fc.property(fc.array(refusing, { maxLength: 80 }), (steps) => {
        const play = started();
        const watch = new Stability();
        let earned = true;
        for (const { event, wait, chance } of steps) {
          play.chance = chance;
          if (wait !== 'due') play.after(wait);
          else play.at = Math.max(play.at, wakeAt(play.state, PROTOCOL_RULES) ?? 0);
          const before = play.state;
          play.feed(event);
          if (ending(before, play.state, event) !== 'none' && watch.stable(play.at)) earned = true;
          if (play.did.includes('reregister')) {
            expect(earned).toBe(true);
            earned = false;
          }
          watch.note(before.name, event, play);
        }
      }),
      runs,
    );
  });

  test('never has two JSON pings outstanding', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const play = started();
        // The instant from which the answer is awaited; null: none is.
        let asked: { at: number; alive: boolean } | null = null;
        for (const { event, wait, chance } of steps) {
          play.chance = chance;
          if (wait !== 'due') play.after(wait);
          else play.at = Math.max(play.at, wakeAt(play.state, PROTOCOL_RULES) ?? 0);
          const { epoch } = play.state;
          play.feed(event);
          if (play.state.epoch !== epoch || !('keepalive' in play.state)) asked = null;
          if (asked && event.type === 'frame') asked = event.pong ? null : { at: asked.at, alive: true };
          const pings = play.did.filter((effect) => effect === 'ping').length;
          expect(pings).toBeLessThanOrEqual(1);
          if (pings === 1) {
            // One may be given up: frames came, but no pong within its time.
            const givenUp = asked?.alive === true && play.at - asked.at >= PROTOCOL_RULES.pongTimeoutMs;
            expect(asked === null || givenUp).toBe(true);
            asked = { at: play.at, alive: false };
          } else if (asked && event.type === 'wake') asked = { at: play.at, alive: false };
        }
      }),
      runs,
    );
  });

  test('always ends a drain by its deadline', () => {
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
