import { describe, expect, test } from 'vitest';
import { SETTINGS } from '../../src/config/settings.js';
import { fits } from '../../src/monitor-page/log/logFilter.js';
import { joined } from '../../src/monitor-page/log/logLines.js';
import { HANDLE_SETTINGS, mask, maskSetting } from '../../src/monitor-page/mask.js';
import { hoursSince } from '../../src/monitor-page/overview/chartHours.js';
import {
  DAY_MS,
  linkSegments,
  linkShares,
  percent,
  stripStart,
} from '../../src/monitor-page/overview/linkSegments.js';
import { peopleOf } from '../../src/monitor-page/people.js';
import { routeOf } from '../../src/monitor-page/route.js';
import { distance, duration } from '../../src/monitor-page/words.js';

const NOW = Date.UTC(2026, 5, 1, 12);
const HOUR = 3_600_000;
const ago = (ms: number) => new Date(NOW - ms).toISOString();

describe('the charts of a young agent', () => {
  test('the strip begins with its record, and is never shorter than a minute', () => {
    const age = (ms: number) => NOW - stripStart([{ at: ago(ms) }], NOW);
    expect([age(1_000), age(HOUR), age(30 * HOUR)]).toEqual([60_000, HOUR, DAY_MS]);
    expect(NOW - stripStart([], NOW)).toBe(60_000);
  });

  test('bars begin with the hour of its record, or with the first that has something', () => {
    const hours = [4, 3, 2, 1].map((hours) => ({ from: ago(hours * HOUR), values: [hours === 3 ? 1 : 0] }));
    const shown = (since: number) => hoursSince(hours, since).map(({ from }) => from);
    expect(shown(NOW)).toEqual([ago(3 * HOUR), ago(2 * HOUR), ago(HOUR)]);
    expect(shown(NOW - 30 * HOUR)).toHaveLength(4);
    const empty = hours.map(({ from }) => ({ from, values: [0] }));
    expect(hoursSince(empty, NOW - HOUR / 2).map(({ from }) => from)).toEqual([ago(HOUR)]);
  });
});

describe('the people in a text of the agent', () => {
  const known = [
    { conversation: '+13105551234', name: '+1•••1234' },
    { conversation: 'iMessage;-;ann@example.com', name: 'a•••@example.com' },
    { conversation: '+13105559876', name: 'Jane Quimby' },
  ];
  const text = 'A text to +1•••1234: no. By a•••@example.com, (iMessage;-;+1•••9876) and +44•••11.';

  test('have their names, and numbers only where they are to be shown', () => {
    expect(peopleOf(known, false).named(text)).toBe(text.replace('+1•••9876', 'Jane Quimby'));
    expect(peopleOf(known, true).named(text)).toBe(
      'A text to +13105551234: no. By ann@example.com, (iMessage;-;Jane Quimby) and +44•••11.',
    );
  });

  test('are not guessed where two have the same mask', () => {
    const twins = [...known, { conversation: '+14155551234', name: 'Other Jane' }];
    expect(peopleOf(twins, true).named('to +1•••1234.')).toBe('to +1•••1234.');
  });
});

describe('the strip of the link', () => {
  test('covers the day without a gap or an overlap', () => {
    const changes = [
      { at: ago(30 * HOUR), state: 'offline' as const },
      { at: ago(20 * HOUR), state: 'realtime' as const },
      { at: ago(2 * HOUR), state: 'polling' as const },
      { at: ago(-HOUR), state: 'realtime' as const },
    ];
    const segments = linkSegments(changes, NOW);
    expect(segments.map(({ state, from, to }) => [state, (to - from) / HOUR])).toEqual([
      ['offline', 4],
      ['realtime', 18],
      ['polling', 2],
    ]);
    expect([segments[0]?.from, segments.at(-1)?.to]).toEqual([NOW - DAY_MS, NOW]);
  });

  test('an unknown time is no time of any state', () => {
    expect(linkSegments([], NOW)).toEqual([{ state: 'unknown', from: NOW - DAY_MS, to: NOW }]);
    expect(linkShares(linkSegments([], NOW))).toEqual([]);
    const half = linkSegments([{ at: ago(12 * HOUR), state: 'realtime' }], NOW);
    expect(linkShares(half)).toEqual([{ state: 'realtime', share: 1 }]);
  });

  test('only a full day is called 100 %', () => {
    expect([1, 0.9999, 0.942, 0.5, 0.0001].map(percent)).toEqual([
      '100 %',
      '99.9 %',
      '94.2 %',
      '50 %',
      '< 0.1 %',
    ]);
  });
});

test('numbers and addresses in settings are masked, and nothing else is', () => {
  expect(mask('+13105550100')).toBe('+1•••0100');
  expect(mask('310-555-0100, ann@example.com')).toBe('•••0100, •••@example.com');
  for (const plain of ['15', 'https://backend.example.com', '~/Library/Messages/chat.db', '25', 'true']) {
    expect(mask(plain)).toBe(plain);
  }
});

test('settings without a person stay as they are, and there are no others with one', () => {
  expect(maskSetting('backend.url', 'http://127.0.0.1:8799')).toBe('http://127.0.0.1:8799');
  expect(maskSetting('logging.max_bytes', '10485760')).toBe('10485760');
  expect(maskSetting('edge.agent_id', 'edge_13105550100')).toBe('edge_•••0100');
  const naming = SETTINGS.filter(({ expected }) => /phone number|e-mail/.test(expected));
  for (const { key } of naming) expect([...HANDLE_SETTINGS]).toContain(key);
  for (const key of HANDLE_SETTINGS) expect(SETTINGS.map((setting) => setting.key)).toContain(key);
});

test('half an escape in the address is an unknown name, not an error', () => {
  expect(routeOf('#/commands/%')).toEqual({ view: 'commands', at: '%' });
  expect(routeOf('#/commands/a%20b')).toEqual({ view: 'commands', at: 'a b' });
});

test('a line of the same millisecond as the end of the log is not lost, and one that arrived both ways is shown once', () => {
  const line = (at: number, message: string, fields = {}) => ({
    at: ago(at),
    level: 'info',
    message,
    fields,
  });
  const tail = [line(2, 'a'), line(1, 'b', { id: '7' })];
  const live = [line(2, 'a'), line(1, 'b', { id: 7 }), line(1, 'c'), line(0, 'd')];
  expect(joined(tail, live).map(({ message }) => message)).toEqual(['a', 'b', 'c', 'd']);
  expect(joined([], live)).toHaveLength(4);
});

test('a line of the log matches by its level and by all of the search terms', () => {
  const line = { at: ago(0), level: 'warn', message: 'Real-time link lost', fields: { cause: '1006' } };
  expect(fits(line, 'warn', 'LOST 1006')).toBe(true);
  expect(fits(line, 'warn', 'lost 1000')).toBe(false);
  expect(fits(line, 'error', '')).toBe(false);
});

test('times are shown in the units that a person reads', () => {
  expect([850, 4_200, 42_000, 300_000, 7_800_000, 273_600_000].map(duration)).toEqual([
    ...['850 ms', '4.2 s', '42 s', '5 min', '2 h 10 min', '3 d 4 h'],
  ]);
  expect(distance(NOW - 13_000_000, NOW)).toBe('3 h ago');
  expect(distance(NOW + 90_000, NOW)).toBe('in 1 min');
});
