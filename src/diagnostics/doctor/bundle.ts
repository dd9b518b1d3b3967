import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from 'tar';
import { describeError, EdgeError } from '../../errors.js';

/** One file of a bundle. If it throws, the file has the error instead. */
export interface Collector {
  /** The name of the file. */
  readonly name: string;
  readonly collect: () => string | Promise<string>;
}

/** What became of one file. */
interface Collected {
  readonly name: string;
  readonly error?: string;
}

/** The directory in the archive. */
const FOLDER = 'edge-agent-bundle';

/**
 * Writes a .tar.gz (0600) with the file of every collector, each after `conceal`, and an `index.json` that lists them. A
 * collector that fails leaves its error in its file and harms no other. Never overwrites. Throws EdgeError
 * `state_unwritable` when the archive cannot be written; then there is none.
 */
export async function writeBundle(
  path: string,
  collectors: readonly Collector[],
  conceal: (text: string) => string,
): Promise<readonly Collected[]> {
  const workplace = mkdtempSync(join(tmpdir(), 'edge-agent-bundle-'));
  try {
    mkdirSync(join(workplace, FOLDER), { mode: 0o700 });
    const put = (name: string, text: string) =>
      writeFileSync(join(workplace, FOLDER, name), conceal(text), { mode: 0o600 });
    const collected: Collected[] = [];
    for (const collector of collectors) collected.push(await collectInto(put, collector));
    put('index.json', `${JSON.stringify({ schema: 1, files: collected }, null, 2)}\n`);
    await pack(path, workplace);
    return collected;
  } finally {
    rmSync(workplace, { recursive: true, force: true });
  }
}

async function collectInto(
  put: (name: string, text: string) => void,
  { name, collect }: Collector,
): Promise<Collected> {
  try {
    put(name, await collect());
    return { name };
  } catch (thrown) {
    const error = describeError(thrown);
    put(name, `This could not be collected: ${error}\n`);
    return { name, error };
  }
}

async function pack(path: string, workplace: string): Promise<void> {
  try {
    // Made first, for this user alone and only if there is none: what packs it would do neither.
    closeSync(openSync(path, 'wx', 0o600));
  } catch (thrown) {
    throw unwritable(path, thrown);
  }
  try {
    await create({ file: path, cwd: workplace, gzip: true, portable: true }, [FOLDER]);
  } catch (thrown) {
    rmSync(path, { force: true });
    throw unwritable(path, thrown);
  }
}

function unwritable(path: string, thrown: unknown): EdgeError {
  const isThere = thrown instanceof Error && 'code' in thrown && thrown.code === 'EEXIST';
  const why = isThere ? 'there is already a file of that name' : describeError(thrown);
  return new EdgeError(
    'state_unwritable',
    `The bundle ${path} cannot be written: ${why}.`,
    'Name another file: edge-agent doctor --bundle <file>',
    { cause: thrown },
  );
}
