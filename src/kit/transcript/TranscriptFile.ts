import { closeSync, openSync, writeSync } from 'node:fs';
import { describeError, EdgeError } from '../../errors.js';
import type { Clock } from '../../system/clock.js';
import type { Entry } from './entry.js';
import { Pseudonyms } from './Pseudonyms.js';

/** An entry that is not yet placed in time. */
type NewEntry<E = Entry> = E extends Entry ? Omit<E, 'at'> : never;

/**
 * A transcript that is being written: 0600, one JSON object a line, each whole once `note` returns. Only what is redacted
 * reaches it. At `mostBytes` it ends with `full`, and where the disk takes no more as it is; what is noted after that is
 * left out.
 */
export class TranscriptFile {
  private readonly descriptor: number;
  private readonly startedAt: number;
  private readonly pseudonyms: Pseudonyms;
  /** The paths of the requests that have no answer yet. */
  private readonly asked = new Map<number, string>();
  private bytes = 0;
  private state: 'open' | 'ended' | 'closed' = 'open';

  /** Throws an EdgeError when there is such a file already, or it cannot be made. */
  constructor(
    readonly path: string,
    version: string,
    private readonly mostBytes: number,
    private readonly clock: Clock,
    /** Called once when writing ends, with the reason; not for `close`. */
    private readonly onEnd: (why: string) => void,
  ) {
    try {
      this.descriptor = openSync(path, 'wx', 0o600);
    } catch (error) {
      throw new EdgeError(
        'state_unwritable',
        `The transcript cannot be written: ${describeError(error)}.`,
        'Name a file that does not exist yet.',
        { cause: error },
      );
    }
    this.startedAt = clock.monotonic();
    this.pseudonyms = new Pseudonyms(clock.now());
    this.write({ kind: 'transcript', schema: 1, version, at: new Date(clock.now()).toISOString() });
  }

  /** Never throws. */
  note(happening: NewEntry): void {
    if (this.state !== 'open') return;
    const at = Math.round((this.clock.monotonic() - this.startedAt) * 10) / 10;
    const entry = { at, ...this.redacted(happening) };
    try {
      const isFull = this.bytes + JSON.stringify(entry).length > this.mostBytes;
      this.write(isFull ? { at, kind: 'full' } : entry);
      if (isFull) this.end('it has reached its size');
    } catch (error) {
      this.end(describeError(error));
    }
  }

  /** Idempotent. */
  close(): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    closeSync(this.descriptor);
  }

  private redacted(happening: NewEntry): NewEntry {
    switch (happening.kind) {
      case 'frame':
        return { ...happening, frame: this.pseudonyms.frame(happening.frame) };
      case 'request': {
        const { request, path, body } = happening;
        this.asked.set(request, path);
        const { pseudonyms } = this;
        return { ...happening, path: pseudonyms.path(path), body: pseudonyms.body(path, 'request', body) };
      }
      case 'answer': {
        const path = this.asked.get(happening.request) ?? '';
        this.asked.delete(happening.request);
        return { ...happening, body: this.pseudonyms.body(path, 'answer', happening.body) };
      }
      default:
        return happening;
    }
  }

  private end(why: string): void {
    this.state = 'ended';
    this.onEnd(why);
  }

  private write(value: object): void {
    const line = Buffer.from(`${JSON.stringify(value)}\n`);
    writeSync(this.descriptor, line);
    this.bytes += line.length;
  }
}
