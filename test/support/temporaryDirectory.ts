import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'vitest';

/** A directory of its own, removed when the test has finished. */
export function temporaryDirectory(context: Pick<TestContext, 'onTestFinished'>): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'edge-')));
  context.onTestFinished(() =>
    rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }),
  );
  return directory;
}
