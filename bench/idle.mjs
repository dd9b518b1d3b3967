import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { DaemonWorld } from './DaemonWorld.mjs';
import { bounded } from './figures.mjs';

const SETTLED_MS = 30_000;
const IDLE_MS = 90_000;

/** A daemon that has had one message, and then nothing to do: its CPU time, and how often its main thread is woken (Linux alone). */
export async function run() {
  const world = await DaemonWorld.open();
  const { backend, mac, daemon } = world;
  mac.chatDb.receive({ from: '+13106660001', text: 'One.' });
  await backend.until(() => backend.messages.size >= 1, 30_000);
  await pause(SETTLED_MS);
  const before = { ...(await world.usage()), wakeUps: wakeUps(daemon.pid) };
  await pause(IDLE_MS);
  const after = { ...(await world.usage()), wakeUps: wakeUps(daemon.pid) };
  await world.close();
  const seconds = IDLE_MS / 1000;
  const rows = [
    bounded({
      what: `CPU while idle, ${seconds} s`,
      measured: ((after.cpu - before.cpu) / (IDLE_MS * 1000)) * 100,
      unit: '% of a core',
      most: 0.1,
    }),
  ];
  if (Number.isFinite(after.wakeUps)) {
    rows.push(
      bounded({
        what: `wake-ups of the main thread while idle, ${seconds} s`,
        measured: (after.wakeUps - before.wakeUps) / seconds,
        unit: '/s',
        most: 2,
      }),
    );
  }
  return rows;
}

/** How often the main thread has waited for something, by proc(5). */
function wakeUps(pid) {
  try {
    const [, count] =
      /^voluntary_ctxt_switches:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/task/${pid}/status`, 'utf8')) ??
      [];
    return Number(count);
  } catch {
    // Not on this system.
    return Number.NaN;
  }
}
