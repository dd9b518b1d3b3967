import { expect, test } from 'vitest';
import { wholeId } from '../../src/operator/namedId.js';

const IDS = ['cmd_12ab', 'cmd_12cd', 'cmd_9', 'cmd_', 'abc'];
const meant = (written: string) => wholeId(written, IDS, 'command_unknown');

test('an id may be shortened to a unique beginning', () => {
  expect(meant('cmd_9')).toBe('cmd_9');
  expect(meant('cmd_12a')).toBe('cmd_12ab');
  expect(meant('cmd_5')).toBeUndefined();
});

test('an id that is the beginning of others is found itself', () => {
  expect(meant('cmd_')).toBe('cmd_');
});

test('an ambiguous beginning is refused with the candidates, and nothing is chosen', () => {
  expect(() => meant('cmd_12')).toThrow(
    expect.objectContaining({
      code: 'command_unknown',
      message: expect.stringContaining('cmd_12ab, cmd_12cd'),
    }),
  );
});

test('a beginning of a few letters is refused, even where it is unique', () => {
  expect(meant('ab')).toBeUndefined();
});
