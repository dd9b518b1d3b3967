import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { GatewaySettings } from '../../../src/gateway/gatewaySettings.js';
import {
  APPLICATION_STEPS,
  GATEWAY_STEPS,
  type GatewayKill,
  GatewayProcess,
} from '../../gateway/GatewayProcess.js';
import type { Cleanup } from '../../support/EdgeWorld.js';
import { TcpProxy } from '../../support/TcpProxy.js';
import type { Seeded } from '../Seeded.js';

/** A service manager starts it again so soon, if it could not start. */
const START_AGAIN_MS = 300;

/** It is ended by the one who starts it again. */
const OWNED: Cleanup = { onTestFinished: () => undefined };

/** One of the gateways, which is started again as often as it ends, on the same port, with a way of its own to the database. */
export class Replica {
  /** How many ends there were of which kind. */
  readonly deaths: Record<string, number> = {};
  /** Unexpected ends. */
  readonly offences: string[] = [];
  kills = 0;
  private process: GatewayProcess | undefined;
  private running: Promise<void> = Promise.resolve();
  private isOver = false;
  private isStopping = false;
  private isStruck = false;
  private isArmed = false;
  /** It is no longer to die at a step of its work. */
  private isSpared = true;

  private constructor(
    private readonly name: string,
    private readonly settings: GatewaySettings,
    readonly proxy: TcpProxy,
    private readonly random: Seeded,
    private readonly log: string,
  ) {}

  /** `settings` name the database itself; the port is chosen once. */
  static async start(
    name: string,
    settings: GatewaySettings & { storage: { kind: 'postgres' } },
    random: Seeded,
    directory: string,
    cleanup: Cleanup,
  ): Promise<Replica> {
    const { hostname, port } = new URL(settings.storage.url);
    const proxy = await TcpProxy.start(() => ({ host: hostname, port: Number(port) }));
    cleanup.onTestFinished(() => proxy.close());
    const throughProxy = {
      ...settings,
      storage: { kind: 'postgres' as const, url: proxy.before(settings.storage.url) },
    };
    const log = join(directory, `${name}.log`);
    const first = new Replica(name, throughProxy, proxy, random, log);
    await first.spawn();
    const { port: chosen } = first;
    first.process?.kill();
    await first.process?.exited;
    const replica = new Replica(name, { ...throughProxy, port: chosen }, proxy, random, log);
    await replica.spawn();
    replica.running = replica.live();
    return replica;
  }

  get port(): number {
    return this.process?.port ?? 0;
  }

  /** From now on it may also die at a step of its work. */
  torment(): void {
    this.isSpared = false;
  }

  /** Kills it, or stops it in order, if it runs. False: it does not. */
  strike(): boolean {
    const { process } = this;
    if (process === undefined) return false;
    this.isStruck = true;
    if (this.random.chance(0.15)) this.stop(process);
    else process.kill();
    return true;
  }

  /** Starts it without a step to die at, if it has one; resolves when it serves. */
  async spare(): Promise<void> {
    this.isSpared = true;
    while (this.process === undefined || this.isArmed) {
      if (this.process !== undefined && !this.isStopping) this.stop(this.process);
      await pause(START_AGAIN_MS);
    }
  }

  async end(): Promise<void> {
    this.isOver = true;
    this.process?.kill();
    await this.running;
    // One that was just being started.
    this.process?.kill();
    await this.process?.exited;
  }

  private stop(process: GatewayProcess): void {
    this.isStopping = true;
    process.terminate();
  }

  private async live(): Promise<void> {
    while (!this.isOver) {
      const ended = await this.process?.exited;
      this.process = undefined;
      if (this.isOver) return;
      this.note(ended);
      await this.spawnAgain();
    }
  }

  private note(ended: unknown): void {
    const isOrder = this.isStopping && ended === 0;
    const killed = this.isStruck ? 'killed at random' : 'killed at a step';
    const way = isOrder ? 'stopped' : ended === 'SIGKILL' ? killed : `ended with ${ended}`;
    this.isStopping = false;
    this.isStruck = false;
    if (!isOrder && ended !== 'SIGKILL') this.offences.push(`replica: ${this.name} ${way}`);
    this.deaths[`replica ${way}`] = (this.deaths[`replica ${way}`] ?? 0) + 1;
    this.kills += 1;
  }

  /** Without its database it does not start; a service manager tries again. */
  private async spawnAgain(): Promise<void> {
    while (!this.isOver) {
      try {
        await this.spawn();
        return;
      } catch {
        this.deaths['replica did not start'] = (this.deaths['replica did not start'] ?? 0) + 1;
        await pause(START_AGAIN_MS);
      }
    }
  }

  private async spawn(): Promise<void> {
    const stderr = openSync(this.log, 'a');
    try {
      const killAt = this.killPoint();
      this.isArmed = killAt !== undefined;
      this.process = await GatewayProcess.start(OWNED, this.settings, killAt, stderr);
    } finally {
      closeSync(stderr);
    }
  }

  private killPoint(): GatewayKill | undefined {
    const { random } = this;
    if (this.isSpared || random.chance(0.4)) return undefined;
    return {
      statement: random.pick(Object.values({ ...GATEWAY_STEPS, ...APPLICATION_STEPS })),
      phase: random.pick(['before', 'after'] as const),
      nth: random.int(1, 12),
    };
  }
}
