import { randomBytes } from 'node:crypto';
import { chmodSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describeError, EdgeError } from '../errors.js';

/** As long as the hash of HS256 (RFC 7518, 3.2). */
const BYTES = 32;

/**
 * The secret that signs the tokens of the monitor: a file `monitor-secret`, mode 0600, in the state directory. It is read at
 * each use, so that a rotation by another process counts at once.
 */
export class MonitorSecret {
  private constructor(private readonly path: string) {}

  static in(stateDirectory: string): MonitorSecret {
    return new MonitorSecret(join(stateDirectory, 'monitor-secret'));
  }

  /** The key; made if there is none yet or what is there is none. Throws EdgeError `state_unwritable`. */
  key(): Uint8Array {
    try {
      return this.read() ?? this.create();
    } catch (cause) {
      throw this.unwritable(cause);
    }
  }

  /** Puts a fresh secret in its place, whole or not at all: no token made before is good any more. Throws as `key`. */
  rotate(): void {
    try {
      renameSync(this.writeBeside(), this.path);
    } catch (cause) {
      throw this.unwritable(cause);
    }
  }

  private read(): Uint8Array | undefined {
    try {
      const key = Buffer.from(readFileSync(this.path, 'utf8').trim(), 'base64url');
      if (key.length < BYTES) return undefined;
      chmodSync(this.path, 0o600);
      return key;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Another process may make one at the same moment: the first one counts. */
  private create(): Uint8Array {
    const beside = this.writeBeside();
    try {
      linkSync(beside, this.path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      if (this.read() === undefined) renameSync(beside, this.path);
    } finally {
      rmSync(beside, { force: true });
    }
    const key = this.read();
    if (key === undefined) throw new Error('it disappeared immediately');
    return key;
  }

  private writeBeside(): string {
    mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 });
    const path = `${this.path}.${randomBytes(6).toString('hex')}`;
    writeFileSync(path, `${randomBytes(BYTES).toString('base64url')}\n`, {
      mode: 0o600,
      flag: 'wx',
      flush: true,
    });
    return path;
  }

  private unwritable(cause: unknown): EdgeError {
    return new EdgeError(
      'state_unwritable',
      `The secret of the monitor (${this.path}) cannot be stored: ${describeError(cause)}.`,
      'Make the state directory writable for this user.',
      { cause },
    );
  }
}
