import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Cleanup } from '../EdgeWorld.js';
import { until } from '../until.js';
import { Job, type JobDefinition, type JobTimes } from './Job.js';
import { PlayedCodesign } from './PlayedCodesign.js';
import { readPlist } from './readPlist.js';

interface Reply {
  readonly code: number;
  readonly stdout?: string;
  readonly stderr?: string;
}

const OK: Reply = { code: 0 };
const WORDS: Readonly<Record<number, string>> = {
  3: 'No such process',
  5: 'Input/output error',
  36: 'Operation now in progress',
  37: 'Operation already in progress',
  112: 'Could not find domain for',
  113: 'Could not find service',
  119: 'Service is disabled',
  125: 'Domain does not support specified action',
  122: 'Path had bad ownership/permissions',
};
const TIMES: JobTimes = { throttleMs: 300, exitTimeoutMs: 30_000 };

/**
 * launchd of one user's desktop session, with `launchctl`, `plutil`, `codesign` and `xattr` as real programs: jobs are real processes, a job
 * that is booted out stays until its process is gone, and a plist that is written below a loaded job changes nothing.
 */
export class SimulatedLaunchd {
  /** Each call of launchctl so far, as one line. */
  readonly calls: string[] = [];
  /** Whether somebody is logged in at the desktop. */
  hasSession = true;
  /** Its exit code without a desktop session; since macOS 26 it is 125, and 5 for `bootstrap`. */
  noSession: 112 | 125 = 112;
  /** What `print` says instead of the path of the plist. */
  shownPath: string | undefined;
  /** Called before each call is processed. */
  onCall: (call: string) => void = () => undefined;
  readonly disabled = new Set<string>();
  readonly codesign: PlayedCodesign;
  private readonly jobs = new Map<string, Job>();
  private readonly faults: { verb: string; code: number; times: number }[] = [];
  private readonly domain = `gui/${userInfo().uid}`;
  private constructor(
    readonly directory: string,
    private readonly home: string,
    private readonly times: JobTimes,
    private readonly server: Server,
  ) {
    this.codesign = new PlayedCodesign(directory);
  }

  /** `home` is where the user's LaunchAgents are. */
  static async start(
    { onTestFinished }: Cleanup,
    home: string,
    times: Partial<JobTimes> = {},
  ): Promise<SimulatedLaunchd> {
    const directory = join(home, 'mac');
    mkdirSync(directory, { recursive: true });
    const server = createServer({ allowHalfOpen: true });
    const launchd = new SimulatedLaunchd(directory, home, { ...TIMES, ...times }, server);
    server.on('connection', (socket) => {
      let request = '';
      socket.setEncoding('utf8').on('data', (chunk: string) => {
        request += chunk;
        const [count, ...words] = request.split('\0');
        if (words.length <= Number(count)) return;
        const [program = '', ...args] = words.slice(0, -1);
        socket.end(reply(launchd.answer(program, args)));
      });
      socket.on('error', () => socket.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    for (const program of ['launchctl', 'plutil', 'codesign', 'xattr']) launchd.installClient(program, port);
    onTestFinished(() => launchd.close());
    return launchd;
  }

  /** What a process needs to be on this Mac. */
  get env(): NodeJS.ProcessEnv {
    return { STAND_IN_PROGRAMS: this.directory };
  }

  job(label = 'edge-agent'): Job | undefined {
    return this.jobs.get(label);
  }

  /** The next calls of that verb fail so, and do nothing. */
  fail(verb: string, code: number, times = 1): void {
    this.faults.push({ verb, code, times });
  }

  /** The user logs out and in again, as after a reboot: what lies in LaunchAgents is loaded, unless it is disabled. */
  async login(): Promise<void> {
    await this.logout();
    this.hasSession = true;
    const agents = join(this.home, 'Library', 'LaunchAgents');
    for (const name of readdirSync(agents).filter((file) => file.endsWith('.plist'))) {
      this.bootstrap(this.domain, join(agents, name));
    }
  }

  async logout(): Promise<void> {
    for (const job of [...this.jobs.values()]) job.remove();
    await until(
      () => this.jobs.size === 0,
      () => 'all jobs to end',
    );
    this.hasSession = false;
  }

  private answer(program: string, args: string[]): Reply {
    if (program === 'plutil') return lint(args);
    if (program === 'codesign' || program === 'xattr') return this.codesign.answer(program, args);
    const call = args.join(' ');
    this.calls.push(call);
    this.onCall(call);
    const [verb = '', ...rest] = args;
    const fault = this.faults.find((one) => one.verb === verb && one.times > 0);
    if (fault !== undefined) {
      fault.times -= 1;
      return failed(verb, fault.code);
    }
    if (!this.hasSession)
      return failed(verb, verb === 'bootstrap' && this.noSession === 125 ? 5 : this.noSession);
    return this.carryOut(verb, rest);
  }

  private carryOut(verb: string, rest: string[]): Reply {
    const target = rest.at(-1) ?? '';
    const label = target.replace(`${this.domain}/`, '');
    const job = this.jobs.get(label);
    switch (verb) {
      case 'bootstrap':
        return this.bootstrap(rest[0] ?? '', target);
      case 'enable':
        this.disabled.delete(label);
        return OK;
      case 'disable':
        this.disabled.add(label);
        return OK;
      case 'print-disabled':
        return { code: 0, stdout: [...this.disabled].map((one) => `\t\t"${one}" => disabled\n`).join('') };
      case 'bootout':
        if (job === undefined) return failed(verb, 3);
        if (job.isLeaving) return failed(verb, 36);
        job.remove();
        return OK;
      case 'print':
        return job === undefined ? failed(verb, 113) : { code: 0, stdout: this.shown(job) };
      case 'kill':
        if (job === undefined) return failed(verb, 113);
        return job.kill(rest[0] as NodeJS.Signals) ? OK : failed(verb, 3);
      case 'kickstart':
        if (job === undefined) return failed(verb, 113);
        if (rest[0] === '-k') job.kill('SIGKILL');
        else if (!job.kickstart()) return failed(verb, 37);
        return OK;
      default:
        return { code: 64, stderr: `Unrecognized subcommand: ${verb}\n` };
    }
  }

  private bootstrap(domain: string, path: string): Reply {
    if (domain !== this.domain) return failed('bootstrap', 125);
    if ((statSync(path).mode & 0o022) !== 0) return failed('bootstrap', 122);
    const definition = readPlist(readFileSync(path, 'utf8')) as unknown as JobDefinition;
    const label = definition.Label;
    // Since macOS 26.5; one string has always done.
    if (Array.isArray(definition.LimitLoadToSessionType)) return failed('bootstrap', 5);
    if (this.disabled.has(label)) return failed('bootstrap', 119);
    const there = this.jobs.get(label);
    if (there !== undefined) return failed('bootstrap', there.isLeaving ? 5 : 37);
    this.jobs.set(label, new Job(path, definition, this.env, this.times, () => this.jobs.delete(label)));
    return OK;
  }

  private installClient(program: string, port: number): void {
    const client = fileURLToPath(new URL('client.sh', import.meta.url));
    const path = join(this.directory, program);
    writeFileSync(path, `#!/bin/sh\nexec /bin/bash '${client}' ${port} ${program} "$@"\n`);
    chmodSync(path, 0o755);
  }

  /** In the shape of macOS 15, shortened. */
  private shown(job: Job): string {
    const { Label, ProgramArguments } = job.definition;
    return [
      `${this.domain}/${Label} = {`,
      '\tactive count = 1',
      `\tpath = ${this.shownPath ?? job.path}`,
      '\ttype = LaunchAgent',
      `\tstate = ${job.state}`,
      '',
      `\tprogram = ${ProgramArguments[0]}`,
      '\targuments = {',
      ...ProgramArguments.map((argument) => `\t\t${argument}`),
      '\t}',
      '',
      `\tdomain = ${this.domain} [100003]`,
      `\truns = ${job.runs}`,
      ...(job.pid === undefined ? [] : [`\tpid = ${job.pid}`]),
      '\timmediate reason = speculative',
      `\tlast exit code = ${job.lastExit}`,
      '}',
      '',
    ].join('\n');
  }

  private async close(): Promise<void> {
    for (const job of this.jobs.values()) {
      job.remove();
      job.kill('SIGKILL');
    }
    await until(
      () => this.jobs.size === 0,
      () => 'the jobs to be killed',
    );
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** As `client.sh` reads it. */
function reply({ code, stdout = '', stderr = '' }: Reply): string {
  return `${code}\n${stderr.split('\n').length - 1}\n${stderr}${stdout}`;
}

function failed(verb: string, code: number): Reply {
  return { code, stderr: `${verb} failed: ${code}: ${WORDS[code] ?? 'Unknown error'}\n` };
}

function lint([option = '', path = '']: string[]): Reply {
  if (option !== '-lint') return { code: 64, stderr: `unknown option ${option}\n` };
  try {
    readPlist(readFileSync(path, 'utf8'));
    return { code: 0, stdout: `${path}: OK\n` };
  } catch (error) {
    return { code: 1, stdout: `${path}: ${String(error)}\n` };
  }
}
