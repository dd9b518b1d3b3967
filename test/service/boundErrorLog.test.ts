import { appendFileSync, closeSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { boundErrorLog } from '../../src/service/boundErrorLog.js';
import { temporaryDirectory } from '../support/temporaryStore.js';

test('the file that launchd makes readable for everyone is made private', () => {
  const path = join(temporaryDirectory(), 'launchd.err.log');
  const file = openSync(path, 'a', 0o644);
  onTestFinished(() => closeSync(file));
  boundErrorLog(file);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('the file that launchd never rotates is emptied once it is above 1 MiB, and written on', () => {
  const path = join(temporaryDirectory(), 'launchd.err.log');
  const file = openSync(path, 'a');
  onTestFinished(() => closeSync(file));
  appendFileSync(path, 'x'.repeat(1024 * 1024));
  boundErrorLog(file);
  expect(statSync(path).size).toBe(1024 * 1024);
  writeSync(file, 'y');
  boundErrorLog(file);
  writeSync(file, 'the next line');
  expect(readFileSync(path, 'utf8')).toBe('the next line');
});
