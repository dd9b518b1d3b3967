import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What a soak keeps for the analysis of a failure. */
const EVIDENCE = /^edge-soak-/;

/** Where Node from 22 on keeps what npm and tsc have compiled: no test's, and gone with the place. */
const COMPILED = 'node-compile-cache';

/** Linux: files in memory. They outlive every process that is killed, and no commit waits for a disk. */
const MEMORY = '/dev/shm';
const ENOUGH_BYTES = 2 ** 30;

/**
 * Gives a run of the tests a temporary directory of its own, in memory where that is possible and TMPDIR names no other
 * place. What a test leaves in it fails the run, by name, and is removed; evidence stays.
 */
export function setup(): () => void {
  const before = process.env.TMPDIR;
  const place = (before === undefined ? inMemory() : undefined) ?? mkdtempSync(join(tmpdir(), 'edge-'));
  process.env.TMPDIR = place;
  /** Returns what was left but evidence. */
  const clear = (): string[] => {
    const left = readdirSync(place);
    const litter = left.filter((name) => !EVIDENCE.test(name));
    const named = litter.filter((name) => name !== COMPILED).map((name) => withContents(place, name));
    for (const name of litter) rmSync(join(place, name), { recursive: true, force: true });
    if (litter.length === left.length) rmSync(place, { recursive: true, force: true });
    return named;
  };
  // A run that is interrupted is not torn down.
  process.once('exit', clear);
  return () => {
    process.off('exit', clear);
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
    const litter = clear();
    if (litter.length === 0) return;
    console.error(`FAIL  tests left in the temporary directory: ${litter.toSorted().join(', ')}`);
    // An error of a teardown is only printed.
    process.exitCode = 1;
  };
}

/** With a few of the files in it, which show its owner. */
function withContents(place: string, name: string): string {
  if (!statSync(join(place, name)).isDirectory()) return name;
  const inside = readdirSync(join(place, name), { recursive: true, encoding: 'utf8' });
  return `${name} (${inside.length === 0 ? 'empty' : inside.slice(0, 8).join(', ')})`;
}

/** Undefined where there is no such place, too little room in it (as in most containers), or nothing may be executed. */
function inMemory(): string | undefined {
  let place: string | undefined;
  try {
    const { bavail, bsize } = statfsSync(MEMORY);
    if (bavail * bsize < ENOUGH_BYTES) return undefined;
    place = mkdtempSync(join(MEMORY, 'edge-'));
    const script = join(place, 'script');
    writeFileSync(script, '#!/bin/sh\nexit 0\n', { mode: 0o700 });
    if (spawnSync(script).status === 0) {
      rmSync(script);
      return place;
    }
  } catch {
    // Not Linux, or not ours to write to: the disk does as well, only slower.
  }
  if (place !== undefined) rmSync(place, { recursive: true });
  return undefined;
}
