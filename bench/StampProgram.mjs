import { spawnSync } from 'node:child_process';
import { constants, createReadStream, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Without a C compiler: a shell, whose own start is part of every measurement, of the reference's too. */
const SHELL_STAMP = '#!/bin/sh\necho "$(date +%s%N)\t$5\t$4" > "$0.fifo"\n';

/**
 * A program that reports when it was started, to be set as osascript. Its time is on the clock of `now()`. It writes to
 * a FIFO, so that its reader is woken instead of polling.
 */
export class StampProgram {
  #waiting = [];
  #listeners = [];
  #text = '';

  constructor(directory) {
    this.path = join(directory, 'stamp');
    const source = fileURLToPath(new URL('./stamp.c', import.meta.url));
    this.compiled = spawnSync('cc', ['-O2', '-o', this.path, source], { stdio: 'ignore' }).status === 0;
    if (!this.compiled) writeFileSync(this.path, SHELL_STAMP, { mode: 0o755 });
    const fifo = `${this.path}.fifo`;
    if (spawnSync('mkfifo', [fifo]).status !== 0) throw new Error(`mkfifo ${fifo} failed`);
    // Open for writing too: else the stream ends with the first writer.
    this.fd = openSync(fifo, constants.O_RDWR);
    this.stream = createReadStream('', { fd: this.fd, encoding: 'utf8' });
    this.stream.on('data', (chunk) => this.#take(chunk));
  }

  /** Ms on the program's clock. */
  now() {
    if (this.compiled) return Number(process.hrtime.bigint()) / 1e6;
    return performance.timeOrigin + performance.now();
  }

  /** When the program was started next after this call, in ms; rejects if it is not within 20 s. */
  next() {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('the program was not started within 20 s')), 20_000);
      this.#waiting.push((at) => {
        clearTimeout(timer);
        resolve(at);
      });
    });
  }

  /** Calls `listener` each time that it is started, with its text and target as osascript gets them. */
  onStart(listener) {
    this.#listeners.push(listener);
  }

  close() {
    // The read that waits in the stream ends only with a last line.
    writeSync(this.fd, '\n');
    this.stream.destroy();
  }

  #take(chunk) {
    const lines = (this.#text + chunk).split('\n');
    this.#text = lines.pop() ?? '';
    for (const line of lines) {
      const [at, target, text] = line.split('\t');
      this.#waiting.shift()?.(Number(at) / 1e6);
      if (target !== undefined && target !== '')
        for (const listener of this.#listeners) listener({ text, target });
    }
  }
}
