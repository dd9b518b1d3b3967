import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { askSocket } from '../../src/operator/askDaemon.js';
import { type Installed, install } from '../../src/service/install.js';
import type { Patience, RunningAgent } from '../../src/service/LaunchAgent.js';
import type { RuntimeWishes } from '../../src/service/runtime.js';
import { Service, type ServiceOptions } from '../../src/service/Service.js';
import type { ServicePlaces } from '../../src/service/servicePlaces.js';
import { systemClock } from '../../src/system/clock.js';
import { inspectProgram, programs } from '../../src/system/programs.js';
import type { Cleanup } from './EdgeWorld.js';
import type { JobTimes } from './launchd/Job.js';
import { SimulatedLaunchd } from './launchd/SimulatedLaunchd.js';
import { type Manner, writeTinyProgram } from './launchd/TinyProgram.js';
import { until } from './until.js';

/** What a tiny program says of itself. */
export interface Tiny extends RunningAgent {
  readonly edition: string;
  readonly runtime: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

type InstallOptions = Partial<RuntimeWishes> & { config?: string; patience?: Partial<Patience> };

/** A user's home with a launchd, and packages that are quick to install. All is gone after the test. */
export class ServiceBench {
  readonly said: string[] = [];
  readonly service: Service;

  private constructor(
    readonly home: string,
    readonly launchd: SimulatedLaunchd,
    private readonly more: Partial<ServiceOptions>,
  ) {
    this.service = this.serviceOf('one');
  }

  static async open(
    context: Cleanup,
    options: Partial<ServiceOptions> & { times?: Partial<JobTimes> } = {},
  ): Promise<ServiceBench> {
    const { times = {}, ...more } = options;
    const home = realpathSync(mkdtempSync(join(tmpdir(), 'edge-service-')));
    context.onTestFinished(() =>
      rmSync(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }),
    );
    const launchd = await SimulatedLaunchd.start(context, home, times);
    return new ServiceBench(home, launchd, more);
  }

  get places(): ServicePlaces {
    return this.service.places;
  }

  /** The package of that edition, created again. */
  program(edition: string, manner: Manner = 'well'): string {
    const root = join(this.home, 'packages', edition);
    mkdirSync(root, { recursive: true });
    writeTinyProgram(root, edition, manner);
    return root;
  }

  serviceOf(edition: string, more: Partial<ServiceOptions> = {}): Service {
    const path = (name: string) => join(this.launchd.directory, name);
    return new Service({
      homeDir: this.home,
      uid: userInfo().uid,
      env: { HOME: this.home, PATH: process.env.PATH },
      programs: programs({
        launchctl: path('launchctl'),
        plutil: path('plutil'),
        codesign: path('codesign'),
        xattr: path('xattr'),
        swVers: path('sw_vers'),
      }),
      inspect: (program) => inspectProgram(program, this.launchd.directory),
      clock: systemClock,
      print: (line) => this.said.push(line),
      ask: () => this.ask(),
      program: join(this.home, 'packages', edition),
      patience: { againMs: 50 },
      ...this.more,
      ...more,
    });
  }

  /**
   * Installs that edition as `edge-agent install` of its package would. One that is to fail may have less `patience`; one that is to
   * answer may not: this machine may be busy.
   */
  install(edition: string, options: InstallOptions & { manner?: Manner } = {}): Promise<Installed> {
    this.program(edition, options.manner);
    return this.upgrade(edition, options);
  }

  /** As `install`, of the package as it is; it is made if there is none. */
  upgrade(edition: string, options: InstallOptions & { manner?: Manner } = {}): Promise<Installed> {
    if (!existsSync(join(this.home, 'packages', edition))) this.program(edition);
    const { manner: _manner, config = join(this.home, 'config.yaml'), patience, ...wishes } = options;
    const service = this.serviceOf(edition, patience === undefined ? {} : { patience });
    return install(service, { configPath: config, runtime: 'current', ...wishes });
  }

  /** A program of this Mac, played by a shell script. */
  playProgram(name: string, body: string): void {
    writeFileSync(join(this.launchd.directory, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  }

  async ask(): Promise<Tiny | undefined> {
    const answer = await askSocket<Tiny>(join(this.home, 'tiny.sock'), { verb: 'status' });
    return answer.kind === 'answered' ? answer.result : undefined;
  }

  /** Resolves when an edition of that name answers. */
  async answers(edition: string | RegExp): Promise<Tiny> {
    let answer: Tiny | undefined;
    await until(
      async () => {
        answer = await this.ask();
        return answer !== undefined && new RegExp(edition).test(answer.edition);
      },
      () => `${edition} to answer; it is ${answer?.edition ?? 'nobody'}`,
    );
    if (answer === undefined) throw new Error('unreachable: it answered');
    return answer;
  }

  /** The verbs that launchctl was called with since that many calls, without those that only ask. */
  verbs(since = 0): string[] {
    const verbs = this.launchd.calls.slice(since).map((call) => call.split(' ')[0] ?? '');
    return verbs.filter((verb) => verb !== 'print');
  }

  plist(): string {
    return readFileSync(this.places.plist, 'utf8');
  }
}
