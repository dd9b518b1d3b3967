import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { EdgeWorld } from '../support/EdgeWorld.js';
import type { StepName } from '../support/killPoints.js';
import { SmallDisk } from '../support/SmallDisk.js';
import { untilIdle } from '../support/statusOf.js';
import { until } from '../support/until.js';
import { copyTree } from './copyTree.js';
import { type Evidence, gather, unknownByKind } from './evidence.js';
import { type FaultKind, Faults } from './Faults.js';
import { Forms } from './Forms.js';
import type { Intents } from './intents.js';
import { judge } from './judge.js';
import { Mischief } from './Mischief.js';
import { Reaper } from './Reaper.js';
import { Seeded } from './Seeded.js';
import { Traffic } from './Traffic.js';

export interface SoakOptions {
  seed: number;
  /** How often the daemon is killed. */
  kills: number;
  /** No further kill after so many minutes. */
  minutes: number;
  /** Whether osascript may leave a doubt; then, and only then, a text may be lost if it is reported as unknown. */
  unknown: boolean;
  /** What goes wrong beside what always may. */
  faults: readonly FaultKind[];
  /** Whether chat.db is written in every form that Messages has for one fact. */
  forms: boolean;
  /** Keeps everything in any case, not only where a promise was broken. */
  keep: boolean;
  /** Called with the progress. */
  say?: (line: string) => void;
}

export interface SoakReport {
  kills: number;
  /** How many deaths there were at each named step and phase, and at any time (`random`). */
  deaths: Readonly<Record<string, number>>;
  counts: Readonly<
    Record<
      | 'messages'
      | 'posted again'
      | 'commands'
      | 'reflexes'
      | 'delivered again'
      | 'acks told'
      | 'texts sent'
      | 'outcomes unknown'
      | 'connects',
      number
    >
  >;
  /** How many texts were ever reported as unknown, by the reason. */
  unknown: Readonly<Record<string, number>>;
  /** How often each form was written, and each fault begun. */
  forms: Readonly<Record<string, number>>;
  faults: Readonly<Record<string, number>>;
  /** What was promised and not kept. */
  violations: readonly string[];
  /** Where everything was kept that may show why; undefined if it was not. */
  artefacts: string | undefined;
}

/** What the state directory is on, below the world's directory; where it can be full it holds so much, as a state grows with its history. */
const DISK = 'disk';
const DISK_MB = { least: 64, perKill: 0.25 };
/** A soak may be limited by time alone. */
const MOST_KILLS = 5_000;
/** How much may be asked and not yet done: more would only wait. */
const BACKLOG = 20;
/** A daemon that is so far behind gets a run in which it can catch up: on a busy machine the short ones do nothing. */
const FAR_BEHIND = 60;
/** So long without a step forward is standing still: link and poller may each wait a minute, and the machine be busy. */
const STILL_AFTER_MS = 240_000;
const TELL_EVERY = 25;

/**
 * Runs the real daemon under traffic while everything around it fails, kills it repeatedly, lets it settle in the
 * end, and judges whether every promise was kept.
 */
export async function soak(options: SoakOptions): Promise<SoakReport> {
  const cleanups: (() => void | Promise<void>)[] = [];
  const world = await EdgeWorld.open(
    { onTestFinished: (clean) => cleanups.push(clean) },
    {
      persona: (message, context) => traffic.persona(message, context),
      durableBackend: true,
      state: join(DISK, 'state'),
      settings: {
        'backend.request_timeout_seconds': 2,
        'backend.safety_sync_seconds': 3,
        // Its people write as no person could, and as much as the agent can take.
        'outgoing.max_per_minute': 0,
        'outgoing.pause_on_loop': false,
        'imessage.send_timeout_seconds': options.unknown ? 2 : 30,
      },
    },
  );
  const kinds = new Set(options.faults);
  const onDisk = { onTestFinished: (clean: () => void | Promise<void>) => void cleanups.unshift(clean) };
  mkdirSync(join(world.directory, DISK), { mode: 0o700 });
  const megabytes = DISK_MB.least + Math.ceil(Math.min(options.kills, MOST_KILLS) * DISK_MB.perKill);
  const disk = kinds.has('disk')
    ? SmallDisk.mount(onDisk, join(world.directory, DISK), megabytes)
    : undefined;
  const random = new Seeded(options.seed);
  const mischief = new Mischief(world, random.fork(), options.unknown);
  const traffic = new Traffic(world, random.fork(), (text) => mischief.text(text), options.forms);
  const forms = options.forms ? new Forms(world, random.fork(), traffic, kinds.has('clock')) : undefined;
  const faults = new Faults(world, random.fork(), kinds, traffic, disk);
  const provoke = (step: StepName) => {
    mischief.provoke(step);
    traffic.provoke(step);
  };
  const reaper = new Reaper(world, random.fork(), provoke, faults);
  try {
    await reaper.begin();
    const unsettled = await torment(options, { traffic, forms, faults, mischief, reaper });
    options.say?.(`${reaper.kills} kills; now it is left in peace`);
    const left = unsettled ?? (await settle(world, reaper, { traffic, forms, faults, mischief }));
    return await report(world, options, { traffic, forms, faults, reaper }, left);
  } finally {
    await reaper.dispose();
    await Promise.allSettled([traffic.arrived(), forms?.arrived(), faults.end(), mischief.calm()]);
    for (const clean of cleanups) await clean();
  }
}

interface Cast {
  traffic: Traffic;
  forms: Forms | undefined;
  faults: Faults;
  mischief: Mischief;
  reaper: Reaper;
}

/** Everything at the same time; resolves after the last kill. Returns what went wrong with the tormenting itself. */
async function torment(
  options: SoakOptions,
  { traffic, forms, faults, mischief, reaper }: Cast,
): Promise<string | undefined> {
  const random = new Seeded(~options.seed);
  let going = true;
  const every = async (least: number, most: number, act: () => void) => {
    while (going) {
      act();
      await pause(random.int(least, most));
    }
  };
  const ask = every(30, 140, () => {
    if (traffic.backlog < BACKLOG) traffic.step();
  });
  let isCatchingUp = false;
  // What is far behind catches up in peace: failures would pile up that wait for posts which wait for them.
  const spoil = every(400, 1_400, () => {
    if (!isCatchingUp) mischief.step();
  });
  const write = every(100, 600, () => forms?.step(!isCatchingUp && traffic.backlog < 2 * BACKLOG));
  const fail = every(600, 2_500, () => {
    if (!isCatchingUp) faults.step();
  });
  const end = performance.now() + options.minutes * 60_000;
  try {
    while (reaper.kills < options.kills && performance.now() < end) {
      if (traffic.backlog < FAR_BEHIND) await reaper.reap();
      else {
        isCatchingUp = true;
        await mischief.calm();
        await reaper.reapWhen(() => untilLess(traffic, BACKLOG));
        isCatchingUp = false;
      }
      if (reaper.kills % TELL_EVERY === 0) options.say?.(`${reaper.kills} kills`);
    }
    return undefined;
  } catch (error) {
    return `the daemon did not take it: ${String(error)}`;
  } finally {
    going = false;
    await Promise.all([ask, spoil, write, fail]);
  }
}

/** Lets the daemon finish in peace, stops it, and starts it once more: then nothing may be left to do. */
async function settle(
  world: EdgeWorld,
  reaper: Reaper,
  { traffic, forms, faults, mischief }: Omit<Cast, 'reaper'>,
): Promise<string | undefined> {
  await mischief.end();
  await faults.end();
  await traffic.arrived();
  await forms?.arrived();
  await reaper.spare();
  try {
    await untilLess(traffic, 1).catch((error) => {
      throw new Error(`${error.message}; ${traffic.unacked} commands are not acked`);
    });
    await untilIdle(world.state, STILL_AFTER_MS);
    await reaper.restart();
    await untilIdle(world.state, STILL_AFTER_MS);
    await reaper.stop();
    return undefined;
  } catch (error) {
    return `does not settle: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Resolves once fewer than `few` things are open; rejects if none more gets done for `STILL_AFTER_MS`. */
async function untilLess(traffic: Traffic, few: number): Promise<void> {
  while (traffic.backlog >= few) {
    const open = traffic.backlog;
    await until(
      () => traffic.backlog < open,
      () => `one more of ${open} things to be done`,
      STILL_AFTER_MS,
    );
  }
}

async function report(
  world: EdgeWorld,
  options: SoakOptions,
  { traffic, forms, faults, reaper }: Omit<Cast, 'mischief'>,
  left: string | undefined,
): Promise<SoakReport> {
  await reaper.dispose();
  const evidence = await gather(
    world,
    traffic.commands.map(({ commandId }) => commandId),
    faults,
  );
  const { journal, sent, unknown } = evidence;
  const { commands, messages, targets } = traffic;
  const intents = { commands, messages, targets, operators: forms?.operators ?? [] };
  const violations = [...(left === undefined ? [] : [left]), ...judge(intents, evidence, options.unknown)];
  const { kills, deaths } = reaper;
  const counts = {
    messages: traffic.messages.length,
    'posted again': journal.messages.filter(({ repeat }) => repeat).length,
    commands: traffic.commands.length,
    reflexes: journal.reflexes.filter(({ commandId }) => commandId !== null).length,
    'delivered again': journal.commands.filter(({ repeat }) => repeat).length,
    'acks told': journal.acks.length,
    'texts sent': sent.length,
    'outcomes unknown': unknown.length,
    connects: journal.connects.length,
  };
  const isKept = options.keep || violations.length > 0;
  const artefacts = isKept ? keep(world, options, intents, evidence, violations) : undefined;
  return {
    kills,
    deaths,
    counts,
    unknown: unknownByKind(evidence),
    forms: forms?.counts ?? {},
    faults: faults.counts,
    violations,
    artefacts,
  };
}

/** Copies the world to where it outlives the run. */
function keep(
  world: EdgeWorld,
  options: SoakOptions,
  { commands: asked, messages: written, operators }: Intents,
  { unknown }: Evidence,
  violations: readonly string[],
): string {
  const directory = mkdtempSync(join(tmpdir(), `edge-soak-${options.seed}-`));
  copyTree(world.directory, directory);
  const { registrations, connects, disconnects, messages, replies, reflexes, commands, acks, syncs, events } =
    world.backend.journal;
  const journal = [
    registrations,
    connects,
    disconnects,
    messages,
    replies,
    reflexes,
    commands,
    acks,
    syncs,
    events,
  ]
    .flat()
    .toSorted((a, b) => a.at - b.at);
  const lines = (list: readonly unknown[]) => list.map((entry) => `${JSON.stringify(entry)}\n`).join('');
  writeFileSync(join(directory, 'journal.jsonl'), lines(journal));
  writeFileSync(join(directory, 'asked.jsonl'), lines([...asked, ...written, ...operators]));
  writeFileSync(join(directory, 'unknown.jsonl'), lines(unknown));
  writeFileSync(join(directory, 'violations.txt'), `${violations.join('\n')}\n`);
  return directory;
}
