import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { BareBackend } from './BareBackend.mjs';
import { DaemonWorld } from './DaemonWorld.mjs';
import { bounded, median, nowMs } from './figures.mjs';

const PEOPLE = 200;
const MESSAGES = 10_000;
const COMMAND_EVERY_MS = 50;
/** As many posts as the agent has under way to a backend that is quick. */
const AT_ONCE = 24;
const BARE = fileURLToPath(new URL('./barePosts.mjs', import.meta.url));

/**
 * The daemon posts a backlog of messages to a backend that answers immediately, while commands keep arriving: messages
 * a second, the cost of each, and how long a command waits for its ack meanwhile. Compared with a minimal program that
 * posts as many.
 */
export async function run() {
  const bare = await barePosts(MESSAGES);
  const { perSecond, commits, cpuMs, quiet, busy } = await posted(MESSAGES);
  return [
    bounded({
      what: 'posted',
      measured: perSecond,
      reference: { name: 'bare posts', value: bare.perSecond },
      unit: '/s',
      least: 500,
    }),
    bounded({ what: 'commits a message', measured: commits, unit: '', most: 1.5 }),
    bounded({
      what: 'CPU a message',
      measured: cpuMs,
      reference: { name: 'bare posts', value: bare.cpuMs },
      unit: 'ms',
    }),
    bounded({
      what: 'command pushed → acked meanwhile, p50',
      measured: busy,
      reference: { name: 'before', value: quiet },
      unit: 'ms',
      most: 12,
    }),
  ];
}

/** So many messages that wait, posted. `quiet` and `busy`: how long a command waits before and meanwhile, ms. */
export async function posted(messages) {
  const world = await DaemonWorld.open();
  const { backend, mac, daemon } = world;
  const quiet = await waits(world, 'quiet', () => pause(2_000));
  const before = await world.usage();
  // All of them wait by the time that it looks.
  daemon.kill('SIGSTOP');
  for (let person = 0; person < PEOPLE; person++)
    mac.chatDb.bulkReceive(messages / PEOPLE, { from: `+1310${6_660_000 + person}` });
  daemon.kill('SIGCONT');
  const began = nowMs();
  let tookS = Number.NaN;
  const busy = await waits(world, 'busy', async () => {
    await backend.until(() => backend.messages.size >= messages, 300_000);
    tookS = (nowMs() - began) / 1000;
  });
  const after = await world.usage();
  await world.close();
  return {
    perSecond: messages / tookS,
    commits: (after.commits - before.commits) / messages,
    cpuMs: (after.cpu - before.cpu) / 1000 / messages,
    quiet: median(quiet),
    busy: median(busy),
  };
}

/** As many posts to a separate backend, by a minimal process. */
async function barePosts(messages) {
  const backend = await BareBackend.start();
  const [{ ms, cpu }] = await once(fork(BARE, [backend.url, messages, AT_ONCE]), 'message');
  await backend.stop();
  return { perSecond: messages / (ms / 1000), cpuMs: cpu / 1000 / messages };
}

/** How long commands wait for their acks during `work`, in ms. They are stored, executed and acked, and send nothing. */
async function waits({ backend }, name, work) {
  const pushedAt = new Map();
  const samples = [];
  const stop = backend.observe((seen) => {
    if (seen.kind !== 'ack') return;
    const at = pushedAt.get(seen.body.command_id);
    pushedAt.delete(seen.body.command_id);
    if (at !== undefined) samples.push(nowMs() - at);
  });
  let pushed = 0;
  const timer = setInterval(() => {
    const command_id = `cmd_${name}_${pushed++}`;
    pushedAt.set(command_id, nowMs());
    backend.pushCommand({ command_id, command_type: 'list_scheduled' });
  }, COMMAND_EVERY_MS);
  await work();
  clearInterval(timer);
  await backend.until(() => pushedAt.size === 0, 30_000);
  stop();
  return samples;
}
