import { beforeEach, describe, expect, test } from 'vitest';
import { InboundWatch, type Stall } from '../../src/supervisor/InboundWatch.js';
import { FakeClock } from '../support/FakeClock.js';
import { RecordingLog } from '../support/RecordingLog.js';

const MINUTE = 60_000;
let clock: FakeClock;
let newest: number | null;
let linkUp: boolean;
let settings: { stallMs: number; canaryMs: number };
let stalls: Stall[];
let nudges: number;
let canaries: string[];
let rows: { sent: boolean; received: boolean };
let echoKnown: boolean;
let watch: InboundWatch;

beforeEach(() => {
  clock = new FakeClock();
  newest = 100;
  linkUp = true;
  settings = { stallMs: 240 * MINUTE, canaryMs: 0 };
  stalls = [];
  nudges = 0;
  canaries = [];
  rows = { sent: false, received: false };
  echoKnown = false;
  watch = new InboundWatch({
    clock,
    log: new RecordingLog(),
    highestRow: () => newest,
    linkUp: () => linkUp,
    settings: () => settings,
    canary: {
      send: (text) => {
        canaries.push(text);
        rows = { sent: false, received: false };
        return true;
      },
      rows: () => rows,
      echoKnown: () => echoKnown,
      rememberEcho: () => {
        echoKnown = true;
      },
    },
    onStall: (stall) => stalls.push(stall),
    nudge: () => {
      nudges += 1;
    },
  });
  watch.start();
});

/** Time goes by with a look every minute, as the watcher makes at least. */
function pass(minutes: number): void {
  for (let minute = 0; minute < minutes; minute += 1) {
    clock.advance(MINUTE);
    watch.looked();
  }
}

function row(): void {
  newest = (newest ?? 0) + 1;
  watch.looked();
}

describe('silence', () => {
  test('of that length is reported once and Messages is nudged, and again at each further length', () => {
    pass(239);
    expect(stalls).toEqual([]);
    pass(2);
    expect(stalls).toEqual([{ cause: 'no_rows', minutes: 240 }]);
    expect(nudges).toBe(1);
    pass(480);
    expect(stalls).toHaveLength(1);
    expect(nudges).toBe(3);
    expect(watch.fault()).toBeUndefined();
  });

  test('is ended by any row; the next one is reported again', () => {
    pass(241);
    row();
    pass(239);
    expect(stalls).toHaveLength(1);
    pass(2);
    expect(stalls).toHaveLength(2);
  });

  test('does not count while the backend is unreachable, while the Mac slept, or while chat.db cannot be read', () => {
    linkUp = false;
    pass(300);
    expect(stalls).toEqual([]);
    watch.woke();
    linkUp = true;
    pass(200);
    newest = null;
    pass(200);
    newest = 100;
    pass(200);
    expect(stalls).toEqual([]);
  });

  test('is ignored where it is switched off', () => {
    settings = { stallMs: 0, canaryMs: 0 };
    pass(10_000);
    expect([stalls, nudges, canaries]).toEqual([[], 0, []]);
  });

  test('leaves no timer behind', () => {
    watch.stop();
    expect(clock.pending).toBe(0);
  });
});

describe('a canary', () => {
  beforeEach(() => {
    settings = { stallMs: 0, canaryMs: 60 * MINUTE };
  });

  test('is sent only after silence, each with a unique text', () => {
    pass(59);
    row();
    pass(59);
    expect(canaries).toEqual([]);
    pass(130);
    expect(canaries.length).toBeGreaterThan(1);
    expect(new Set(canaries).size).toBe(canaries.length);
  });

  test('that comes back is a sign of life, and from then on it must come back', () => {
    pass(60);
    rows = { sent: true, received: true };
    row();
    expect(echoKnown).toBe(true);
    pass(60);
    expect(canaries).toHaveLength(2);
    rows = { sent: true, received: false };
    row();
    pass(5);
    expect(stalls).toEqual([expect.objectContaining({ cause: 'canary_not_received' })]);
    expect(nudges).toBe(1);
  });

  test('that was only sent is enough on a Mac that has never written the received row', () => {
    pass(60);
    rows = { sent: true, received: false };
    row();
    pass(5);
    expect(stalls).toEqual([]);
  });

  test('that was never sent is reported', () => {
    pass(65);
    expect(stalls).toEqual([expect.objectContaining({ cause: 'canary_not_sent' })]);
    expect(watch.fault()).toMatchObject({ code: 'inbound_stalled' });
    row();
    expect(watch.fault()).toBeUndefined();
  });

  test('that did not come back is not cleared by a row of the agent, but by a message from a person', () => {
    echoKnown = true;
    pass(60);
    rows = { sent: true, received: false };
    row();
    pass(5);
    row();
    pass(65);
    expect(stalls).toHaveLength(1);
    expect(watch.fault()?.message).toContain('did not come back');
    watch.arrived();
    expect(watch.fault()).toBeUndefined();
    pass(130);
    expect(stalls.length).toBeGreaterThan(1);
  });

  test('that gets lost after a reported silence proves it, which is reported too', () => {
    settings = { stallMs: 30 * MINUTE, canaryMs: 60 * MINUTE };
    pass(70);
    expect(stalls.map(({ cause }) => cause)).toEqual(['no_rows', 'canary_not_sent']);
    expect(watch.fault()).toMatchObject({ code: 'inbound_stalled' });
  });

  test('is waited for no longer than until the next one is due', () => {
    settings = { stallMs: 0, canaryMs: 6_000 };
    watch.stop();
    watch.start();
    clock.advance(6_000);
    expect(canaries).toHaveLength(1);
    clock.advance(6_000);
    expect(stalls).toEqual([expect.objectContaining({ cause: 'canary_not_sent' })]);
  });
});
