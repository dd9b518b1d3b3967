import { expect, test } from 'vitest';
import { socketPath } from '../../src/operator/socketPath.js';

const LONG = `/Users/sam/${'state/'.repeat(30)}`;

test('the socket is in the state directory', () => {
  expect(socketPath('/Users/sam/state', '/Users/sam')).toBe('/Users/sam/state/edge-agent.sock');
});

test('for a path that is too long it is in the home directory, whatever temporary directory a shell has', () => {
  const before = process.env.TMPDIR;
  const paths = ['/tmp', '/elsewhere'].map((place) => {
    process.env.TMPDIR = place;
    return socketPath(LONG, '/Users/sam');
  });
  if (before === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = before;
  expect(paths[0]).toMatch(/^\/Users\/sam\/\.edge-agent\/[0-9a-f]{16}\.sock$/);
  expect(paths[1]).toBe(paths[0]);
});

test('where the home directory is too long as well, that is reported', () => {
  expect(() => socketPath(LONG, LONG)).toThrow(expect.objectContaining({ code: 'state_unwritable' }));
});
