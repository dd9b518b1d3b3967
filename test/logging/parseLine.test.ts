import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FORMATTERS } from '../../src/logging/formatLine.js';
import { parseLine } from '../../src/logging/parseLine.js';

const event = fc.record({
  time: fc.integer({ min: 0, max: 4e12 }),
  level: fc.constantFrom('debug', 'info', 'warn', 'error'),
  message: fc.string(),
  fields: fc.dictionary(
    fc.stringMatching(/^[a-z][a-z_]{0,8}$/).filter((key) => !['time', 'level', 'msg'].includes(key)),
    fc.oneof(fc.string(), fc.integer(), fc.boolean()),
    { maxKeys: 4 },
  ),
});

test('time and level of every line that the log writes are read back, in both formats', () => {
  fc.assert(
    fc.property(event, fc.constantFrom('text', 'json'), (written, format) => {
      const line = FORMATTERS[format](written, (text) => text).slice(0, -1);
      expect(parseLine(line)).toMatchObject({ time: written.time, level: written.level });
    }),
  );
});

test('message and fields are read back', () => {
  const written = {
    time: 0,
    level: 'info',
    message: 'A text was sent',
    fields: { trace: 'cmd_1', cause: 'two "words"', ms: 12, empty: '' },
  } as const;
  const text = FORMATTERS.text(written, (value) => value).slice(0, -1);
  expect(parseLine(text)).toEqual({ ...written, fields: { ...written.fields, ms: '12' } });
  const json = FORMATTERS.json(written, (value) => value).slice(0, -1);
  expect(parseLine(json)).toEqual(written);
});

test.each([
  '',
  '    at run (file.js:1:2)',
  '{',
  '{"a":1}',
  '[x] [INFO] y',
  '[2026-01-01T00:00:00.000Z] hello',
])('“%s” is no line of the log', (line) => {
  expect(parseLine(line)).toBeUndefined();
});
