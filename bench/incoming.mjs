import { fork } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { createServer } from 'node:http';
import { syncBuiltinESMExports } from 'node:module';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openPlaces, startAgent } from './AgentWorld.mjs';
import { bounded, median, nowMs, percentile } from './figures.mjs';

const WITH_EVENTS = 120;
const WITHOUT_EVENTS = 40;
const PERSON = '+13105551234';

/** From the end of the commit that completes a message, made by another process, to the request that tells of it. */
export async function run() {
  const bare = await bareRequest();
  const withEvents = await measure(WITH_EVENTS);
  const watch = fs.watch;
  fs.watch = () => {
    throw new Error('switched off for this bench');
  };
  syncBuiltinESMExports();
  const withoutEvents = await measure(WITHOUT_EVENTS).finally(() => {
    fs.watch = watch;
    syncBuiltinESMExports();
  });
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

async function measure(count) {
  const places = await openPlaces();
  places.mac.chatDb.directChat(PERSON);
  const agent = await startAgent(places);
  const writer = fork(fileURLToPath(new URL('./writeChatDb.mjs', import.meta.url)), [places.mac.chatDbPath]);
  const arrivedAt = new Map();
  places.backend.observe((happening) => {
    if (happening.kind === 'message') arrivedAt.set(happening.guid, nowMs());
  });
  const samples = [];
  for (let sent = 0; sent < count; sent++) {
    // At no fixed distance from the watcher's tick.
    await pause(20 + ((sent * 37) % 200));
    writer.send({ from: PERSON, text: `Message number ${sent}` });
    const [{ guid, committedAt }] = await once(writer, 'message');
    await places.backend.until(() => arrivedAt.has(guid));
    samples.push(arrivedAt.get(guid) - committedAt);
  }
  writer.disconnect();
  await once(writer, 'exit');
  await agent.stop();
  await places.close();
  return samples;
}

/** Ms from calling fetch to having the whole request on a bare server of this machine, on a kept connection. */
async function bareRequest() {
  let arrived;
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      arrived = nowMs();
      response.end('{}');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const samples = [];
  for (let sent = 0; sent < 200; sent++) {
    const began = nowMs();
    const response = await fetch(`http://127.0.0.1:${server.address().port}/`, {
      method: 'POST',
      body: JSON.stringify({ filtered_text: 'x'.repeat(400) }),
    });
    await response.text();
    samples.push(arrived - began);
  }
  server.closeAllConnections();
  server.close();
  return median(samples.slice(50));
}
