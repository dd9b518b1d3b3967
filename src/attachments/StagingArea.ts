import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { isMissing } from '../system/missingFile.js';
import { safeName } from './safeName.js';

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** In the directory of a copy that chat.db names as its own: it belongs to Messages from then on. */
const KEPT = '.kept';

/**
 * Where files lie while they are being sent: `<root>/<uuid>/<name>`, each in a directory (0700) of its own, under
 * Messages' own directory, as Messages may read no other (docs/facts.md#files).
 */
export class StagingArea {
  constructor(readonly root: string) {}

  /**
   * Puts a file there, durably, and returns its path; its name is made safe. Throws the file system's error, with
   * nothing left behind.
   */
  put(name: string, bytes: Uint8Array): string {
    const directory = join(this.root, randomUUID());
    mkdirSync(this.root, { recursive: true, mode: 0o700 });
    chmodSync(this.root, 0o700);
    mkdirSync(directory, { mode: 0o700 });
    try {
      const path = join(directory, safeName(name));
      const fd = openSync(path, 'wx', 0o600);
      try {
        writeFileSync(fd, bytes);
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      syncDirectory(directory);
      syncDirectory(this.root);
      return path;
    } catch (error) {
      rmSync(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** Removes the directory of a staged file; one that is not ours, or is gone, is left alone. */
  remove(path: string): void {
    if (this.owns(path)) rmSync(dirname(path), { recursive: true, force: true });
  }

  /** The file belongs to Messages now: no sweep takes it. */
  keep(path: string): void {
    if (!this.owns(path)) return;
    try {
      writeFileSync(join(dirname(path), KEPT), '', { mode: 0o600 });
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  /**
   * Removes every directory of ours that holds none of these files, was not given away, and is older than that (Unix
   * ms): what an earlier life or a refused write left. Returns how many.
   */
  sweep(inUse: ReadonlySet<string>, olderThan: number): number {
    const used = new Set([...inUse].map((path) => basename(dirname(path))));
    let removed = 0;
    for (const name of this.directories()) {
      const directory = join(this.root, name);
      if (used.has(name) || lstatSync(directory).mtimeMs > olderThan) continue;
      if (readdirSync(directory).includes(KEPT)) continue;
      rmSync(directory, { recursive: true, force: true });
      removed += 1;
    }
    return removed;
  }

  private owns(path: string): boolean {
    const directory = dirname(path);
    return dirname(directory) === this.root && UUID.test(basename(directory));
  }

  private directories(): string[] {
    try {
      return readdirSync(this.root, { withFileTypes: true })
        .filter((entry) => entry.isDirectory() && UUID.test(entry.name))
        .map(({ name }) => name);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }
}

/** A new name is on the disk only once its directory is. */
function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
