import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { EdgeError } from '../../errors.js';
import type { Clock } from '../../system/clock.js';
import { ownFileFault, systemCode } from '../../system/failures.js';
import { randomHex } from '../../system/random.js';
import { type UploadStore, uploadName } from './UploadStore.js';

/** What is written and not renamed yet. */
const UNFINISHED = '.part';

/** Longer than any file is being written, in ms. */
const ABANDONED_MS = 3_600_000;

/**
 * The bytes of uploaded files, each in a separate file (mode 0600, directories 0700) with a random name. Several
 * replicas may share the directory.
 */
export class UploadFiles implements UploadStore {
  constructor(
    private readonly directory: string,
    private readonly clock: Clock,
  ) {}

  /** Makes the directory, and removes what earlier processes left unfinished; what is young another replica may be writing. */
  prepare(): Promise<void> {
    return orFault(async () => {
      await mkdir(this.directory, { recursive: true, mode: 0o700 });
      for (const entry of await readdir(this.directory, { withFileTypes: true })) {
        if (!entry.isDirectory() || !/^[0-9a-f]{2}$/.test(entry.name)) continue;
        const folder = join(this.directory, entry.name);
        const left = (await readdir(folder)).filter((name) => name.endsWith(UNFINISHED));
        for (const name of left) {
          const path = join(folder, name);
          if ((await writtenAt(path)) < this.clock.now() - ABANDONED_MS) await rm(path, { force: true });
        }
      }
    });
  }

  /** On the disk when it resolves. */
  async keep(agentId: string, guid: string, bytes: Buffer): Promise<string> {
    const name = uploadName(agentId, guid);
    await orFault(() => this.write(join(this.directory, name), bytes));
    return name;
  }

  read(name: string): Promise<Readable | undefined> {
    return orFault(async () => {
      try {
        return (await open(join(this.directory, name), 'r')).createReadStream();
      } catch (cause) {
        if (systemCode(cause) === 'ENOENT') return undefined;
        throw cause;
      }
    });
  }

  remove(name: string): Promise<void> {
    return orFault(() => rm(join(this.directory, name), { force: true }));
  }

  private async write(path: string, bytes: Buffer): Promise<void> {
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
  }
}

/** Unix ms; infinity for a file that another process has finished meanwhile. */
async function writtenAt(path: string): Promise<number> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (mistake) {
    if (systemCode(mistake) !== 'ENOENT') throw mistake;
    return Number.POSITIVE_INFINITY;
  }
}

/** A refusal of the file system is a fault of this machine, not a bug. */
async function orFault<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const fault = ownFileFault(cause);
    if (fault === undefined) throw cause;
    const code = fault.code === 'disk_full' ? 'disk_full' : 'storage_unavailable';
    throw new EdgeError(code, `Uploads cannot be stored: ${fault.message}`, fault.remedy, { cause });
  }
}

/** Puts the names in a directory on the disk, where the file system does that. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } catch (mistake) {
    // Some file systems refuse it, and make names durable on their own.
    if (systemCode(mistake) !== 'EINVAL') throw mistake;
  } finally {
    await directory.close();
  }
}
