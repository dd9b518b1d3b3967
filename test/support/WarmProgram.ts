import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { CLI, type Place, type ProgramEvents, type StartedProgram, startFresh } from './program.js';

const HOST = fileURLToPath(new URL('./warmProgram.mjs', import.meta.url));

/** What node and its libraries read at the start: a running process does not see it. */
const READ_AT_START = /^(?:NODE|LD_|DYLD_|UV_|OPENSSL|SSL_|SSLKEYLOG|TZ$|LANG|LC_|MALLOC)/;
/** What a process has piled up goes with it. */
const LONGEST_LIFE_RUNS = 50;
/** Tests that run side by side need more of them than are worth their memory afterwards. */
const MOST_IDLE = 4;

const idle: WarmProgram[] = [];

/**
 * Starts `edge-agent` in a process that has run it before, which spares most of what a start costs: for tests of what the program does,
 * not of the process that it is. All of it is new to each run but node itself (warmProgram.mjs), it can be killed as
 * ever, and a run has ended when a process would have. A process of its own all the same where node would see the difference.
 */
export function startWarm(args: readonly string[], place: Place, told: ProgramEvents): StartedProgram {
  const needsOwn = place.uid !== undefined || Object.keys(place.env).some((name) => READ_AT_START.test(name));
  if (needsOwn) return startFresh(args, place, told);
  const program = idle.pop() ?? new WarmProgram();
  return program.run(args, place, told);
}

class WarmProgram {
  private readonly child: ChildProcess;
  private told: ProgramEvents | undefined;
  private mark = '';
  private isOutputWhole = { stdout: false, stderr: false };
  private exitCode: number | undefined;
  private runs = 0;

  constructor() {
    const { PATH, TMPDIR } = process.env;
    this.child = spawn(process.execPath, [HOST, CLI], {
      env: { PATH, TMPDIR },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.read('stdout');
    this.read('stderr');
    this.child.on('message', (message) => {
      this.exitCode = Number((message as { exitCode: number }).exitCode);
      this.lookWhetherEnded();
    });
    this.child.on('error', (error) => this.told?.failed(error));
    this.child.on('close', (code, signal) => {
      const place = idle.indexOf(this);
      if (place !== -1) idle.splice(place, 1);
      this.told?.ended({ code, signal });
      this.told = undefined;
    });
  }

  run(args: readonly string[], { cwd, env }: Place, told: ProgramEvents): StartedProgram {
    this.told = told;
    this.runs += 1;
    this.mark = `\0${randomUUID()}\n`;
    this.isOutputWhole = { stdout: false, stderr: false };
    this.exitCode = undefined;
    this.keepUsAlive(true);
    const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined));
    this.child.send({ args, cwd, env: set, mark: this.mark });
    const isOurs = () => this.told === told;
    return {
      pid: this.child.pid,
      kill: (signal) => {
        if (isOurs()) this.child.kill(signal);
      },
    };
  }

  /** What a run writes ends with its mark, which no program writes. */
  private read(name: 'stdout' | 'stderr'): void {
    let held = '';
    this.child[name]?.setEncoding('utf8').on('data', (text: string) => {
      const all = held + text;
      const start = all.indexOf('\0');
      const shown = start === -1 ? all : all.slice(0, start);
      held = all.slice(shown.length);
      if (shown !== '') this.told?.[name](shown);
      if (held !== this.mark) return;
      held = '';
      this.isOutputWhole[name] = true;
      this.lookWhetherEnded();
    });
  }

  private lookWhetherEnded(): void {
    const { stdout, stderr } = this.isOutputWhole;
    if (this.exitCode === undefined || !stdout || !stderr) return;
    const { told, exitCode } = this;
    this.told = undefined;
    this.keepUsAlive(false);
    if (this.runs < LONGEST_LIFE_RUNS && idle.length < MOST_IDLE) idle.push(this);
    else this.child.disconnect();
    told?.ended({ code: exitCode, signal: null });
  }

  /** An idle one ends when we do, and we do not wait for it. */
  private keepUsAlive(isWanted: boolean): void {
    const { child } = this;
    const streams = [child.stdout, child.stderr].filter((stream) => stream instanceof Socket);
    for (const handle of [child, child.channel, ...streams]) {
      if (isWanted) handle?.ref();
      else handle?.unref();
    }
  }
}
