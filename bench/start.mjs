import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { agentEnvironment, openPlaces } from './AgentWorld.mjs';
import { MAIN } from './DaemonWorld.mjs';
import { bounded, median, nowMs } from './figures.mjs';

const RUNS = 9;
const SETTLED_MS = 1_000;

/**
 * The daemon as its own process, with the flags of the service, on a store that is there: from its start until its WebSocket is open at
 * the backend, the CPU time until then (Linux alone), and the resident memory a second after its first status.
 */
export async function run() {
  const places = await openPlaces();
  const starts = [];
  const bare = [];
  // The first one makes the store.
  for (let round = -1; round < RUNS; round++) {
    const began = nowMs();
    await once(spawn(process.execPath, ['-e', '0'], { env: agentEnvironment(places) }), 'exit');
    const took = nowMs() - began;
    const start = await startOnce(places);
    if (round < 0) continue;
    bare.push(took);
    starts.push(start);
  }
  await places.close();
  const reference = { name: 'node -e 0', value: median(bare) };
  const budgets = [
    ['start → WebSocket open', 'wall', 'ms', 350],
    ['CPU, start → WebSocket open', 'cpu', 'ms', 350],
    ['RSS after its start', 'rss', 'MB', 80],
  ];
  return budgets
    .map(([what, figure, unit, most]) => ({
      what,
      measured: median(starts.map((one) => one[figure])),
      unit,
      most,
    }))
    .filter(({ measured }) => Number.isFinite(measured))
    .map(({ unit, most, ...row }) => {
      return bounded({ ...row, unit, most, reference: unit === 'ms' ? reference : undefined });
    });
}

async function startOnce(places) {
  const { backend, directory } = places;
  const connects = backend.connects.length;
  const statuses = backend.statuses.length;
  const began = nowMs();
  const daemon = spawn(process.execPath, ['--optimize-for-size', MAIN, 'run'], {
    cwd: directory,
    env: agentEnvironment(places),
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  try {
    await backend.until(() => backend.connects.length > connects, 30_000);
    const wall = nowMs() - began;
    const cpu = cpuMs(daemon.pid);
    await backend.until(() => backend.statuses.length > statuses, 30_000);
    await pause(SETTLED_MS);
    const kilobytes = execFileSync('ps', ['-o', 'rss=', '-p', String(daemon.pid)], { encoding: 'utf8' });
    return { wall, cpu, rss: Number(kilobytes) / 1024 };
  } finally {
    daemon.kill('SIGTERM');
    await once(daemon, 'exit');
  }
}

/** What its threads have run until now, by proc(5). */
function cpuMs(pid) {
  try {
    return readdirSync(`/proc/${pid}/task`)
      .map(
        (thread) => Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / 1e6,
      )
      .reduce((sum, one) => sum + one, 0);
  } catch {
    // Not on this system.
    return Number.NaN;
  }
}
