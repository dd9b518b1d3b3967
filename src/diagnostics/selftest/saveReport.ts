import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Report } from '../checks/runChecks.js';

/** Whose report it is. The monitor shows the newest of them. */
type ReportFile = 'selftest.json' | 'doctor.json';

/** Saves the report (0600), in the place of the one before; its path. Throws what the file system throws. */
export function saveReport(
  report: Report,
  stateDirectory: string,
  file: ReportFile = 'selftest.json',
): string {
  mkdirSync(stateDirectory, { recursive: true, mode: 0o700 });
  const path = join(stateDirectory, file);
  writeFileSync(`${path}.new`, `${JSON.stringify(report, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
  return path;
}
