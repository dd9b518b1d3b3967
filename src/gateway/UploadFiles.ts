import { createHash } from 'node:crypto';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemCode } from '../system/failures.js';
import { randomHex } from '../system/random.js';

/** What is written and not renamed yet. */
const UNFINISHED = '.part';

/**
 * The bytes of uploaded files, each in a file of its own (mode 0600, directories 0700) whose name tells nothing. Several replicas may
 * share the directory.
 */
export class UploadFiles {
  constructor(private readonly directory: string) {}

  /** Makes the directory, and removes what an earlier process left unfinished. Rejects with an error of the file system. */
  async prepare(): Promise<void> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    for (const entry of await readdir(this.directory, { withFileTypes: true })) {
      if (!entry.isDirectory() || !/^[0-9a-f]{2}$/.test(entry.name)) continue;
      const folder = join(this.directory, entry.name);
      const left = (await readdir(folder)).filter((name) => name.endsWith(UNFINISHED));
      for (const name of left) await rm(join(folder, name), { force: true });
    }
  }

  /**
   * Keeps a file; on the disk when it resolves. Gives its name within the store, the same for the same file of the same agent, so that
   * a repeat after a crash replaces what it left.
   */
  async keep(agentId: string, guid: string, bytes: Buffer): Promise<string> {
    const digest = createHash('sha256')
      .update(JSON.stringify([agentId, guid]))
      .digest('hex');
    const name = join(digest.slice(0, 2), digest);
    const path = join(this.directory, name);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const unfinished = `${path}.${randomHex(4)}${UNFINISHED}`;
    try {
      const file = await open(unfinished, 'wx', 0o600);
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(unfinished, path);
    } catch (mistake) {
      await rm(unfinished, { force: true });
      throw mistake;
    }
    await syncDirectory(dirname(path));
    await syncDirectory(this.directory);
    return name;
  }

  /** Where a file is. */
  pathOf(name: string): string {
    return join(this.directory, name);
  }

  /** Removes a file. Harmless to repeat. */
  async remove(name: string): Promise<void> {
    await rm(this.pathOf(name), { force: true });
  }
}

/** Puts the names in a directory on the disk, where the file system does that. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } catch (mistake) {
    // Some file systems refuse it, and keep names by themselves.
    if (systemCode(mistake) !== 'EINVAL') throw mistake;
  } finally {
    await directory.close();
  }
}
