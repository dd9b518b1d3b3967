import { readdirSync, readFileSync } from 'node:fs';
import type { Cleanup } from './EdgeWorld.js';

/** A process as everybody on the machine (its arguments) and its own user (its environment) may see it. */
export interface SeenProcess {
  readonly args: readonly string[];
  readonly environment: string;
}

const LOOK_EVERY_MS = 5;

/** What the process list of Linux shows of this process's children and of theirs, from now on to the end of the test. */
export class ProcessList {
  private readonly found = new Map<string, SeenProcess>();
  private timer: NodeJS.Timeout;

  constructor({ onTestFinished }: Cleanup) {
    const look = () => {
      this.look();
      this.timer = setTimeout(look, LOOK_EVERY_MS);
    };
    this.timer = setTimeout(look, 0);
    onTestFinished(() => clearTimeout(this.timer));
  }

  /** Everything that was ever seen; a process that has become another program counts as two. */
  get seen(): SeenProcess[] {
    return [...this.found.values()];
  }

  private look(): void {
    const parents = new Map(
      readdirSync('/proc')
        .filter((name) => /^\d+$/.test(name))
        .map((name) => [Number(name), parentOf(name)]),
    );
    const isOurs = (pid: number | undefined): boolean =>
      pid !== undefined && (pid === process.pid || isOurs(parents.get(pid)));
    for (const [pid, parent] of parents) {
      if (!isOurs(parent)) continue;
      const line = textOf(`/proc/${pid}/cmdline`);
      const environment = textOf(`/proc/${pid}/environ`);
      if (line === '') continue;
      this.found.set(`${pid} ${line} ${environment}`, { args: line.split('\0').slice(0, -1), environment });
    }
  }
}

function parentOf(pid: string): number | undefined {
  const [, parent] = /^.*\) \S (\d+)/s.exec(textOf(`/proc/${pid}/stat`)) ?? [];
  return parent === undefined ? undefined : Number(parent);
}

/** Empty for a process that has ended meanwhile. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // ENOENT and ESRCH, and EACCES for what runs as another user: nothing is shown of it then.
    return '';
  }
}
