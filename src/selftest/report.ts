import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { maskHandle } from '../logging/mask.js';
import { redactor } from '../logging/redact.js';
import type { Report } from './runSelftest.js';

const FILE = 'selftest.json';
const ADDRESS = /[^\s@<>"',;:()]+@[^\s@<>"',;:()]+\.[^\s@<>"',;:()]+/g;
const NUMBER = /\+\d[\d ().-]{5,}\d/g;

/**
 * What makes a report fit to be shown to others: no secret, no full phone number or e-mail address, and no name of a
 * user in a path.
 */
export function concealer(secrets: readonly string[], homeDir: string): (text: string) => string {
  const conceal = redactor(secrets);
  return (text) =>
    conceal(text)
      .replaceAll(homeDir, '~')
      .replace(/\/Users\/[^/\s]+/g, '/Users/•••')
      .replace(ADDRESS, maskHandle)
      .replace(NUMBER, maskHandle);
}

/** Saves the report as `selftest.json` (0600), in the place of the one before. Throws what the file system throws. */
export function saveReport(report: Report, stateDirectory: string): string {
  mkdirSync(stateDirectory, { recursive: true, mode: 0o700 });
  const path = join(stateDirectory, FILE);
  writeFileSync(`${path}.new`, `${JSON.stringify(report, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
  return path;
}
