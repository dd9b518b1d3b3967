import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../system/clock.js';
import { exhaustion } from '../system/failures.js';
import { isMissing } from '../system/missingFile.js';
import { runProgram } from '../system/runProgram.js';

interface ConversionOptions {
  /** The path of sips(1). */
  sips: string;
  /** What sips inherits: of `childEnvironment`. */
  env: NodeJS.ProcessEnv;
  /** A private directory for the copies that sips reads and writes; made if it is missing. */
  workDirectory: string;
  maxBytes: number;
  clock: Clock;
}

const SIPS_TIMEOUT_MS = 30_000;

/**
 * The image as JPEG, which others than Apple can read; undefined where there is no sips, it fails, or the result is larger
 * than `maxBytes`: then the image is sent as it is. Works on a copy, as sips opens by name. Throws the file system's error,
 * and the like where this machine has run out of what sips needs.
 */
export async function jpegOfHeic(heic: Buffer, options: ConversionOptions): Promise<Buffer | undefined> {
  const { sips, env, workDirectory, maxBytes, clock } = options;
  await mkdir(workDirectory, { recursive: true, mode: 0o700 });
  const directory = await mkdtemp(join(workDirectory, 'heic-'));
  try {
    const source = join(directory, 'image.heic');
    const target = join(directory, 'image.jpg');
    await writeFile(source, heic, { mode: 0o600 });
    const args = ['-s', 'format', 'jpeg', source, '--out', target];
    const end = await runProgram(sips, args, { env, timeoutMs: SIPS_TIMEOUT_MS, clock });
    if (end.kind === 'notStarted' && exhaustion(end.systemCode) !== undefined) {
      throw Object.assign(new Error(end.message), { code: end.systemCode });
    }
    if (end.kind !== 'ended' || end.code !== 0) return undefined;
    const size = await sizeOf(target);
    return size > 0 && size <= maxBytes ? await readFile(target) : undefined;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** 0 where sips wrote nothing: it ends with 0 for some images that it cannot convert. */
async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isMissing(error)) return 0;
    throw error;
  }
}
