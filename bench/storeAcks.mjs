import { DaemonWorld } from './DaemonWorld.mjs';
import { bounded, nowMs, percentile } from './figures.mjs';

const PER_SECOND = 500;
const SECONDS = 10;
const EVERY_MS = 10;
const WARM_UP_MS = 2_000;

/** From pushing a command to its ack at the backend, at a steady rate, each stored and executed durably in between. */
export async function run() {
  const idle = await latencies(10, 3);
  const busy = await latencies(PER_SECOND, SECONDS);
  const row = (name, share, most) =>
    bounded({
      what: `command pushed → acked, ${PER_SECOND}/s, ${name}`,
      measured: percentile(busy, share),
      reference: { name: 'at 10/s', value: percentile(idle, share) },
      unit: 'ms',
      ...(most === undefined ? {} : { most }),
    });
  return [row('p50', 0.5), row('p99', 0.99)];
}

/** `list_scheduled` is stored, executed and acked like any command, and sends nothing. */
async function latencies(perSecond, seconds) {
  const world = await DaemonWorld.open();
  const { backend } = world;
  const pushedAt = new Map();
  const samples = [];
  const began = nowMs();
  const stop = backend.observe((seen) => {
    if (seen.kind !== 'ack') return;
    const at = pushedAt.get(seen.body.command_id);
    pushedAt.delete(seen.body.command_id);
    if (at !== undefined && at - began > WARM_UP_MS) samples.push(nowMs() - at);
  });
  let pushed = 0;
  await new Promise((resolve) => {
    const timer = setInterval(() => {
      const elapsed = nowMs() - began;
      const due = Math.floor((Math.min(elapsed, seconds * 1000 + WARM_UP_MS) / 1000) * perSecond);
      for (; pushed < due; pushed++) {
        const command_id = `cmd_${pushed}`;
        pushedAt.set(command_id, nowMs());
        backend.pushCommand({ command_id, command_type: 'list_scheduled' });
      }
      if (elapsed < seconds * 1000 + WARM_UP_MS) return;
      clearInterval(timer);
      resolve();
    }, EVERY_MS);
  });
  await backend.until(() => pushedAt.size === 0, 30_000);
  stop();
  await world.close();
  return samples;
}
