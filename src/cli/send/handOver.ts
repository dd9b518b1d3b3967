import { constants, copyFileSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { handoverDirectory } from '../../config/places.js';
import { describeError, EdgeError } from '../../errors.js';
import { randomHex } from '../../system/random.js';

/** A copy of a file that the daemon may take; `withdraw` removes it. */
export interface HandedOver {
  file: { path: string; filename: string };
  withdraw: () => void;
}

/**
 * Copies a file to the directory from which the daemon sends files. The copy is made with the permissions of the
 * caller, so that the daemon, which may have more, cannot be used to bypass them. Throws EdgeError
 * `attachment_unavailable`.
 */
export function handOver(stateDirectory: string, path: string): HandedOver {
  const source = resolve(path);
  const directory = join(handoverDirectory(stateDirectory), randomHex(16));
  const withdraw = () => rmSync(directory, { recursive: true, force: true });
  try {
    if (!statSync(source).isFile()) throw new Error('it is not a file');
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const copy = join(directory, 'file');
    copyFileSync(source, copy, constants.COPYFILE_FICLONE);
    return { file: { path: copy, filename: basename(source) }, withdraw };
  } catch (cause) {
    withdraw();
    throw new EdgeError(
      'attachment_unavailable',
      `${path} cannot be sent: ${describeError(cause)}.`,
      'Name a file that this user can read.',
      { cause },
    );
  }
}
