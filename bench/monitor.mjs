import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { MonitorSecret } from '../dist/monitor/MonitorSecret.js';
import { makeToken } from '../dist/monitor/tokens.js';
import { askDaemon } from '../dist/operator/askDaemon.js';
import { socketPath } from '../dist/operator/socketPath.js';
import { agentEnvironment, openPlaces } from './AgentWorld.mjs';
import { MAIN } from './DaemonWorld.mjs';
import { percentile, ratio } from './figures.mjs';
import { StampProgram } from './StampProgram.mjs';

const CROWD = fileURLToPath(new URL('./monitorCrowd.mjs', import.meta.url));
const PERSON = '+13105551234';
const WATCHERS = 50;
/** Connections of one user that ask for the dearest things, each just within the rate of frames. */
const ASKERS = 5;
/** Of a log that is full of lines which the askers do not want: all of its end is looked through. */
const DEBUG_LINES = 10_000;
/** What the abuser gets rid of before it is cut off; more, while it is not noticed. */
const FRAMES_AT_ONCE = 60;
const BLOCKS = 8;
const ROUNDS = 60;
/** A person's pace, so that the frames about one command do not delay the next one. */
const BETWEEN_MS = 20;

/**
 * From the moment the backend writes a command to the moment at which osascript runs, with 50 watchers of everything and one
 * abuser at 1 000 frames a second and another who asks for the end of a large log 90 times a second, against the same daemon
 * in the same run with nobody there: in turns, 60 commands each.
 */
export async function run() {
  const places = await openPlaces();
  const { directory, backend, mac } = places;
  const stamp = new StampProgram(directory);
  mac.chatDb.directChat(PERSON);
  const env = {
    ...agentEnvironment(places),
    EDGE_IMESSAGE_OSASCRIPT_PATH: stamp.path,
    EDGE_MONITOR_ENABLED: 'true',
    EDGE_MONITOR_PORT: '0',
    EDGE_LOGGING_FILE: join(directory, 'bench.log'),
  };
  const line = `[${new Date().toISOString()}] [DEBUG] A look at chat.db rows=3 took="1.5 ms" trace=5AB627B5-438C\n`;
  writeFileSync(env.EDGE_LOGGING_FILE, line.repeat(DEBUG_LINES));
  const daemon = fork(MAIN, ['run'], { cwd: directory, env, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  await backend.until(({ statuses }) => statuses.length > 0, 15_000);
  const port = await portOf(env);
  const crowd = [
    await crowdOf(env, port, 'watcher', WATCHERS),
    await crowdOf(env, port, 'abuser', 1),
    await crowdOf(env, port, 'asker', ASKERS),
  ];
  const samples = { alone: [], watched: [] };
  let round = 0;
  for (let block = -1; block < BLOCKS; block++) {
    for (const [name, word] of [
      ['alone', 'off'],
      ['watched', 'on'],
    ]) {
      await Promise.all(crowd.map((process) => tell(process, word)));
      await pause(300);
      for (let index = 0; index < ROUNDS; index++) {
        const took = await sendThrough(places, stamp, round++);
        if (block >= 0) samples[name].push(took);
      }
    }
  }
  const [{ heard }, { sent }, asker] = await Promise.all(crowd.map((process) => tell(process, 'off')));
  for (const process of crowd) process.disconnect();
  daemon.kill('SIGTERM');
  await once(daemon, 'exit');
  stamp.close();
  await places.close();
  const row = (name, share, most) =>
    ratio({
      what: `frame sent → osascript runs, watched, ${name}`,
      measured: percentile(samples.watched, share),
      reference: { name: 'nobody there', value: percentile(samples.alone, share) },
      unit: 'ms',
      most,
    });
  if (heard < WATCHERS * BLOCKS * ROUNDS || sent < BLOCKS * FRAMES_AT_ONCE) {
    throw new Error(`the crowd was not there: ${heard} frames heard, ${sent} sent`);
  }
  if (asker.refused === 0 || asker.heard === asker.refused) {
    throw new Error(`the askers were not there: ${asker.heard} answers, ${asker.refused} of them refused`);
  }
  return [row('p50', 0.5, 1.5), row('p99', 0.99, 1.5)];
}

/** The port that its status names. */
async function portOf(env) {
  const answer = await askDaemon(socketPath(env.EDGE_STATE_DIRECTORY), { verb: 'status' });
  return answer.result.monitor.port;
}

async function crowdOf(env, port, role, count) {
  const key = MonitorSecret.in(env.EDGE_STATE_DIRECTORY).key();
  const token = await makeToken(key, { use: 'session', user: role, ttlMs: 3_600_000, now: Date.now() });
  return fork(CROWD, [`ws://127.0.0.1:${port}/ws?token=${token}`, role, String(count)]);
}

async function tell(process, word) {
  process.send(word);
  const [answer] = await once(process, 'message');
  return answer;
}

/** One command through the daemon; the row in chat.db and the ack are waited for, but do not count. */
async function sendThrough({ backend, mac }, stamp, round) {
  const acked = backend.acks.length;
  const started = stamp.next();
  const data = {
    command_id: `cmd_bench_${round}`,
    command_type: 'send_message_now',
    payload: { thread_id: PERSON, text: `On my way, number ${round}`, bubble_type: 'normal' },
    priority: 'normal',
    timestamp: new Date().toISOString(),
  };
  const sentAt = stamp.now();
  backend.connections[0].send(JSON.stringify({ type: 'command', data, timestamp: data.timestamp }));
  const took = (await started) - sentAt;
  mac.chatDb.writeSent({ text: `On my way, number ${round}`, handle: PERSON });
  await backend.until(() => backend.acks.length > acked, 20_000);
  await pause(BETWEEN_MS);
  return took;
}
