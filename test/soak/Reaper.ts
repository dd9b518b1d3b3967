import { DaemonProcess } from '../support/DaemonProcess.js';
import { type EdgeWorld, REALTIME } from '../support/EdgeWorld.js';
import {
  armed,
  forgetDeath,
  type KillPoint,
  killedAt,
  STEP_NAMES,
  type StepName,
} from '../support/killPoints.js';
import type { Seeded } from './Seeded.js';

/** Loading alone takes all of the shortest runs. */
const LIFE_MS = { least: 50, most: 1_500 };
/** A daemon that does not reach its step is killed anyway. */
const STEP_WITHIN_MS = 3_000;

export interface ReaperHooks {
  /** None runs, and the next one is about to start. */
  between(): Promise<void>;
  /** One was started. */
  born(daemon: DaemonProcess): void;
  /** Whether one that exited on its own was right not to start: launchd would start the next one. */
  mayRefuse(daemon: DaemonProcess): boolean;
}

/** Starts the daemon and kills it, at a step of its work or at any time. */
export class Reaper {
  /** How many were killed at which step and phase, or at `random`. */
  readonly deaths: Record<string, number> = {};
  kills = 0;
  private daemon: DaemonProcess | undefined;

  constructor(
    private readonly world: EdgeWorld,
    private readonly random: Seeded,
    /** Called with the step at which the next daemon is to be killed, so that the traffic can reach it. */
    private readonly onStep: (step: StepName) => void,
    private readonly hooks: ReaperHooks,
  ) {}

  /** One run without a kill: messages from before the very first start are never read. */
  async begin(): Promise<void> {
    await this.spare();
    await this.daemon?.line(REALTIME);
    await this.daemon?.kill('SIGKILL');
  }

  /** One run and its end. Rejects if the daemon ended other than by our SIGKILL. */
  async reap(): Promise<void> {
    const { random, world, hooks } = this;
    await hooks.between();
    const point = random.chance(0.65) ? this.point() : undefined;
    const lifeMs = point === undefined ? random.int(LIFE_MS.least, LIFE_MS.most) : STEP_WITHIN_MS;
    forgetDeath(world.place);
    const place = point === undefined ? world.place : armed(world.place, point);
    const daemon = DaemonProcess.spawn(place, { isFresh: true });
    this.daemon = daemon;
    hooks.born(daemon);
    if (point !== undefined) this.onStep(point.step);
    const deadline = setTimeout(() => daemon.signal('SIGKILL'), lifeMs);
    const { signal } = await daemon.exited;
    clearTimeout(deadline);
    if (signal !== 'SIGKILL') {
      await this.refused(daemon);
      return;
    }
    const step = killedAt(world.place) ?? 'random';
    this.deaths[step] = (this.deaths[step] ?? 0) + 1;
    this.kills += 1;
  }

  /** One run that lasts until `lived` resolves, and its end. Rejects when that does, or as `reap` does. */
  async reapWhen(lived: () => Promise<void>): Promise<void> {
    await this.spare();
    const life = lived();
    await Promise.race([life, this.outlast(life)]);
    await this.daemon?.kill('SIGKILL');
    this.deaths.random = (this.deaths.random ?? 0) + 1;
    this.kills += 1;
  }

  /** Starts another one, as launchd does, for each that does not start before that is over. Rejects if one ends otherwise. */
  private async outlast(life: Promise<void>): Promise<void> {
    let isOver = false;
    const end = () => {
      isOver = true;
    };
    void life.then(end, end);
    for (let daemon = this.daemon; daemon !== undefined; daemon = this.daemon) {
      await daemon.exited;
      if (isOver) return;
      await this.refused(daemon);
      await this.spare();
    }
  }

  /** One has ended on its own: counts it if it was right not to start, else rejects. */
  private async refused(daemon: DaemonProcess): Promise<void> {
    const { code, signal } = await daemon.exited;
    if (signal !== null || code !== 1 || !this.hooks.mayRefuse(daemon)) {
      const last = [...daemon.lines().slice(-10), daemon.complaints()].join('\n');
      throw new Error(`it ended with ${signal ?? code}:\n${last}`);
    }
    this.deaths['did not start'] = (this.deaths['did not start'] ?? 0) + 1;
  }

  /** Starts one that is left alone. */
  async spare(): Promise<void> {
    await this.hooks.between();
    this.daemon = DaemonProcess.spawn(this.world.place, { isFresh: true });
    this.hooks.born(this.daemon);
  }

  /** Stops the one that was left alone, in order, and starts another. */
  async restart(): Promise<void> {
    await this.stop();
    await this.spare();
  }

  /** Stops it in order. Rejects if it does not end as it should. */
  async stop(): Promise<void> {
    const exit = await this.daemon?.kill('SIGTERM');
    if (exit?.code !== 0) throw new Error(`SIGTERM ended it with ${exit?.signal ?? exit?.code}`);
  }

  async dispose(): Promise<void> {
    await this.daemon?.dispose();
  }

  private point(): KillPoint {
    const { random } = this;
    return {
      step: random.pick(STEP_NAMES),
      phase: random.pick(['before', 'after'] as const),
      nth: random.chance(0.7) ? 1 : random.int(2, 4),
    };
  }
}
