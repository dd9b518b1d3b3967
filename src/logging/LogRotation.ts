import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { describeError } from '../errors.js';
import type { Clock } from '../system/clock.js';
import { finishRotation, rotateLog } from './rotateLog.js';

/** When a log is rotated, and how much stays: at most `maxBytes` and one line in each of `keep` + 1 files. */
export interface RotationLimits {
  readonly maxBytes: number;
  /** The oldest line of a log may be so old; 0: any age. */
  readonly maxAgeMs: number;
  /** At least 1. */
  readonly keep: number;
}

/** After a rotation failed (no room for the copy), so long until the next one is tried. */
const RETRY_MS = 60_000;

/**
 * Decides, before each line, whether the log is to be rotated first. By size and age; the age is that of the oldest line in
 * it, so it counts over restarts. Nothing is looked at before the first line: until then another agent may own the file.
 */
export class LogRotation {
  private size = 0;
  private begunAt = 0;
  private begun = false;
  private notBefore = 0;

  constructor(
    private readonly path: string,
    private limits: RotationLimits,
    private readonly clock: Clock,
  ) {}

  /** Takes effect with the next line. */
  setLimits(limits: RotationLimits): void {
    if (limits.keep < this.limits.keep) this.begun = false;
    this.limits = limits;
  }

  /** The file at the path is another one now. */
  startAnew(): void {
    this.begun = false;
  }

  /** To be called before so many bytes are written. Returns why the log could not be rotated, if it was due. */
  before(bytes: number): string | undefined {
    try {
      if (!this.begun) this.begin();
      if (!this.isDue(bytes) || this.clock.monotonic() < this.notBefore) return undefined;
      this.notBefore = this.clock.monotonic() + RETRY_MS;
      rotateLog(this.path, this.limits.keep);
      this.notBefore = 0;
      this.size = 0;
      this.begunAt = this.clock.now();
      return undefined;
    } catch (error) {
      return describeError(error);
    }
  }

  /** So many bytes have reached the file. */
  wrote(bytes: number): void {
    this.size += bytes;
  }

  private isDue(bytes: number): boolean {
    if (this.size === 0) {
      this.begunAt = this.clock.now();
      return false;
    }
    const { maxBytes, maxAgeMs } = this.limits;
    return this.size + bytes > maxBytes || (maxAgeMs > 0 && this.clock.now() - this.begunAt > maxAgeMs);
  }

  private begin(): void {
    this.begun = true;
    try {
      if (statSync(this.path).isFile()) finishRotation(this.path, this.limits.keep);
    } catch (error) {
      this.notBefore = this.clock.monotonic() + RETRY_MS;
      throw error;
    } finally {
      const { size, mtimeMs } = statSync(this.path);
      this.size = size;
      this.begunAt = firstTime(this.path) ?? mtimeMs;
    }
  }
}

const TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/;

/** When the first line of a log was written, in either format; undefined if it does not say. */
function firstTime(path: string): number | undefined {
  const file = openSync(path, 'r');
  try {
    const head = Buffer.alloc(64);
    const [time] = TIME.exec(head.toString('latin1', 0, readSync(file, head, 0, head.length, 0))) ?? [];
    return time === undefined ? undefined : Date.parse(time);
  } finally {
    closeSync(file);
  }
}
