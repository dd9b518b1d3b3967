import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Programs, programs } from '../../src/system/programs.js';
import { temporaryDirectory } from './temporaryStore.js';

/** Shell scripts that play programs of macOS; each appends its arguments to a file of its name. */
export class StandIns {
  readonly directory = temporaryDirectory();

  path(name: string): string {
    return join(this.directory, name);
  }

  /** Writes the program; `$D` in its body is the directory. Returns its path. */
  write(name: string, body: string): string {
    const path = this.path(name);
    const note = `printf '%s\\n' "$*" >> "$D/${name}.calls"`;
    writeFileSync(path, `#!/bin/sh\nD='${this.directory}'\n${note}\n${body}\n`);
    chmodSync(path, 0o755);
    return path;
  }

  /** The arguments of each call so far, as one line a call. */
  calls(name: string): string[] {
    const path = this.path(`${name}.calls`);
    return existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : [];
  }

  /** Whether a stand-in has written that file. */
  has(name: string): boolean {
    return existsSync(this.path(name));
  }

  /**
   * A Messages that is a real process: `open` starts it, `pgrep` finds it, the AppleScript `quit` ends it. `stubborn`:
   * it ignores the request to quit and SIGTERM.
   */
  messages(options: { stubborn?: boolean; broken?: boolean } = {}): {
    programs: Programs;
    osascriptPath: string;
  } {
    const ignore = options.stubborn === true ? "trap '' TERM; " : '';
    const start = `(${ignore}while :; do sleep 0.2; done) </dev/null >/dev/null 2>&1 & echo $! > "$D/pid"`;
    const alive = 'kill -0 "$(cat "$D/pid" 2>/dev/null)" 2>/dev/null';
    const open = this.write('open', options.broken === true ? 'exit 1' : `${alive} || { ${start}; }`);
    const pgrep = this.write('pgrep', `${alive} && cat "$D/pid" || exit 1`);
    const quit = options.stubborn === true ? ':' : 'kill "$(cat "$D/pid")"';
    const osascriptPath = this.write('osascript', quit);
    onTestFinished(() => this.endMessages());
    return { programs: programs({ open, pgrep }), osascriptPath };
  }

  /** The process that plays Messages; undefined before it was opened. */
  get pid(): number | undefined {
    return existsSync(this.path('pid')) ? Number(readFileSync(this.path('pid'), 'utf8')) : undefined;
  }

  private endMessages(): void {
    if (this.pid === undefined) return;
    try {
      process.kill(this.pid, 'SIGKILL');
    } catch {
      // It has ended already, as most tests want it to.
    }
  }
}
