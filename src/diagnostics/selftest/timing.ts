import { mkdirSync, mkdtempSync, rmSync, watch } from 'node:fs';
import { join } from 'node:path';
import { openDatabase, openDurableDatabase } from '../../store/sqlite.js';
import { sleep } from '../../system/clock.js';
import { timersLate, WATCHED_MS } from '../../system/timersLate.js';
import { type Check, type ConfiguredBench, fail, pass, warn } from '../checks/check.js';
import { median } from '../checks/median.js';

const COMMITS = 5;
const PATIENCE_MS = 3_000;
const LOOK_EVERY_MS = 2;
/** The budget from commit to request is 10 ms with file events; the watcher looks again for 63 ms after one. */
const SWIFT_MS = 60;

interface Noticed {
  readonly byEvent: number | undefined;
  readonly byVersion: number | undefined;
}

/** On a separate database next to the state, so that nothing is written to chat.db; it should be on the same kind of disk. */
export const fileEvents: Check = {
  id: 'file-events',
  title: 'a commit is noticed by file events and by data_version',
  async run(context) {
    const noticed = await commits(context);
    const events = noticed.flatMap(({ byEvent }) => byEvent ?? []);
    const versions = noticed.flatMap(({ byVersion }) => byVersion ?? []);
    const evidence = `${COMMITS} commits: file events ${medianOf(events)}, data_version ${medianOf(versions)}`;
    if (versions.length < COMMITS) {
      return fail(evidence, 'Put state.directory and chat.db on a local disk; report this if they are.');
    }
    const slow = 'Messages are noticed by looking every 200 ms instead; the only effect is the delay.';
    return events.length < COMMITS || median(events) > SWIFT_MS ? warn(evidence, slow) : pass(evidence);
  },
};

async function commits({ config: { loaded }, clock }: ConfiguredBench): Promise<Noticed[]> {
  const state = loaded.config.state.directory;
  mkdirSync(state, { recursive: true, mode: 0o700 });
  const directory = mkdtempSync(join(state, 'selftest-'));
  const path = join(directory, 'probe.db');
  const writer = openDurableDatabase(path);
  try {
    writer.exec('CREATE TABLE probe (at REAL)');
    const reader = openDatabase(path, { readonly: true });
    const version = () => reader.pragma('data_version', { simple: true }) as number;
    let eventAt: number | undefined;
    const note = () => {
      eventAt ??= clock.monotonic();
    };
    // Like the agent watches chat.db: macOS reports a write to an open file to watchers of that file.
    const watchers = [watch(directory, note), watch(`${path}-wal`, note)];
    try {
      const noticed: Noticed[] = [];
      for (let commit = 0; commit < COMMITS; commit += 1) {
        // Events of the previous commit, or of the watch itself, must not count for this one.
        await sleep(clock, 100);
        eventAt = undefined;
        const before = version();
        const began = clock.monotonic();
        writer.prepare('INSERT INTO probe VALUES (?)').run(began);
        let versionAt: number | undefined;
        while (clock.monotonic() - began < PATIENCE_MS) {
          if (versionAt === undefined && version() !== before) versionAt = clock.monotonic();
          if (versionAt !== undefined && eventAt !== undefined) break;
          await sleep(clock, LOOK_EVERY_MS);
        }
        noticed.push({ byEvent: since(began, eventAt), byVersion: since(began, versionAt) });
      }
      return noticed;
    } finally {
      for (const watcher of watchers) watcher.close();
      reader.close();
    }
  } finally {
    writer.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

const SMALL_GAP_MS = 250;
const LARGE_GAP_MS = 2_000;
const AGENT_MS = 15_000;

/** App Nap, timer coalescing or an overloaded Mac: what delays the timers of the agent delays everything. Of a terminal they may differ. */
export const wakeGap: Check = {
  id: 'wake-gap',
  title: 'timers are on time',
  withoutConfig: true,
  async run({ agent, askAgent, clock }) {
    const told = agent.kind === 'up' ? await askAgent({ verb: 'timers' }, AGENT_MS) : undefined;
    const isOfAgent = told?.kind === 'answered';
    const worst = isOfAgent ? told.result.worst_ms : await timersLate(clock);
    const whose = isOfAgent ? 'those of the running agent' : 'those of this program';
    const evidence = `${whose}: at most ${worst} ms late within ${WATCHED_MS / 1000} s`;
    const remedy = 'See that the Mac is not overloaded and that the LaunchAgent has ProcessType Interactive.';
    if (worst >= LARGE_GAP_MS) return fail(evidence, remedy);
    return worst >= SMALL_GAP_MS ? warn(evidence, remedy) : pass(evidence);
  },
};

function since(began: number, at: number | undefined): number | undefined {
  return at === undefined ? undefined : at - began;
}

function medianOf(times: readonly number[]): string {
  return times.length === 0 ? 'none' : `${times.length}, median ${median(times).toFixed(1)} ms`;
}
