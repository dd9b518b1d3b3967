import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Report } from '../checks/runChecks.js';

const FILE = 'selftest.json';

/** Saves the report as `selftest.json` (0600), in the place of the one before. Throws what the file system throws. */
export function saveReport(report: Report, stateDirectory: string): string {
  mkdirSync(stateDirectory, { recursive: true, mode: 0o700 });
  const path = join(stateDirectory, FILE);
  writeFileSync(`${path}.new`, `${JSON.stringify(report, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
  return path;
}
