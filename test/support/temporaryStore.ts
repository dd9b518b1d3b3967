import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Logger } from '../../src/logging/Logger.js';
import { Store } from '../../src/store/Store.js';
import type { Clock } from '../../src/system/clock.js';
import { FakeClock } from './FakeClock.js';
import { RecordingLog } from './RecordingLog.js';

/** A directory that is gone when the test is over. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'edge-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A real store in a directory of its own. */
export function temporaryStore(clock: Clock, directory = temporaryDirectory()): Store {
  const store = openTestStore(join(directory, 'edge-agent.db'), { clock, log: new RecordingLog() });
  onTestFinished(() => store.close());
  return store;
}

let blank: Buffer | undefined;

/**
 * Opens the store of that path. One that is not there yet begins as a copy of one that was made and closed in order: to make each by all
 * its migrations costs more than what most tests do with it.
 */
export function openTestStore(path: string, options: { clock: Clock; log: Logger }): Store {
  if (!existsSync(path)) writeFileSync(path, blankStore(), { mode: 0o600 });
  return Store.open(path, options);
}

function blankStore(): Buffer {
  if (blank !== undefined) return blank;
  const directory = mkdtempSync(join(tmpdir(), 'edge-'));
  const path = join(directory, 'edge-agent.db');
  Store.open(path, { clock: new FakeClock(), log: new RecordingLog() }).close();
  blank = readFileSync(path);
  rmSync(directory, { recursive: true });
  return blank;
}
