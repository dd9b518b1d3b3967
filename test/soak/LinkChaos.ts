import { LinkWorld } from '../support/LinkWorld.js';
import { AGENT_ID } from '../support/startBackend.js';
import { Seeded } from './Seeded.js';

/** The waits of the tests are about sixty times shorter than the protocol's: a minute of it takes a second here. */
const MINUTE_MS = 1_000;
/** Longest that a fault lasts which lasts at all. */
const LONGEST_FAULT_MS = 600;
const CLOSE_CODES = [1000, 1001, 1008, 1011, 1012, 1013, 4001, 4409] as const;
const HTTP_FAILURES = [401, 403, 429, 500, 502, 503] as const;

export interface ChaosReport {
  readonly commands: number;
  readonly events: number;
  readonly dials: number;
  readonly restarts: number;
  /** How often each fault struck. */
  readonly faults: Readonly<Record<string, number>>;
  /** What was promised and not kept; empty if all was. */
  readonly broken: readonly string[];
}

/** A fault that is over at once, or what ends it. */
type Fault = () => void | (() => void | Promise<void>) | Promise<void>;

/**
 * Faults at random, on the way and at both ends, while commands and events flow. Everything that is chosen follows from the
 * seed; what the machine's timing makes of it does not. At the end all faults end, and everything must come out even.
 */
export class LinkChaos {
  private readonly counts: Record<string, number> = {};
  private readonly ending = new Set<() => void | Promise<void>>();
  private readonly unheard: string[] = [];
  private events = 0;
  private restarts = 0;

  private constructor(
    private readonly world: LinkWorld,
    private readonly seeded: Seeded,
  ) {}

  /** Runs for so many minutes of the protocol's time. Resolves when everything is closed. */
  static async run(seed: number, minutes: number): Promise<ChaosReport> {
    const seeded = new Seeded(seed);
    const jitter = seeded.fork();
    const before = resources();
    const world = await LinkWorld.open({
      settings: { safetySyncSeconds: 0.5, requestTimeoutSeconds: 0.6 },
      options: { random: () => jitter.next() },
    });
    return new LinkChaos(world, seeded).run(minutes * MINUTE_MS, before);
  }

  private async run(ms: number, before: Record<string, number>): Promise<ChaosReport> {
    const { world, seeded } = this;
    const hear = (error: unknown) => this.unheard.push(String(error));
    process.on('unhandledRejection', hear);
    process.on('uncaughtException', hear);
    const end = performance.now() + ms;
    while (performance.now() < end) {
      for (let i = seeded.int(0, 3); i > 0; i--) world.push(seeded.chance(0.2) ? 'polling' : undefined);
      if (seeded.chance(0.3)) this.tell();
      if (seeded.chance(0.35)) await this.strike();
      await pause(seeded.int(0, 25));
    }
    await this.mend();
    const broken = await this.judge();
    await world.close();
    await pause(50);
    process.off('unhandledRejection', hear);
    process.off('uncaughtException', hear);
    for (const [kind, count] of Object.entries(resources())) {
      const were = before[kind] ?? 0;
      if (count > were) broken.push(`${count - were} ${kind} left in the process`);
    }
    broken.push(...this.unheard.map((error) => `an error that nobody heard: ${error}`));
    const { upgrades: dials } = world.proxy;
    const { events, restarts, counts: faults } = this;
    return { commands: world.pushed.length, events, dials, restarts, faults, broken };
  }

  private async strike(): Promise<void> {
    const faults = this.faults();
    const name = this.seeded.pick(Object.keys(faults));
    this.counts[name] = (this.counts[name] ?? 0) + 1;
    const fault = faults[name];
    const over = await fault?.();
    if (!over) return;
    const lasts = this.seeded.int(20, LONGEST_FAULT_MS);
    const finish = () => {
      clearTimeout(timer);
      this.ending.delete(finish);
      return over();
    };
    const timer = setTimeout(() => void finish(), lasts);
    this.ending.add(finish);
  }

  private faults(): Record<string, Fault> {
    const { proxy, simulated } = this.world;
    const { seeded } = this;
    const { backend } = this.world.made;
    const upgrades = (how: number | 'hang') => () => {
      simulated.refuseUpgrades(how);
      return () => simulated.refuseUpgrades(null);
    };
    const frames = (how: 'doubled' | 'reversed') => () => {
      proxy.mistreatFrames(how);
      return () => proxy.mistreatFrames('asTheyAre');
    };
    return {
      drop: () => void proxy.drop(),
      freeze: () => void proxy.freeze(),
      halfClose: () => void proxy.halfClose(),
      garbage: () => void proxy.injectGarbage(),
      cutInsideFrame: () => void proxy.cutInsideNextFrame(),
      doubleBytes: () => void proxy.doubleNextBytes(),
      doubleFrames: frames('doubled'),
      reorderFrames: frames('reversed'),
      slow: () => {
        proxy.slowDown(seeded.int(3_000, 30_000));
        return () => proxy.slowDown(null);
      },
      page: () => {
        proxy.answerUpgradesWithPage(true);
        return () => proxy.answerUpgradesWithPage(false);
      },
      silence: () => {
        proxy.fallSilent();
        return () => proxy.thaw();
      },
      portClosed: async () => {
        await proxy.close();
        await pause(seeded.int(5, 150));
        await proxy.open();
      },
      backendDown: async () => {
        await simulated.goDown();
        await pause(seeded.int(5, 150));
        await simulated.comeBack();
      },
      close: () => void simulated.closeWith(seeded.pick(CLOSE_CODES)),
      frozenBackend: () => void simulated.freezeSocket(),
      duplicateCommand: () => simulated.duplicateNextCommand(seeded.int(1, 5)),
      refused: upgrades(401),
      unavailable: upgrades(503),
      hang: upgrades('hang'),
      noPongs: () => {
        simulated.holdPongs(seeded.pick(['all', 'json', 'websocket'] as const));
        return () => simulated.releasePongs();
      },
      httpFails: () => simulated.failHttp(seeded.pick(HTTP_FAILURES), seeded.int(1, 4)),
      httpSlow: () => simulated.delayHttp(seeded.int(20, 500), { times: seeded.int(1, 3) }),
      repliesLost: () => simulated.loseReplies({ times: seeded.int(1, 3) }),
      wake: () => backend.wake(),
      kick: () => backend.kick('chaos'),
      redeliver: () => backend.redeliver('chaos'),
      credentials: () => backend.credentialsChanged(),
      restart: async () => {
        if (!seeded.chance(0.3)) return;
        this.restarts += 1;
        await this.world.restart();
      },
    };
  }

  private tell(): void {
    this.events += 1;
    this.world.tell();
  }

  /** Every fault ends, whether or not its time has come. */
  private async mend(): Promise<void> {
    for (const finish of [...this.ending]) await finish();
    const { proxy, simulated, made } = this.world;
    simulated.clearHttpFaults();
    simulated.thawSocket();
    proxy.thaw();
    await proxy.open();
    made.backend.kick('the storm is over');
  }

  private async judge(): Promise<string[]> {
    const { world } = this;
    const broken: string[] = [];
    const failed = (error: unknown) =>
      void broken.push(error instanceof Error ? error.message : String(error));
    await world.settled().catch(failed);
    await world.is('online').catch(failed);
    for (const id of world.repeated) broken.push(`${id} was executed ${world.executions.get(id)} times`);
    for (const id of world.pushed) {
      if (!world.executions.has(id)) broken.push(`${id} was never executed`);
      if ((await world.simulated.commands.lastAck(AGENT_ID, id)) === undefined)
        broken.push(`${id} was never acked`);
    }
    const told = new Set(world.simulated.events.map(({ body }) => body.event_id)).size;
    if (told !== this.events) broken.push(`${told} of ${this.events} events arrived`);
    const left = await world.leave();
    for (const [what, count] of Object.entries(left)) if (count > 0) broken.push(`${count} ${what} left`);
    return broken;
  }
}

/** What holds the process, by kind. */
function resources(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) {
    // Lookups and files are temporary, and the test runner's own; a leak of the agent is a timer or a socket.
    if (/^(Timeout|Immediate|TCP|TLS)/.test(kind)) counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
