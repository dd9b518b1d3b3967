import { join } from 'node:path';
import { expect } from 'vitest';
import { ERROR_CODES, type ErrorCode } from '../../src/model/errorCodes.js';
import type { StatusSnapshot } from '../../src/model/status.js';
import { codesOfSign, hindersTheJob } from '../../src/operator/problemMeanings.js';
import { openDatabase } from '../../src/store/sqlite.js';
import {
  type Defect,
  MutantBackend,
  type Pair,
  type PassingReply,
} from '../kit/conformance/MutantBackend.js';
import type { DaemonProcess } from '../support/DaemonProcess.js';
import { DrivenClock } from '../support/DrivenClock.js';
import { type Cleanup, EdgeWorld, REALTIME } from '../support/EdgeWorld.js';
import { problemsOnPage } from '../support/problemsOnPage.js';
import { statusOf } from '../support/statusOf.js';
import { UNPRIVILEGED } from '../support/unprivileged.js';
import { until } from '../support/until.js';

/** A person of that number. */
export const person = (number: number) => `+1310555${2000 + number}`;
export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;

/** What the backend does wrong now; what is left out it does right. */
export interface Wrong {
  reply?: (path: string, body: string) => PassingReply | undefined;
  /** Done to each socket that the daemon opens. */
  socket?: (pair: Pair) => void;
  /** A sync reply is changed in place. */
  sync?: (body: Record<string, unknown>) => void;
}

type Settings = Readonly<Record<string, unknown>>;

/** One daemon with everything by which it is watched, and what a test may break of it. */
export class Rig {
  wrong: Wrong = {};
  /** The fault blocks sending: no text is in progress. */
  areTextsHeld = false;
  readonly pairs: Pair[] = [];

  private constructor(
    readonly world: EdgeWorld,
    readonly time: DrivenClock,
    readonly daemon: DaemonProcess,
    private readonly health: string,
    private readonly settings: Settings,
    wires: { wrong: () => Wrong; pairs: Pair[] },
  ) {
    this.pairs = wires.pairs;
    wires.wrong = () => this.wrong;
  }

  /** `preloads`: modules that are loaded into the daemon before its own; `prepare`: what is done to its world before it starts. */
  static async start(
    context: Cleanup,
    preloads: readonly string[] = [],
    prepare: (world: EdgeWorld) => void = () => undefined,
  ): Promise<Rig> {
    let underWay = 0;
    const wires: { wrong: () => Wrong; pairs: Pair[] } = { wrong: () => ({}), pairs: [] };
    const time = new DrivenClock(() => underWay > 0);
    const world = await EdgeWorld.open(context, { backendClock: time.clock });
    context.onTestFinished(() => time.close());
    time.drive(world);
    const imports = preloads.map((path) => ` --import ${path}`).join('');
    Object.assign(world.place.env, {
      NODE_OPTIONS: `${world.place.env.NODE_OPTIONS}${imports}`,
      READS_FAIL_WHILE: join(world.directory, 'reads-fail'),
    });
    const defect: Defect = {
      request({ path, body }) {
        underWay += 1;
        return wires.wrong().reply?.(path, body);
      },
      reply({ path }, { body }) {
        underWay -= 1;
        if (path === '/edge/sync') wires.wrong().sync?.(body);
      },
      joined(pair) {
        wires.pairs.push(pair);
        wires.wrong().socket?.(pair);
      },
    };
    const mutant = await MutantBackend.start(world.backend.url, defect, time.clock);
    context.onTestFinished(() => mutant.stop());
    const settings = {
      'backend.url': mutant.url,
      'backend.sync_interval_seconds': 5,
      'health.enabled': true,
      'health.port': 0,
      'monitor.enabled': true,
      'monitor.port': 0,
      'attachments.upload': true,
    };
    world.writeConfig(settings);
    prepare(world);
    const daemon = world.spawn(['run'], { through: UNPRIVILEGED });
    await daemon.line(REALTIME);
    const health = /url=(\S+)/.exec(await daemon.line('Health is served'))?.[1] ?? '';
    return new Rig(world, time, daemon, health, settings, wires);
  }

  /** Writes the configuration with these settings beside those of the start. */
  configure(settings: Settings): void {
    this.world.writeConfig({ ...this.settings, ...settings });
  }

  async status(): Promise<StatusSnapshot> {
    const snapshot = await statusOf(this.world.state);
    if (snapshot === undefined) throw new Error('the daemon does not answer');
    return snapshot;
  }

  async codes(): Promise<ErrorCode[]> {
    return (await this.status()).problems.map(({ code }) => code);
  }

  async ready(): Promise<unknown> {
    return (await fetch(`${this.health}/ready`)).json();
  }

  /** What the monitor's page gets when it is opened. */
  async onPage(): Promise<string[]> {
    const { port } = (await this.status()).monitor;
    return problemsOnPage(this.world.state, port ?? 0, this.time.clock.now());
  }

  /** Lets time pass until it is so. */
  async passes(condition: () => boolean | Promise<boolean>, what: () => string): Promise<void> {
    await until(async () => {
      if (await condition()) return true;
      await this.textsOut();
      await this.time.advance(4 * SECOND);
      return condition();
    }, what);
  }

  /** No text is on its way: osascript takes real time, which must not run ahead meanwhile. */
  async textsOut(): Promise<void> {
    if (this.areTextsHeld) return;
    await until(
      async () => (await this.status()).sends_queued === 0,
      () => 'the end of all texts',
    );
  }

  /** A person writes, and is answered. */
  async converse(write: () => void): Promise<void> {
    const before = this.world.texts.length;
    write();
    await this.world.sent(before + 1);
    await this.textsOut();
  }

  /** Lets time pass until the code is there, or gone: in the status, and in the log. */
  async comes(code: ErrorCode, isThere = true): Promise<void> {
    let codes: ErrorCode[] = [];
    const from = this.world.log().length;
    await this.passes(
      async () => {
        codes = await this.codes();
        return codes.includes(code) === isThere;
      },
      () => `${code} to ${isThere ? 'come' : 'go'}; there are ${JSON.stringify(codes)}`,
    );
    const words = isThere ? `Something is wrong: ${ERROR_CODES[code]}` : 'A problem is resolved';
    const isTold = (line: string) => line.includes(words) && line.includes(`code=${code}`);
    await this.passes(
      () =>
        this.world
          .log()
          .slice(Math.max(0, from - 50))
          .some(isTold),
      () => `the line ${words} code=${code}`,
    );
  }

  /** Nothing is waiting any more, and nothing is wrong. */
  async settles(): Promise<void> {
    let seen: StatusSnapshot | undefined;
    await this.passes(
      async () => {
        seen = await this.status();
        return seen.state === 'healthy' && seen.incoming_queued === 0 && seen.link === 'realtime';
      },
      () => `all to be well; there is ${JSON.stringify(seen?.problems)}`,
    );
  }

  /** The socket is lost, as each new one is, unless `wrong` decides otherwise. */
  dropSocket(): void {
    this.pairs.at(-1)?.agent.terminate();
  }

  inStore(sql: string): void {
    const store = openDatabase(`${this.world.state}/edge-agent.db`);
    store.exec(sql);
    store.close();
  }
}

/** How the real component is broken so that a code appears, and fixed so that it disappears. */
export interface Break {
  readonly code: ErrorCode;
  /** How long it may last before it is reported, and how long after that. */
  readonly quietMs?: number;
  readonly lastsMs?: number;
  make(rig: Rig): void | Promise<void>;
  mend(rig: Rig): void | Promise<void>;
}

/** All is right again, and tried at once. */
export const mendPosts: Break['mend'] = async (rig) => {
  rig.wrong = {};
  await rig.world.cli('kick');
};

/**
 * Each code appears in the status, /ready, the page and the log when the real component breaks, and disappears when it
 * is fixed.
 */
export async function comeAndGo(context: Cleanup, breaks: readonly Break[]): Promise<void> {
  const rig = await Rig.start(context);
  expect((await rig.status()).vital_signs.is_answered.state).toBe('not_yet_known');
  for (const { code, quietMs, lastsMs, make, mend } of breaks) {
    expect(await rig.codes(), `before ${code}`).toEqual([]);
    await make(rig);
    await rig.textsOut();
    if (quietMs !== undefined) {
      await rig.time.advance(quietMs);
      expect(await rig.codes(), `soon after ${code}`).not.toContain(code);
    }
    await rig.time.advance(lastsMs ?? 0);
    await rig.comes(code);
    const { exitCode, snapshot } = await rig.daemon.status();
    expect(exitCode).toBe(4);
    if (code === 'messages_not_taken') expect(snapshot?.last_error).toContain(ERROR_CODES[code]);
    expect(snapshot?.problems.find((one) => one.code === code)?.remedy).toMatch(/\S/);
    for (const [name, { state, codes }] of Object.entries(snapshot?.vital_signs ?? {})) {
      const isOf = codesOfSign(name as keyof StatusSnapshot['vital_signs']).includes(code);
      expect([name, codes.includes(code)]).toEqual([name, isOf]);
      if (isOf) expect(state).toBe('failing');
    }
    const told = expect.arrayContaining([expect.objectContaining({ code })]);
    expect(await rig.ready()).toMatchObject(
      hindersTheJob({ code }) ? { ready: false, problems: told } : { notices: told },
    );
    expect(await rig.onPage()).toContain(code);
    await mend(rig);
    await rig.comes(code, false);
    rig.wrong = {};
    await rig.settles();
    expect(await rig.onPage()).not.toContain(code);
  }
}
