import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { InstanceLock } from '../../src/store/InstanceLock.js';
import { temporaryDirectory } from '../support/temporaryStore.js';

test('a second agent on the same state directory is refused at once, and admitted when the first is gone', () => {
  const path = join(temporaryDirectory(), 'agent.lock');
  const first = InstanceLock.acquire(path);
  expect(() => InstanceLock.acquire(path)).toThrow(expect.objectContaining({ code: 'already_running' }));
  first.release();
  InstanceLock.acquire(path).release();
});

test('a lock whose directory was deleted is taken again, unless another process was faster', () => {
  const home = temporaryDirectory();
  const path = join(home, 'agent.lock');
  const first = InstanceLock.acquire(path);
  renameSync(path, `${path}.aside`);
  expect(first.isInPlace()).toBe(false);
  const faster = InstanceLock.acquire(path);
  expect(() => first.takeAgain()).toThrow(expect.objectContaining({ code: 'already_running' }));
  faster.release();
  rmSync(home, { recursive: true });
  first.takeAgain();
  expect(first.isInPlace()).toBe(true);
  expect(() => InstanceLock.acquire(path)).toThrow(expect.objectContaining({ code: 'already_running' }));
  first.release();
  InstanceLock.acquire(path).release();
});

test('a lock that cannot be created is reported', () => {
  const path = join(temporaryDirectory(), 'missing', 'agent.lock');
  expect(() => InstanceLock.acquire(path)).toThrow(expect.objectContaining({ code: 'state_unwritable' }));
});

test('its state can be read, without taking it and without creating the file', () => {
  const path = join(temporaryDirectory(), 'agent.lock');
  expect(InstanceLock.isHeld(path)).toBe(false);
  expect(existsSync(path)).toBe(false);
  const lock = InstanceLock.acquire(path);
  expect(InstanceLock.isHeld(path)).toBe(true);
  lock.release();
  expect(InstanceLock.isHeld(path)).toBe(false);
});
