import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { identityOf } from './fileIdentity.js';
import type { WitnessRecord } from './lineage.js';

/** One page, so that a write is there whole or not at all, whenever the process dies. */
const SIZE = 4096;

const recordSchema = z.object({
  file: z.string(),
  store: z.string(),
  counter: z.int(),
  aliveAt: z.number(),
  directory: z.string(),
  revisions: z.int().default(0),
});

/**
 * A small file outside of the state directory which records how far the store has come that is at work. It is written after the commit
 * that it tells of, so that it is never ahead of that store: where it is, an older copy of the store was put back. It names the
 * file that it is itself, so that a copy of it, put back with the store, proves nothing.
 */
export class Witness {
  private constructor(private readonly fd: number) {}

  /** Opens or makes the file (mode 0600). Throws what node:fs throws. */
  static open(path: string): Witness {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    return new Witness(openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600));
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

  /** Outlives the process at once, and a power cut if `durable`. Throws what node:fs throws. */
  write(record: WitnessRecord, durable: boolean): void {
    const text = JSON.stringify({ file: identityOf(fstatSync(this.fd)), ...record });
    const bytes = Buffer.alloc(SIZE, ' ');
    bytes.write(text);
    writeSync(this.fd, bytes, 0, SIZE, 0);
    if (durable) fsyncSync(this.fd);
  }

  close(): void {
    closeSync(this.fd);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
