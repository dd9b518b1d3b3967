import { setTimeout as pause } from 'node:timers/promises';
import { type Behaviour, behaveNormally } from '../../src/kit/messages/osascriptBehaviour.js';
import { AGENT_ID, type EdgeWorld } from '../support/EdgeWorld.js';
import type { StepName } from '../support/killPoints.js';
import type { Seeded } from './Seeded.js';
import { PEOPLE } from './Traffic.js';

const PATHS = ['/edge/message', '/edge/message', '/edge/sync', '/edge/command/ack', '/edge/register'];

/** What osascript may do to a text without leaving a doubt that it was not sent, even if its end was not observed. */
const CERTAIN: readonly Behaviour[] = [
  { kind: 'error', number: -600, when: 'before' },
  { kind: 'crash', when: 'before' },
];

/** What leaves only its row, or the lack of one, as evidence. */
const DOUBTFUL: readonly Behaviour[] = [
  { kind: 'hang', when: 'after' },
  { kind: 'hang', when: 'after', row: { kind: 'none' } },
  { kind: 'hang', when: 'after', sent: false },
  { kind: 'hang', when: 'before' },
  { kind: 'error', number: -1712, when: 'after' },
  { kind: 'error', number: -1712, when: 'after', row: { kind: 'none' } },
  { kind: 'error', number: -1712, when: 'before' },
  { kind: 'error', number: -609, when: 'after', sent: false },
  { kind: 'crash', when: 'after' },
  { kind: 'crash', when: 'after', row: { kind: 'none' } },
  { kind: 'ok', row: { kind: 'none' } },
];

/** Lets things fail at random, one after the other, until it is stopped. */
export class Mischief {
  private readonly lasting = new Set<Promise<unknown>>();
  private isDown = false;

  constructor(
    private readonly world: EdgeWorld,
    private readonly random: Seeded,
    /** Whether texts may come to an unknown end. */
    private readonly unknown: boolean,
  ) {}

  /** Perhaps decides that osascript will fail at this text when it comes. */
  text(text: string): void {
    const { random, world } = this;
    if (this.unknown && random.chance(0.12)) world.behave(random.pick(DOUBTFUL), { textIncludes: text });
    else if (random.chance(0.04)) {
      // The third time would be the last: then the text rightly fails.
      const times = random.chance(0.1) ? 2 : 1;
      world.behave(random.pick(CERTAIN), { textIncludes: text, times });
    }
  }

  /** Lets go wrong what leads to this step, if it is one that only a failure leads to. */
  provoke(step: StepName): void {
    if (step === "a2'") this.world.backend.failHttp(503, 1, { path: '/edge/message' });
    if (step === "c2'") this.refuseChat();
  }

  /** Lets one thing go wrong. */
  step(): void {
    const { random, world } = this;
    const { backend } = world;
    const path = random.pick(PATHS);
    const act = random.weighted({
      drop: 2,
      freeze: 1.5,
      close: 1,
      status: 2,
      timeout: 0.5,
      lose: 2.5,
      down: 1,
      pongs: 1,
      upgrades: 0.7,
      slow: 3,
      lateRow: 2,
      noChat: 1,
    });
    switch (act) {
      case 'drop':
        backend.dropSocket();
        return;
      case 'freeze':
        // Never thawed: a backend whose frames were swallowed has to offer them again over a new socket.
        backend.freezeSocket(AGENT_ID);
        this.later(random.int(100, 900), () => backend.dropSocket());
        return;
      case 'close':
        backend.closeWith(random.pick([1001, 1011, 1012, 4000]));
        return;
      case 'status':
        backend.failHttp(random.pick([500, 502, 503, 429, 404]), random.int(1, 2), { path });
        return;
      case 'timeout':
        backend.delayHttp(2_300, { path, times: 1 });
        return;
      case 'lose':
        backend.loseReplies({ path, times: random.int(1, 2) });
        return;
      case 'down':
        this.bringDown();
        return;
      case 'pongs':
        backend.holdPongs();
        this.later(random.int(200, 1_500), () => backend.releasePongs());
        return;
      case 'upgrades':
        backend.refuseUpgrades(random.pick([503, 429, 'hang'] as const));
        this.later(random.int(100, 700), () => backend.refuseUpgrades(null));
        return;
      case 'slow':
        world.behave({ kind: 'ok', slowMs: random.int(50, 600) }, { times: random.int(1, 3) });
        return;
      case 'lateRow':
        world.behave({ kind: 'ok', row: { kind: 'late', afterMs: random.int(50, 1_500) } });
        return;
      case 'noChat':
        this.refuseChat();
        return;
    }
  }

  /** The backend is well again; resolves when it is. */
  async calm(): Promise<void> {
    await Promise.all(this.lasting);
    const { backend } = this.world;
    backend.clearHttpFaults();
    backend.releasePongs();
    backend.refuseUpgrades(null);
  }

  /** Lets nothing go wrong any more; resolves when all is as it was. */
  async end(): Promise<void> {
    await this.calm();
    const { mac } = this.world;
    if (!this.unknown) behaveNormally(mac.osascriptDirectory);
  }

  private bringDown(): void {
    if (this.isDown) return;
    this.isDown = true;
    const { backend } = this.world;
    const ms = this.random.int(100, 1_200);
    this.track(
      backend
        .goDown()
        .then(() => pause(ms))
        .then(() => backend.comeBack())
        .then(() => {
          this.isDown = false;
        }),
    );
  }

  /** Messages does not know a chat by its guid, once; it still knows the person. */
  private refuseChat(): void {
    const { random, world } = this;
    const { guid } = world.mac.chatDb.directChat(random.pick(PEOPLE));
    world.behave({ kind: 'error', number: -1728, when: 'before' }, { target: guid });
  }

  private later(ms: number, run: () => void): void {
    this.track(pause(ms).then(run));
  }

  private track(work: Promise<unknown>): void {
    const tracked = work.finally(() => this.lasting.delete(tracked));
    this.lasting.add(tracked);
  }
}
