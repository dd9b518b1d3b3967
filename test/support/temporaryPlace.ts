import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What a soak keeps to tell what went wrong. */
const EVIDENCE = /^edge-soak-/;

/**
 * Gives a run of the tests a temporary directory of its own. What a test leaves in it fails the run, by name, and is
 * removed; evidence stays.
 */
export function setup(): () => void {
  const before = process.env.TMPDIR;
  const place = mkdtempSync(join(tmpdir(), 'edge-'));
  process.env.TMPDIR = place;
  return () => {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
    const left = readdirSync(place);
    const evidence = left.filter((name) => EVIDENCE.test(name));
    const litter = left.filter((name) => !EVIDENCE.test(name));
    for (const name of litter) rmSync(join(place, name), { recursive: true, force: true });
    if (evidence.length === 0) rmSync(place, { recursive: true, force: true });
    if (litter.length > 0) {
      console.error(`FAIL  tests left in the temporary directory: ${litter.toSorted().join(', ')}`);
      // An error of a teardown is only printed.
      process.exitCode = 1;
    }
  };
}
