import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { BareBackend } from './BareBackend.mjs';
import { DaemonWorld } from './DaemonWorld.mjs';
import { bounded, median, nowMs, percentile } from './figures.mjs';

const WITH_EVENTS = 120;
const WITHOUT_EVENTS = 40;
const BARE = 200;
const BARE_WARM_UP = 50;
const PERSON = '+13105551234';
const WRITER = fileURLToPath(new URL('./writeChatDb.mjs', import.meta.url));
const BARE_POSTS = fileURLToPath(new URL('./barePosts.mjs', import.meta.url));
const NO_EVENTS = new URL('./noFileEvents.mjs', import.meta.url).href;

/** From the end of the commit that completes a message, made by another process, to the request of the daemon that posts it. */
export async function run() {
  const bare = await bareRequest();
  const withEvents = await measure(WITH_EVENTS);
  const withoutEvents = await measure(WITHOUT_EVENTS, [NO_EVENTS]);
  const row = (what, samples, share, most) =>
    bounded({
      what: `commit → request, ${what}`,
      measured: percentile(samples, share),
      reference: { name: 'bare request', value: bare },
      unit: 'ms',
      ...(most === undefined ? {} : { most }),
    });
  return [
    row('file events, p50', withEvents, 0.5, 4),
    row('file events, p95', withEvents, 0.95),
    row('no file events, p50', withoutEvents, 0.5, 150),
    row('no file events, p95', withoutEvents, 0.95),
  ];
}

async function measure(count, preloaded = []) {
  const world = await DaemonWorld.open({}, preloaded);
  const { backend, mac } = world;
  mac.chatDb.directChat(PERSON);
  const writer = fork(WRITER, [mac.chatDbPath]);
  const arrivedAt = arrivals(backend);
  const samples = [];
  for (let sent = 0; sent < count; sent++) {
    // At no fixed distance from the watcher's tick.
    await pause(20 + ((sent * 37) % 200));
    writer.send({ from: PERSON, text: `Message number ${sent}` });
    const [{ guid, committedAt }] = await once(writer, 'message');
    await backend.until(() => arrivedAt.has(guid));
    samples.push(arrivedAt.get(guid) - committedAt);
  }
  writer.disconnect();
  await once(writer, 'exit');
  await world.close();
  return samples;
}

/** Ms from the start of a request, in a process of its own, to having the whole of it here, on a kept connection. */
async function bareRequest() {
  const backend = await BareBackend.start();
  const arrivedAt = arrivals(backend);
  await once(fork(BARE_POSTS, [backend.url, BARE, 1]), 'exit');
  await backend.stop();
  const samples = [...arrivedAt].map(([beganAt, at]) => at - Number(beganAt));
  return median(samples.slice(BARE_WARM_UP));
}

/** When each message has arrived, by its guid. */
function arrivals(backend) {
  const arrivedAt = new Map();
  backend.observe(({ kind, guid }) => {
    if (kind === 'message') arrivedAt.set(guid, nowMs());
  });
  return arrivedAt;
}
