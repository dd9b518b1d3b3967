import { describe, expect, test } from 'vitest';
import { DISPATCH_MARKER, SCRIPTS } from '../../../src/messages/applescript/scripts.js';

describe.each(Object.entries(SCRIPTS))('the script %s', (_name, source) => {
  const lines = source.split('\n').map((line) => line.trim());
  const marker = lines.indexOf(`log "${DISPATCH_MARKER}"`);

  test('logs the marker directly before its only send', () => {
    expect(lines.filter((line) => line.includes('send '))).toHaveLength(1);
    expect(lines[marker + 1]).toBe('tell application "Messages" to send theContent to theTarget');
  });

  test('asks Messages for the target before the marker', () => {
    const lookUps = lines.map((line, at) => (/^(get id of|set theTarget)/.test(line) ? at : -1));
    expect(lookUps.some((at) => at >= 0)).toBe(true);
    expect(Math.max(...lookUps)).toBeLessThan(marker);
  });

  test('logs outside every tell block, where log writes to stderr', () => {
    const before = lines.slice(0, marker);
    const opened = before.filter((line) => line === 'tell application "Messages"').length;
    expect(before.filter((line) => line === 'end tell')).toHaveLength(opened);
  });

  test('bounds each Apple event by the third argument', () => {
    expect(lines).toContain('with timeout of ((item 3 of argv) as integer) seconds');
    expect(lines.indexOf('end timeout')).toBeGreaterThan(marker);
  });

  test('takes all input from argv', () => {
    const literals = [...source.matchAll(/"([^"]*)"/g)].map((match) => match[1]);
    expect(new Set(literals)).toEqual(
      new Set(['Messages', DISPATCH_MARKER, ...(source.includes('theAccountId') ? [''] : [])]),
    );
  });
});

test('names the account by its id or takes the first one of the service', () => {
  expect(SCRIPTS['participant-text']).toContain('1st account whose service type = iMessage');
  expect(SCRIPTS['sms-text']).toContain('1st account whose service type = SMS');
  expect(SCRIPTS['participant-text']).toContain('account id theAccountId');
});
