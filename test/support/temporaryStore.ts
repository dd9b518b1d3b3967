import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { Store } from '../../src/store/Store.js';
import type { Clock } from '../../src/system/clock.js';
import { RecordingLog } from './RecordingLog.js';

/** A directory that is gone when the test is over. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'edge-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A real store in a directory of its own. */
export function temporaryStore(clock: Clock, directory = temporaryDirectory()): Store {
  const store = Store.open(join(directory, 'edge-agent.db'), { clock, log: new RecordingLog() });
  onTestFinished(() => store.close());
  return store;
}
