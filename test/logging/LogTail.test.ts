import { appendFileSync, copyFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { logFiles } from '../../src/logging/LineFile.js';
import { LogTail } from '../../src/logging/LogTail.js';
import { temporaryDirectory } from '../support/temporaryStore.js';

function log(from: 'start' | 'end' = 'start') {
  const path = join(temporaryDirectory(), 'edge-agent.log');
  writeFileSync(path, 'first\n');
  const tail = new LogTail(path, from);
  onTestFinished(() => tail.close());
  return { path, tail };
}

function copyAndCut(path: string): void {
  copyFileSync(path, `${path}.1`);
  truncateSync(path);
}

test('lines come once, and only when complete', () => {
  const { path, tail } = log();
  expect(tail.read()).toEqual(['first']);
  appendFileSync(path, 'sec');
  expect(tail.read()).toEqual([]);
  appendFileSync(path, 'ond\nthird\n');
  expect(tail.read()).toEqual(['second', 'third']);
  expect(tail.read()).toEqual([]);
});

test('from the end on, existing lines are left out', () => {
  const { path, tail } = log('end');
  expect(tail.read()).toEqual([]);
  appendFileSync(path, 'new\n');
  expect(tail.read()).toEqual(['new']);
});

test('what was written just before the log was copied and truncated is not lost', () => {
  const { path, tail } = log();
  tail.read();
  appendFileSync(path, 'unseen ü');
  tail.read();
  appendFileSync(path, ' and its end\nlast\n');
  copyAndCut(path);
  appendFileSync(path, 'after\n');
  expect(tail.read()).toEqual(['unseen ü and its end', 'last', 'after']);
});

test('a log that was truncated and has grown beyond its old length is noticed', () => {
  const { path, tail } = log();
  tail.read();
  copyAndCut(path);
  appendFileSync(path, 'a line that is longer than all that was there\n');
  expect(tail.read()).toEqual(['a line that is longer than all that was there']);
});

test('a log that was truncated without a copy is read from its start', () => {
  const { path, tail } = log();
  tail.read();
  truncateSync(path);
  expect(tail.read()).toEqual([]);
  appendFileSync(path, 'x\n');
  expect(tail.read()).toEqual(['x']);
});

test('a log that was renamed and recreated is followed, with the last lines of the old one', () => {
  const { path, tail } = log();
  tail.read();
  appendFileSync(path, 'unseen\n');
  renameSync(path, `${path}.1`);
  expect(tail.read()).toEqual(['unseen']);
  appendFileSync(`${path}.1`, 'still the old one\n');
  writeFileSync(path, 'new\n');
  expect(tail.read()).toEqual(['still the old one', 'new']);
});

test('a log that does not exist yet is waited for', () => {
  const path = join(temporaryDirectory(), 'edge-agent.log');
  const tail = new LogTail(path, 'end');
  onTestFinished(() => tail.close());
  expect(tail.read()).toEqual([]);
  writeFileSync(path, 'born\n');
  expect(tail.read()).toEqual(['born']);
  rmSync(path);
  expect(tail.read()).toEqual([]);
  writeFileSync(path, 'again\n');
  expect(tail.read()).toEqual(['again']);
});

test('the files of a log are listed from the oldest on, without any others', () => {
  const { path } = log();
  for (const ending of ['1', '2', '10', 'rotating', '0', '01', '1.gz'])
    writeFileSync(`${path}.${ending}`, '');
  expect(logFiles(path)).toEqual([`${path}.10`, `${path}.2`, `${path}.1`, path]);
});
