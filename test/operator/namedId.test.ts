import { expect, test } from 'vitest';
import { wholeId } from '../../src/operator/namedId.js';

const IDS = ['cmd_12ab', 'cmd_12cd', 'cmd_9', 'cmd_', 'abc'];
const meant = (written: string) => wholeId(written, IDS, 'command_unknown');

test('an id is meant by its beginning if no other begins so', () => {
  expect(meant('cmd_9')).toBe('cmd_9');
  expect(meant('cmd_12a')).toBe('cmd_12ab');
  expect(meant('cmd_5')).toBeUndefined();
});

test('an id that is the beginning of others is meant itself', () => {
  expect(meant('cmd_')).toBe('cmd_');
});

test('a beginning of several is refused with the candidates, and nothing is chosen', () => {
  expect(() => meant('cmd_12')).toThrow(
    expect.objectContaining({
      code: 'command_unknown',
      message: expect.stringContaining('cmd_12ab, cmd_12cd'),
    }),
  );
});

test('a few letters are no beginning, even where one id has them', () => {
  expect(meant('ab')).toBeUndefined();
});
