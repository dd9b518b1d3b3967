import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Chance } from './Chance.js';

/** One way by which something comes in from outside, with what makes items for it. */
export interface FuzzEntry<Item> {
  readonly name: string;
  /** So many items are worked on in one go at most; what they cost together is bounded by what one may. */
  readonly atOnce: number;
  /** After so many items what works on them is made again, so that what they leave on the disk stays small. */
  readonly perWorld: number;
  /** The item of this chance. `salt` differs each time that the same item is made again: ids are made of it. */
  make(chance: Chance, salt: string): Item;
  open(): Promise<FuzzWorld<Item>>;
}

/** What works on items: the real parts of the agent. */
export interface FuzzWorld<Item> {
  /** Resolves when the work on these is done. Rejects where it fails in a way in which it must not. */
  take(items: readonly Item[]): Promise<void> | void;
  close(): Promise<void>;
}

export interface FuzzOptions {
  readonly seed: number;
  readonly count: number;
  /** The number of the first item. */
  readonly from?: number;
  readonly say?: (line: string) => void;
  /** Replaced in tests. */
  readonly meter?: Meter;
}

/** What the process has used so far, in ms. An item costs no more than the less of the two. */
interface Meter {
  cpu(): number;
  wall(): number;
}

const PROCESS: Meter = {
  cpu() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
  wall: () => performance.now(),
};

/** What is wrong with one item; `seed` and `index` make it again. */
export interface FuzzFault {
  readonly entry: string;
  readonly seed: number;
  readonly index: number;
  readonly what: string;
}

export interface FuzzReport {
  readonly entry: string;
  readonly seed: number;
  readonly count: number;
  readonly seconds: number;
  /** The most that one item cost at most, in ms: alone, or with those that were given together with it. */
  readonly worst: { readonly index: number; readonly ms: number };
  /** By how much the heap grew over the second half of the run, after collection, in MB; and the complete process. */
  readonly heapGrowthMb: number;
  readonly rssGrowthMb: number;
  readonly faults: readonly FuzzFault[];
}

/** So much one item may cost, in ms: the less of the CPU time of the process and of the wall time until it is done. */
export const MOST_COST_MS = 50;
/**
 * What took longer may have met a collection, or code that was not compiled yet: it is measured again so often, one
 * time right after the other, and the minimum counts. A slow item is slow each time. No collection in between: it
 * discards compiled code, so that each time would be the first.
 */
const MEASURED = 20;
/** By so much the heap may grow over the second half of a run, in MB. */
export const MOST_HEAP_GROWTH_MB = 8;
const MB = 1024 * 1024;
/** More faults than these add nothing new. */
const MOST_FAULTS = 20;
/** An item that is not done after so many seconds hangs. A second counts only where the process got a turn in it. */
const PATIENCE_S = 60;

/** Runs an entry. Never rejects for what an item does: that is a fault of the report. */
export async function fuzz<Item>(entry: FuzzEntry<Item>, options: FuzzOptions): Promise<FuzzReport> {
  return new Run(entry, options).run();
}

class Run<Item> {
  private readonly faults: FuzzFault[] = [];
  private worst = { index: -1, ms: 0 };
  private salt = 0;
  private current = 0;

  constructor(
    private readonly entry: FuzzEntry<Item>,
    private readonly options: FuzzOptions,
  ) {}

  async run(): Promise<FuzzReport> {
    const { entry, options } = this;
    const uncaught = (error: unknown) => this.fault(this.current, `ends the process: ${describe(error)}`);
    process.on('uncaughtException', uncaught);
    process.on('unhandledRejection', uncaught);
    const began = performance.now();
    try {
      const memory = await this.worlds();
      return {
        entry: entry.name,
        ...{ seed: options.seed, count: options.count, seconds: (performance.now() - began) / 1000 },
        ...{ worst: this.worst, ...memory, faults: this.faults },
      };
    } finally {
      process.off('uncaughtException', uncaught);
      process.off('unhandledRejection', uncaught);
    }
  }

  /** World after world. What is compared is the memory between two of them, where everything of the items should be gone. */
  private async worlds(): Promise<{ heapGrowthMb: number; rssGrowthMb: number }> {
    const { entry, options } = this;
    const first = options.from ?? 0;
    const end = first + options.count;
    const size = Math.max(1, Math.min(entry.perWorld, Math.ceil(options.count / 4)));
    const middle = Math.max(1, Math.floor(Math.ceil(options.count / size) / 2));
    let halfway: NodeJS.MemoryUsage | undefined;
    for (let at = first, world = 1; at < end && this.faults.length < MOST_FAULTS; at += size, world += 1) {
      await this.throughWorld(at, Math.min(at + size, end));
      // A collection of all that a run of tests has in memory costs more than a world: none that is not compared.
      if (world === middle) halfway = await settledMemory();
      options.say?.(
        `${entry.name}: ${Math.min(at + size, end) - first} of ${options.count}, worst ${this.worst.ms.toFixed(1)} ms ` +
          `(item ${this.worst.index}), heap ${((await settledMemory()).heapUsed / MB).toFixed(1)} MB`,
      );
    }
    const last = await settledMemory();
    const grown = (of: 'heapUsed' | 'rss') => (last[of] - (halfway ?? last)[of]) / MB;
    return { heapGrowthMb: grown('heapUsed'), rssGrowthMb: grown('rss') };
  }

  private async throughWorld(from: number, to: number): Promise<void> {
    const world = await this.entry.open();
    try {
      await this.through(world, from, to);
    } finally {
      await world.close();
    }
  }

  private async through(world: FuzzWorld<Item>, from: number, to: number): Promise<void> {
    const { entry, options } = this;
    for (let at = from; at < to && this.faults.length < MOST_FAULTS; ) {
      const count = Math.min(1 + Chance.ofItem(options.seed, -1 - at).below(entry.atOnce), to - at);
      const indices = Array.from({ length: count }, (_, offset) => at + offset);
      const ms = await this.taken(world, indices);
      // What several cost together bounds what each costs.
      if (ms !== undefined && ms > this.worst.ms) for (const index of indices) await this.judge(world, index);
      at += count;
    }
  }

  /** What these items cost together, in ms; undefined where it failed. */
  private async taken(world: FuzzWorld<Item>, indices: readonly number[]): Promise<number | undefined> {
    const { entry, options } = this;
    const { cpu, wall } = options.meter ?? PROCESS;
    const items = indices.map((index) => {
      this.salt += 1;
      return entry.make(Chance.ofItem(options.seed, index), `${index}-${this.salt}`);
    });
    this.current = indices[0] ?? 0;
    try {
      const before = { cpu: cpu(), wall: wall() };
      const work = world.take(items);
      if (work !== undefined) await within(PATIENCE_S, work);
      return Math.min(cpu() - before.cpu, wall() - before.wall);
    } catch (error) {
      if (indices.length === 1) this.fault(this.current, describe(error));
      else for (const index of indices) await this.taken(world, [index]);
      return undefined;
    }
  }

  /**
   * What one item costs alone. Before it is reported it is alone in a world of its own: what others left there costs
   * it nothing.
   */
  private async judge(world: FuzzWorld<Item>, index: number): Promise<void> {
    let least = await this.measured(world, index);
    if (least !== undefined && least > MOST_COST_MS) {
      const alone = await this.entry.open();
      try {
        least = await this.measured(alone, index);
      } finally {
        await alone.close();
      }
    }
    if (least === undefined) return;
    if (least > this.worst.ms) this.worst = { index, ms: least };
    if (least > MOST_COST_MS) this.fault(index, `costs ${least.toFixed(0)} ms`);
  }

  /** The least that it cost of several times, in ms; undefined where it failed. */
  private async measured(world: FuzzWorld<Item>, index: number): Promise<number | undefined> {
    let least = Number.POSITIVE_INFINITY;
    for (let left = MEASURED; left > 0 && least > MOST_COST_MS; left -= 1) {
      const ms = await this.taken(world, [index]);
      if (ms === undefined) return undefined;
      least = Math.min(least, ms);
    }
    return least;
  }

  private fault(index: number, what: string): void {
    const { entry, options } = this;
    this.faults.push({ entry: entry.name, seed: options.seed, index, what });
    options.say?.(`${entry.name}, seed ${options.seed}, item ${index}: ${what}`);
  }
}

async function within(seconds: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    let left = seconds;
    const turn = () => {
      left -= 1;
      if (left < 0) reject(new Error(`is not done after ${seconds} s`));
      else timer = setTimeout(turn, 1_000);
    };
    turn();
  });
  await Promise.race([work, late]).finally(() => clearTimeout(timer));
}

function describe(error: unknown): string {
  return error instanceof Error
    ? (error.stack ?? error.message).split('\n').slice(0, 4).join(' | ')
    : String(error);
}

/** The memory that is in use once all that can be collected is. */
async function settledMemory(): Promise<NodeJS.MemoryUsage> {
  for (let round = 0; round < 3; round += 1) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return process.memoryUsage();
}

let gc: unknown;

function collect(): void {
  setFlagsFromString('--expose_gc');
  gc ??= runInNewContext('gc');
  if (typeof gc === 'function') gc();
}
