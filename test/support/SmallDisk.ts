import { execFileSync } from 'node:child_process';
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmdirSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Cleanup } from './EdgeWorld.js';

/** A file system of a few megabytes, in memory, that a test can fill up. Linux and root only: ask `canMount` first. */
export class SmallDisk {
  private readonly ballast: string;

  private constructor(readonly path: string) {
    this.ballast = join(path, 'ballast');
  }

  /** Mounts it at `path`; it is gone when the test is over. */
  static mount({ onTestFinished }: Cleanup, path: string, megabytes: number): SmallDisk {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    mountAt(path, megabytes);
    // Lazily: a process that the test left behind may still have files open there.
    onTestFinished(() => void execFileSync('umount', ['-l', path]));
    return new SmallDisk(path);
  }

  /** Whether this machine lets us mount one. */
  static canMount(): boolean {
    const path = mkdtempSync(join(tmpdir(), 'edge-mount-'));
    try {
      mountAt(path, 1);
      execFileSync('umount', [path]);
      return true;
    } catch {
      // Not root, not Linux, or a container without the right to mount: the caller says what is left out.
      return false;
    } finally {
      rmdirSync(path);
    }
  }

  /** Takes every byte that is left, or all but so many. */
  fill(butBytes = 0): void {
    const file = openSync(this.ballast, 'a');
    for (const size of [65_536, 4_096, 1]) {
      try {
        for (;;) writeSync(file, Buffer.alloc(size));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    }
    ftruncateSync(file, fstatSync(file).size - butBytes);
    closeSync(file);
  }

  /** From now on nothing is written to it. No file on it may be open for writing. */
  makeReadOnly(): void {
    execFileSync('mount', ['-o', 'remount,ro', this.path]);
  }

  /** Gives back what `fill` took. */
  makeRoom(): void {
    rmSync(this.ballast);
  }
}

function mountAt(path: string, megabytes: number): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', path], { stdio: 'pipe' });
}
