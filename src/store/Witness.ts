import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { type AnsweredMessages, answeredSchema } from './AnsweredMessages.js';
import { begunSchema } from './begunTexts.js';
import { identityAt, identityOf } from './fileIdentity.js';

/** What is recorded outside of the state directory of the store that was last at work on a chat.db. Times are Unix ms. */
export interface WitnessRecord {
  store: string;
  counter: number;
  aliveAt: number;
  /** Its state directory. */
  directory: string;
  /** Above all revisions of acks that were ever given (`LedgerGap.revisions`). */
  revisions: number;
  /** Which messages it began to answer; undefined: it was of a version that did not record that. */
  answered?: AnsweredMessages | undefined;
  /** The texts that it had begun to send, and that had no row in chat.db yet. */
  begun: z.infer<typeof begunSchema>;
}

/** One page, so that a write is there whole or not at all, whenever the process dies. */
const SIZE = 4096;

const recordSchema = z.object({
  file: z.string(),
  store: z.string(),
  counter: z.int(),
  aliveAt: z.number(),
  directory: z.string(),
  revisions: z.int().default(0),
  answered: answeredSchema.optional().catch(undefined),
  begun: begunSchema.catch([]),
});

/**
 * A small file outside of the state directory which records how far the store has come that is at work. It is written after the commit
 * that it tells of, so that it is never ahead of that store: where it is, an older copy of the store was put back. It names the
 * file that it is itself, so that a copy of it, put back with the store, proves nothing.
 */
export class Witness {
  private constructor(
    private readonly path: string,
    private fd: number,
  ) {}

  /** Opens or makes the file (mode 0600). Throws what node:fs throws. */
  static open(path: string): Witness {
    return new Witness(path, opened(path));
  }

  /** Undefined: nothing was recorded, or this is a copy of the file in which it was. Throws what node:fs throws. */
  read(): WitnessRecord | undefined {
    const bytes = Buffer.alloc(SIZE);
    const length = readSync(this.fd, bytes, 0, SIZE, 0);
    const parsed = recordSchema.safeParse(parse(bytes.toString('utf8', 0, length)));
    if (!parsed.success || parsed.data.file !== identityOf(fstatSync(this.fd))) return undefined;
    const { file: _, ...record } = parsed.data;
    return record;
  }

  /**
   * Outlives the process at once, and a power cut if `durable`. A file that was removed since is made again. Throws what node:fs throws.
   */
  write(record: WitnessRecord, durable: boolean): void {
    this.reopenIfGone();
    const whole = { file: identityOf(fstatSync(this.fd)), ...record };
    const text = JSON.stringify(whole);
    const bytes = Buffer.alloc(SIZE, ' ');
    // The name of a directory may be of any length: what is only of use goes before what must be there.
    bytes.write(Buffer.byteLength(text) <= SIZE ? text : JSON.stringify({ ...whole, answered: undefined }));
    writeSync(this.fd, bytes, 0, SIZE, 0);
    if (durable) fsyncSync(this.fd);
  }

  close(): void {
    closeSync(this.fd);
  }

  /** What is written to a file that has no name any more is found by nobody. */
  private reopenIfGone(): void {
    if (identityAt(this.path) === identityOf(fstatSync(this.fd))) return;
    const fd = opened(this.path);
    closeSync(this.fd);
    this.fd = fd;
  }
}

/**
 * The witnesses in a folder that this state directory wrote last, with the lock beside each and what SQLite made of that. Of one that
 * cannot be read it is not known whose it is.
 */
export function witnessesOf(folder: string, directory: string): string[] {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const own = names.flatMap((name) => /^(chatdb-[0-9a-f]{16}\.)witness$/.exec(name)?.[1] ?? []);
  return own
    .filter((start) => writerOf(join(folder, `${start}witness`)) === directory)
    .flatMap((start) => names.filter((name) => name.startsWith(start)))
    .map((name) => join(folder, name));
}

function writerOf(path: string): string | undefined {
  try {
    const witness = Witness.open(path);
    try {
      return witness.read()?.directory;
    } finally {
      witness.close();
    }
  } catch {
    return undefined;
  }
}

function opened(path: string): number {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  return openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
