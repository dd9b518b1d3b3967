import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { Columns } from '../../src/kit/messages/AppleDatabase.js';
import { INPUT_LIMITS } from '../../src/system/inputLimits.js';
import { type DaemonProcess, STARTED } from '../support/DaemonProcess.js';
import type { EdgeWorld } from '../support/EdgeWorld.js';
import type { SmallDisk } from '../support/SmallDisk.js';
import { until } from '../support/until.js';
import { copyTree } from './copyTree.js';
import { type Restore, type UnknownText, unknownTexts } from './evidence.js';
import type { Seeded } from './Seeded.js';
import type { Traffic } from './Traffic.js';

/**
 * Kinds of fault that are not always there: an older state restored, a full disk, no descriptors, hostile items, a
 * clock that is set.
 */
export const FAULT_KINDS = ['restores', 'disk', 'descriptors', 'poison', 'clock'] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

const CLOCK = pathToFileURL(join(import.meta.dirname, '../support/shiftedClock.mjs')).href;
const SECOND = 1000;
const JUMPS_MS = [2 * SECOND, 30 * SECOND, 90 * SECOND, 600 * SECOND, 3600 * SECOND];
const STORE_FILES = ['edge-agent.db', 'edge-agent.db-wal', 'edge-agent.db-shm'];

/** Texts that cost more than they look, each with as many characters as given. */
const HOSTILE_TEXTS: readonly ((size: number) => string)[] = [
  (size) => '7'.repeat(size),
  (size) => '- '.repeat(size / 2),
  (size) => '['.repeat(size),
  (size) => '(1).a.b'.repeat(size / 7),
  (size) => '31 a@b.c '.repeat(size / 9),
  (size) => '\u202e\u001b]0;x\u0007'.repeat(size / 8),
  (size) => 'e\u0301\u200d'.repeat(size / 3),
];

/** Lets the world around the daemon go wrong in the kinds that were asked for. */
export class Faults {
  /** Older states that were restored. */
  readonly restores: Restore[] = [];
  /** Texts whose outcome replaced stores reported as unknown. */
  readonly unknown: UnknownText[] = [];
  readonly counts: Record<string, number> = {};
  private readonly lasting = new Set<Promise<unknown>>();
  private daemon: DaemonProcess | undefined;
  private copiedAt: number | undefined;
  private livesSinceCopy = 0;
  private isFull = false;
  /** The disk was full at some time since the daemon was started. */
  private wasFull = false;
  private isSet = false;
  private isOver = false;

  constructor(
    private readonly world: EdgeWorld,
    private readonly random: Seeded,
    private readonly kinds: ReadonlySet<FaultKind>,
    private readonly traffic: Traffic,
    /** On which the state directory is. */
    private readonly disk: SmallDisk | undefined,
  ) {
    if (!kinds.has('clock')) return;
    this.setClock(0);
    Object.assign(world.place.env, { NODE_OPTIONS: `--import ${CLOCK}`, CLOCK_FILE: this.clockFile });
  }

  /** On a full disk not even the lock of the state directory can be taken; one that has started never ends for that. */
  mayRefuse(daemon: DaemonProcess): boolean {
    return (
      this.wasFull &&
      !daemon.lines().some((line) => STARTED.test(line)) &&
      /full|ENOSPC/.test(daemon.complaints())
    );
  }

  /** A daemon was started. */
  born(daemon: DaemonProcess): void {
    this.daemon = daemon;
    this.wasFull = this.isFull;
  }

  /** No daemon runs: perhaps its state is copied, or an older copy is restored. */
  async between(): Promise<void> {
    if (!this.kinds.has('restores') || this.isFull || this.isOver) return;
    this.livesSinceCopy += 1;
    if (this.copiedAt === undefined) {
      if (existsSync(join(this.world.state, 'edge-agent.db')) && this.random.chance(0.25)) this.copyState();
    } else if (this.livesSinceCopy > 2 && this.random.chance(0.2)) await this.restore();
  }

  /** Begins one fault. */
  step(): void {
    const has = (kind: FaultKind, weight: number) => (this.kinds.has(kind) ? weight : 0);
    const weights = {
      ...{ disk: has('disk', 2), descriptors: has('descriptors', 3), clock: has('clock', 2) },
      ...{
        hostileText: has('poison', 1.5),
        hostileRow: has('poison', 1),
        hostileCommand: has('poison', 1.5),
      },
    };
    if (Object.values(weights).every((weight) => weight === 0)) return;
    const act = this.random.weighted(weights);
    const isDone = {
      disk: () => this.fillDisk(),
      descriptors: () => this.takeDescriptors(),
      clock: () => this.jump(),
      hostileText: () => this.hostileText(),
      hostileRow: () => this.hostileRow(),
      hostileCommand: () => this.hostileCommand(),
    }[act]();
    if (isDone) this.count(act);
  }

  /** Resolves when all is as it was. */
  async end(): Promise<void> {
    this.isOver = true;
    while (this.lasting.size > 0) await Promise.all(this.lasting);
  }

  private get clockFile(): string {
    return join(this.world.directory, 'clock-offset');
  }

  /** Not on the disk that may be full: that holds the state alone. */
  private get copy(): string {
    return join(this.world.directory, 'state.copy');
  }

  private copyState(): void {
    copyTree(this.world.state, this.copy);
    this.copiedAt = Date.now();
    this.livesSinceCopy = 0;
  }

  private async restore(): Promise<void> {
    const { copy, random, world } = this;
    const { state } = world;
    // Who puts a backup back does not do so within the second in which osascript still runs for an agent that was killed.
    await until(
      () => !isRunning(world.mac.osascriptDirectory),
      () => 'osascript to end',
    );
    this.unknown.push(...unknownTexts(state));
    // What is set aside may show why.
    copyTree(state, join(world.directory, `replaced-${this.restores.length + 1}`));
    const way = random.pick(['copied', 'moved', 'overwritten'] as const);
    if (way === 'overwritten') {
      for (const name of STORE_FILES) rmSync(join(state, name), { force: true });
      for (const name of STORE_FILES)
        if (existsSync(join(copy, name))) cpSync(join(copy, name), join(state, name));
    } else {
      rmSync(state, { recursive: true });
      const beside = way === 'moved' ? `${state}.moved` : state;
      copyTree(copy, beside);
      if (way === 'moved') renameSync(beside, state);
    }
    rmSync(copy, { recursive: true });
    this.restores.push({ copiedAt: this.copiedAt ?? 0, restoredAt: Date.now() });
    this.copiedAt = undefined;
    this.count('restore');
  }

  /** The disk is full for a while, or nearly so. */
  private fillDisk(): boolean {
    const { disk, random } = this;
    if (disk === undefined || this.isFull) return false;
    this.isFull = true;
    this.wasFull = true;
    disk.fill(random.chance(0.5) ? 0 : random.int(1, 200_000));
    this.later(random.int(300, 4_000), () => {
      disk.makeRoom();
      this.isFull = false;
    });
    return true;
  }

  /** The daemon has few descriptors left, or none, for a while. */
  private takeDescriptors(): boolean {
    const { daemon, random } = this;
    if (daemon === undefined || !daemon.lines().some((line) => STARTED.test(line))) return false;
    const { pid } = daemon;
    if (!limit(pid, (used) => lowestLeaving(used, random.int(0, 3)))) return false;
    this.later(random.int(300, 2_500), () => limit(pid, () => 1024));
    return true;
  }

  /** The clock of the Mac is set, and some time later set right. */
  private jump(): boolean {
    const { random } = this;
    if (this.isSet) return false;
    this.isSet = true;
    this.setClock(random.pick(JUMPS_MS) * (random.chance(0.5) ? 1 : -1));
    this.later(random.int(300, 4_000), () => {
      this.setClock(0);
      this.isSet = false;
    });
    return true;
  }

  private setClock(offsetMs: number): void {
    writeFileSync(`${this.clockFile}.new`, String(offsetMs));
    renameSync(`${this.clockFile}.new`, this.clockFile);
    this.world.mac.setClock(offsetMs);
  }

  /** A person's message that is hard to read: it must still be answered. */
  private hostileText(): boolean {
    const { random, traffic } = this;
    const { id, from, chat } = random.pick(traffic.conversations);
    const name = traffic.name('h');
    const text = `${name} ${random.pick(HOSTILE_TEXTS)(random.int(1_000, 600_000))}`;
    const { guid } = this.world.mac.chatDb.receive({ from, chat, text });
    const message = { guid, conversation: id, late: false, text: name, images: [], copies: [] };
    traffic.takeIn(name, { ...message, isHostile: true });
    return true;
  }

  /** An unreadable row, or one with an impossible guid: nothing follows from it. */
  private hostileRow(): boolean {
    const { random } = this;
    const { chatDb } = this.world.mac;
    const { from, chat } = random.pick(this.traffic.conversations);
    const bytes = randomBytes(random.int(1, 20_000));
    const handle = { handle_id: chatDb.handle(from, chat.service), is_finished: 1 };
    const columns = random.pick<Columns>([
      { attributedBody: bytes },
      { attributedBody: Buffer.concat([Buffer.from('\x04\x0bstreamtyped'), bytes]) },
      { guid: `${this.traffic.name('guid')}${'x'.repeat(5_000)}`, text: 'a long guid' },
      { attributedBody: bytes, message_summary_info: Buffer.concat([Buffer.from('bplist00'), bytes]) },
    ]);
    chatDb.insertMessage({ ...handle, ...columns }, chat);
    return true;
  }

  /** A command that cannot be done: it is acked as failed, and what is behind it is done. */
  private hostileCommand(): boolean {
    const { random, traffic } = this;
    const thread_id = random.pick(random.pick(traffic.conversations).threadIds);
    const size = random.int(1_000, 100_000);
    traffic.offend(
      random.pick([
        { thread_id, text: nested(random.int(100, 2_000)) },
        { thread_id, text: 'hi', attachments: Array.from({ length: size / 10 }, () => 1) },
        { thread_id: `${'9'.repeat(INPUT_LIMITS.identifier + size)}x`, text: 'hi' },
        { thread_id, text: 'y '.repeat(600_000) },
      ]),
    );
    return true;
  }

  private count(name: string): void {
    this.counts[name] = (this.counts[name] ?? 0) + 1;
  }

  private later(ms: number, run: () => void): void {
    const work = pause(ms)
      .then(run)
      .finally(() => this.lasting.delete(work));
    this.lasting.add(work);
  }
}

function nested(depth: number): unknown {
  let inner: unknown = [];
  for (let level = 1; level < depth; level++) inner = [inner];
  return inner;
}

/** Whether a process of this stand-in still runs, even one that writes a row later. */
function isRunning(osascriptDirectory: string): boolean {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .some((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(osascriptDirectory);
      } catch {
        // It ended meanwhile.
        return false;
      }
    });
}

/** Sets the soft limit on descriptors of a process; false if it has ended. */
function limit(pid: number, chosen: (used: ReadonlySet<number>) => number): boolean {
  try {
    const used = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
    execFileSync('prlimit', ['--pid', String(pid), `--nofile=${chosen(used)}:`], { stdio: 'pipe' });
    return true;
  } catch {
    return false;
  }
}

/** The limit that leaves so many free ones below it. */
function lowestLeaving(used: ReadonlySet<number>, free: number): number {
  let limit = 0;
  for (let left = free; left > 0 || used.has(limit); limit++) if (!used.has(limit)) left -= 1;
  return limit;
}
