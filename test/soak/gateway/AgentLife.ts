import { setTimeout as pause } from 'node:timers/promises';
import { DaemonProcess } from '../../support/DaemonProcess.js';
import { type EdgeWorld, REALTIME } from '../../support/EdgeWorld.js';
import { armed, forgetDeath, killedAt, STEP_NAMES } from '../../support/killPoints.js';
import type { Seeded } from '../Seeded.js';

const LOOK_AGAIN_MS = 100;

/** An agent that is restarted as often as it dies. */
export class AgentLife {
  /** How many deaths there were at a step of its work, and at any time. */
  readonly deaths: Record<string, number> = {};
  /** Unexpected ends. */
  readonly offences: string[] = [];
  kills = 0;
  private daemon: DaemonProcess | undefined;
  private running: Promise<void> = Promise.resolve();
  private isOver = false;
  private isSpared = true;
  private isArmed = false;
  private isStopping = false;

  constructor(
    readonly agentId: string,
    readonly world: EdgeWorld,
    private readonly random: Seeded,
  ) {}

  /** Resolves when it is connected: messages from before its very first start are never read. */
  async begin(): Promise<void> {
    const first = this.spawn();
    this.running = this.live();
    await first.line(REALTIME);
  }

  torment(): void {
    this.isSpared = false;
  }

  strike(): boolean {
    this.daemon?.signal('SIGKILL');
    return this.daemon !== undefined;
  }

  /** Starts it without a step to die at, if it has one; resolves when it was started. */
  async spare(): Promise<void> {
    this.isSpared = true;
    while (this.isArmed) {
      if (!this.isStopping) this.daemon?.signal('SIGTERM');
      this.isStopping = true;
      await pause(LOOK_AGAIN_MS);
    }
  }

  async end(): Promise<void> {
    this.isOver = true;
    this.daemon?.signal('SIGKILL');
    await this.running;
  }

  private spawn(): DaemonProcess {
    const { random, world } = this;
    forgetDeath(world.place);
    this.isArmed = !this.isSpared && random.chance(0.6);
    const place = this.isArmed
      ? armed(world.place, {
          step: random.pick(STEP_NAMES),
          phase: random.pick(['before', 'after'] as const),
          nth: random.int(1, 4),
        })
      : world.place;
    this.daemon = DaemonProcess.spawn(place, { isFresh: true });
    return this.daemon;
  }

  private async live(): Promise<void> {
    for (let daemon = this.daemon; daemon !== undefined && !this.isOver; daemon = this.spawn()) {
      const { code, signal } = await daemon.exited;
      if (this.isOver) return;
      // One that has printed nothing yet does not handle signals yet either.
      const isUnheard = signal === 'SIGTERM' && daemon.lines().length === 0;
      const isOrder = this.isStopping && (code === 0 || isUnheard);
      this.isStopping = false;
      if (!isOrder && signal !== 'SIGKILL')
        this.offences.push(`agent: ${this.agentId} ended with ${signal ?? code}: ${daemon.complaints()}`);
      const way = isOrder ? 'stopped' : `killed at ${killedAt(this.world.place) ?? 'random'}`;
      this.deaths[`agent ${way}`] = (this.deaths[`agent ${way}`] ?? 0) + 1;
      if (!isOrder) this.kills += 1;
    }
  }
}
