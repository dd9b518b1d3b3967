import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { FilesWatch } from '../../src/config/FilesWatch.js';
import { systemClock } from '../../src/system/clock.js';
import { FakeClock } from '../support/FakeClock.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { until } from '../support/until.js';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).toReversed()) cleanup();
});

function place(): string {
  const directory = mkdtempSync(join(tmpdir(), 'edge-watch-'));
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function watching(paths: readonly string[], clock = systemClock) {
  let changes = 0;
  const watch = new FilesWatch({
    paths: () => paths,
    clock,
    log: new RecordingLog(),
    onChange: () => (changes += 1),
  });
  watch.start();
  cleanups.push(() => watch.stop());
  const told = (count: number) =>
    until(
      () => changes === count,
      () => `${count} changes; there were ${changes}`,
    );
  return { watch, told, count: () => changes };
}

describe('a change of a file is noticed', () => {
  test('when it is written, replaced by rename, removed, and restored', async () => {
    const directory = place();
    const path = join(directory, 'config.yaml');
    writeFileSync(path, 'a');
    const { told } = watching([path]);
    writeFileSync(path, 'ab');
    await told(1);
    writeFileSync(join(directory, '.config.yaml.swp'), 'abc');
    renameSync(join(directory, '.config.yaml.swp'), path);
    await told(2);
    rmSync(path);
    await told(3);
    writeFileSync(path, 'a');
    await told(4);
  });

  test('when it was not there at first, nor its directory', async () => {
    const directory = join(place(), 'later');
    const { told } = watching([join(directory, '.env')]);
    mkdirSync(directory);
    writeFileSync(join(directory, '.env'), 'a=b');
    await told(1);
  });

  test('without file events too: behind a symbolic link', async () => {
    const target = join(place(), 'config.yaml');
    writeFileSync(target, 'a');
    const path = join(place(), 'config.yaml');
    symlinkSync(target, path);
    const { told } = watching([path]);
    writeFileSync(target, 'ab');
    await told(1);
  });
});

test('an editor that saves in many steps is reported once, and other files not at all', () => {
  const clock = new FakeClock();
  const directory = place();
  const path = join(directory, 'config.yaml');
  writeFileSync(path, 'a');
  const { count, watch } = watching([path], clock);
  writeFileSync(join(directory, 'other'), 'x');
  clock.advance(2_500);
  expect(count()).toBe(0);
  writeFileSync(path, '');
  clock.advance(1_500);
  rmSync(path);
  clock.advance(150);
  writeFileSync(path, 'whole');
  clock.advance(199);
  expect(count()).toBe(0);
  clock.advance(2_000);
  expect(count()).toBe(1);
  clock.advance(10_000);
  expect(count()).toBe(1);
  watch.stop();
  expect(clock.pending).toBe(0);
});
