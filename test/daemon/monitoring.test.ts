import { describe, expect, test } from 'vitest';
import { ERROR_CODES } from '../../src/model/errorCodes.js';
import type { StatusSnapshot } from '../../src/model/status.js';
import { ACT_WORDS } from '../../src/operator/actWords.js';
import { LinkHours } from '../../src/operator/LinkHours.js';
import { LinkTimeline } from '../../src/operator/LinkTimeline.js';
import { NotificationHistory } from '../../src/operator/NotificationHistory.js';
import { Progress } from '../../src/operator/Progress.js';
import { sendStatistics } from '../../src/operator/sendStatistics.js';
import { changesOf } from '../../src/operator/snapshotChanges.js';
import { FakeClock } from '../support/FakeClock.js';

const NOTHING = { rowsBehind: 0, texts: 0, uploads: 0, messages: 0 };
const HOUR_MS = 3_600_000;

describe('the activity of the agent', () => {
  test('is null when there is nothing to do', () => expect(new Progress().task(NOTHING)).toBeUndefined());

  test('shows progress as a share of the maximum since it began', () => {
    const work = new Progress();
    const texts = (left: number) => work.task({ ...NOTHING, texts: left });
    expect(texts(4)).toEqual({ currentTask: 'Sending 4 texts', progress: 0 });
    expect(texts(1)).toEqual({ currentTask: 'Sending 1 text', progress: 75 });
    expect(texts(8)).toEqual({ currentTask: 'Sending 8 texts', progress: 0 });
    expect(texts(0)).toBeUndefined();
    expect(texts(2)).toEqual({ currentTask: 'Sending 2 texts', progress: 0 });
  });

  test('has no progress for a single item', () => {
    expect(new Progress().task({ ...NOTHING, uploads: 1 })).toEqual({ currentTask: 'Uploading 1 image' });
  });

  test('shows unread rows of chat.db before what waits', () => {
    const task = new Progress().task({ rowsBehind: 200, texts: 3, uploads: 3, messages: 3 });
    expect(task?.currentTask).toBe('Catching up with 200 rows of chat.db');
  });
});

const storeOf = (values = new Map<string, string>()) => ({
  list: <T>(key: string) => JSON.parse(values.get(key) ?? 'null') as T[] | undefined,
  set: (key: string, value: string) => void values.set(key, value),
});

describe('the history of the link', () => {
  const states = (strip: LinkTimeline) => strip.history().map(({ state }) => state);

  test('has no entry for an unchanged state', () => {
    const strip = new LinkTimeline(storeOf(), new FakeClock(), undefined);
    expect([strip.note('polling'), strip.note('polling'), strip.note('realtime')]).toEqual([
      true,
      false,
      true,
    ]);
    expect(states(strip)).toEqual(['polling', 'realtime']);
  });

  test('keeps from before the last 24 hours only the state at their start', () => {
    const clock = new FakeClock();
    const strip = new LinkTimeline(storeOf(), clock, undefined);
    strip.note('realtime');
    clock.advance(HOUR_MS);
    strip.note('polling');
    clock.advance(25 * HOUR_MS);
    strip.note('realtime');
    expect(strip.history()).toEqual([
      { at: clock.now() - 24 * HOUR_MS, state: 'polling' },
      { at: clock.now(), state: 'realtime' },
    ]);
  });

  test('ends a run that was killed at the time when it was last known to be alive', () => {
    const clock = new FakeClock();
    const store = storeOf();
    const first = new LinkTimeline(store, clock, undefined);
    first.note('realtime');
    expect(first.isSaved).toBe(false);
    first.save();
    expect(first.isSaved).toBe(true);
    clock.advance(HOUR_MS);
    const aliveAt = clock.now();
    clock.advance(HOUR_MS);
    const second = new LinkTimeline(store, clock, aliveAt);
    second.note('realtime');
    expect(second.history().slice(1)).toEqual([
      { at: aliveAt, state: 'stopped' },
      { at: clock.now(), state: 'realtime' },
    ]);
  });

  test('of a link that flaps all day does not grow without limit', () => {
    const strip = new LinkTimeline(storeOf(), new FakeClock(), undefined);
    for (let count = 0; count < 5_000; count++) strip.note(count % 2 === 0 ? 'realtime' : 'offline');
    expect(strip.history()).toHaveLength(1_000);
  });
});

describe('the difference of two snapshots', () => {
  const base = { uptime_seconds: 1, memory_usage_mb: 70, problems: [], incoming_parked: 0, paused: [] };
  const snapshot = (more: Partial<StatusSnapshot>) =>
    ({ vital_signs: {}, ...base, ...more }) as unknown as StatusSnapshot;
  const problem = {
    code: 'disk_full',
    since: '',
    message: 'The disk is full.',
    remedy: 'Make room.',
  } as const;

  test('is nothing if only time has passed', () => {
    expect(changesOf(snapshot({}), snapshot({ uptime_seconds: 2, memory_usage_mb: 71 }))).toEqual([]);
  });

  test('shows a fault that comes and goes', () => {
    const [well, ill] = [snapshot({}), snapshot({ problems: [problem] })];
    expect(changesOf(well, ill)).toEqual([
      { kind: 'snapshot' },
      { kind: 'topic', topic: 'problems' },
      { kind: 'notification', level: 'error', message: 'The disk is full. Make room.' },
    ]);
    expect(changesOf(ill, well)).toContainEqual({
      kind: 'notification',
      level: 'success',
      message: `Resolved: ${ERROR_CODES.disk_full}`,
    });
  });

  test('shows a message that was set aside, and not one that was answered', () => {
    const levels = (from: number, to: number) =>
      changesOf(snapshot({ incoming_parked: from }), snapshot({ incoming_parked: to })).filter(
        ({ kind }) => kind === 'notification',
      );
    expect(levels(0, 1)).toMatchObject([{ level: 'warning' }]);
    expect(levels(1, 0)).toEqual([]);
  });
});

test('texts are counted by the hour, with how long they took', () => {
  const now = Date.UTC(2026, 0, 2, 10, 30);
  const hour = Date.UTC(2026, 0, 2, 9);
  const { hours, latency } = sendStatistics(
    {
      recentTexts: {
        hours: () => [
          { from: hour, state: 'sent', count: 3 },
          { from: hour, state: 'failed', count: 1 },
          { from: hour, state: 'deduplicated', count: 9 },
        ],
        latencies: () => [100, 300, 400, 90_000, -5],
      },
    } as unknown as Parameters<typeof sendStatistics>[0],
    now,
  );
  expect(hours).toHaveLength(24);
  expect(hours.at(-1)?.from).toBe('2026-01-02T10:00:00.000Z');
  expect(hours.at(-2)).toEqual({ from: '2026-01-02T09:00:00.000Z', sent: 3, failed: 1, unknown: 0 });
  expect(latency.buckets.filter(({ count }) => count > 0)).toEqual([
    { upToMs: 250, count: 2 },
    { upToMs: 500, count: 2 },
    { upToMs: null, count: 1 },
  ]);
  expect([latency.p50Ms, latency.p95Ms]).toEqual([300, 90_000]);
});

describe('the link by the hour', () => {
  test('has the mean round trip and the reconnects of each, over a restart, and no more than a day', () => {
    const clock = new FakeClock();
    const values = new Map<string, string>();
    const hours = new LinkHours(storeOf(values), clock);
    const hour = () => clock.now() - (clock.now() % HOUR_MS);
    const first = hour();
    for (const ms of [10, 30]) hours.noteRoundTrip(ms);
    hours.noteReconnect();
    expect(hours.at(first)).toEqual({ reconnects: 1, rttMs: 20 });
    expect(hours.at(first - HOUR_MS)).toEqual({ reconnects: 0, rttMs: null });
    hours.save();
    expect(new LinkHours(storeOf(values), clock).at(first)).toEqual({ reconnects: 1, rttMs: 20 });
    for (let count = 0; count < 500; count++) {
      clock.advance(HOUR_MS);
      hours.noteReconnect();
    }
    hours.save();
    expect(JSON.parse(values.get('link_hours') ?? '')).toHaveLength(24);
    expect(hours.at(first)).toEqual({ reconnects: 0, rttMs: null });
    expect(hours.at(hour())).toEqual({ reconnects: 1, rttMs: null });
  });
});

test('the newest 100 notifications are kept, over a restart, and a long one is cut', () => {
  const clock = new FakeClock();
  const values = new Map<string, string>();
  const history = new NotificationHistory(storeOf(values), clock);
  for (let count = 0; count < 150; count++)
    history.note({ level: 'info', message: `${count} ${'x'.repeat(9_000)}` });
  expect(history.isSaved).toBe(false);
  history.save();
  expect(history.isSaved).toBe(true);
  const again = new NotificationHistory(storeOf(values), clock).list();
  expect(again.map(({ message }) => message.split(' ')[0])).toEqual(
    Array.from({ length: 100 }, (_, index) => String(index + 50)),
  );
  expect((values.get('notifications') ?? '').length).toBeLessThan(100_000);
});

test('an action of an operator is reported by what changed, not by what was requested', () => {
  expect(ACT_WORDS.pause({ conversation: '*', known: true, changed: true })).toBe('paused sending');
  expect(ACT_WORDS.pause({ conversation: '*', known: true, changed: false })).toBeUndefined();
  expect(ACT_WORDS.resume({ resumed: ['+13105551234'], stillPaused: [] })).toBe(
    'resumed sending to +1•••1234',
  );
  expect(ACT_WORDS.resume({ resumed: [], stillPaused: ['*'] })).toBeUndefined();
  expect(ACT_WORDS['queue.drop'](['a', 'b'])).toBe('gave up 2 messages that were set aside');
  expect(ACT_WORDS['queue.retry']([])).toBeUndefined();
  expect(ACT_WORDS['schedule.cancel']({ cancelled: false, status: 'sent' })).toBeUndefined();
});
