import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { WebSocketServer } from 'ws';
import { DaemonWorld } from './DaemonWorld.mjs';
import { difference, median, nowMs, percentile } from './figures.mjs';
import { StampProgram } from './StampProgram.mjs';

const ROUNDS = 220;
const WARM_UP = 20;
const PERSON = '+13105551234';
const BARE = fileURLToPath(new URL('./bareDispatch.mjs', import.meta.url));

/**
 * From the moment the backend writes a command to its socket to the moment at which osascript runs, the command and the attempt being on
 * the disk: by the daemon, and in turns with it by a bare program that does only what cannot be done without.
 */
export async function run() {
  let stamp;
  const world = await DaemonWorld.open(({ directory }) => {
    stamp = new StampProgram(directory);
    return { EDGE_IMESSAGE_OSASCRIPT_PATH: stamp.path };
  });
  world.mac.chatDb.directChat(PERSON);
  const bare = await BareProgram.open(world.directory, stamp);
  const samples = { agent: [], socket: [], commit: [], spawn: [], whole: [] };
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    const frame = commandFrame(round);
    const parts = await bare.measure(frame);
    await pause(2);
    const agent = await sendThrough(world, stamp, frame, round);
    if (round < 0) continue;
    samples.agent.push(agent);
    for (const [name, value] of Object.entries(parts)) samples[name].push(value);
  }
  await bare.close();
  await world.close();
  stamp.close();
  const parts = ['socket', 'commit', 'spawn'].map((name) => `${name} ${median(samples[name]).toFixed(2)}`);
  const row = (name, share, most) =>
    difference({
      what: `frame sent → osascript runs, ${name}`,
      measured: percentile(samples.agent, share),
      reference: {
        name: share === 0.5 ? `bare ${parts.join(', ')}:` : 'bare',
        value: percentile(samples.whole, share),
      },
      unit: 'ms',
      ...(most === undefined ? {} : { most }),
    });
  return [row('p10', 0.1), row('p50', 0.5, 0.7), row('p95', 0.95)];
}

function commandFrame(round) {
  const data = {
    command_id: `cmd_bench_${round + WARM_UP}`,
    command_type: 'send_message_now',
    payload: { thread_id: PERSON, text: `On my way, number ${round}`, bubble_type: 'normal' },
    priority: 'normal',
    timestamp: new Date().toISOString(),
  };
  return JSON.stringify({ type: 'command', data, timestamp: data.timestamp });
}

/** One command through the agent; the row in chat.db and the ack are waited for, but do not count. */
async function sendThrough({ backend, mac }, stamp, frame, round) {
  const acked = backend.acks.length;
  const started = stamp.next();
  const sentAt = stamp.now();
  backend.connections[0].send(frame);
  const took = (await started) - sentAt;
  mac.chatDb.writeSent({ text: `On my way, number ${round}`, handle: PERSON });
  await backend.until(() => backend.acks.length > acked);
  await pause(2);
  return took;
}

/** The minimal program as a separate process, at the other end of a plain socket. */
class BareProgram {
  static async open(directory, stamp) {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
    const args = ['-l', 'AppleScript', '-', 'On my way', `any;-;${PERSON}`, '60', '', 'tag-of-the-attempt'];
    const url = `ws://127.0.0.1:${server.address().port}`;
    const child = fork(BARE, [url, directory, stamp.path, ...args]);
    const [socket] = await once(server, 'connection');
    return new BareProgram(server, child, socket, stamp);
  }

  constructor(server, child, socket, stamp) {
    Object.assign(this, { server, child, socket, stamp });
  }

  /** Ms of each part of one frame, and of the whole. */
  async measure(frame) {
    const { stamp, socket, child } = this;
    const told = once(child, 'message');
    const started = stamp.next();
    const stampedAt = stamp.now();
    const sentAt = nowMs();
    socket.send(frame);
    const whole = (await started) - stampedAt;
    const [{ arrivedAt, committedAt }] = await told;
    const taken = { socket: arrivedAt - sentAt, commit: committedAt - arrivedAt };
    return { ...taken, spawn: whole - taken.socket - taken.commit, whole };
  }

  async close() {
    const ended = once(this.child, 'exit');
    this.child.disconnect();
    await ended;
    this.server.close();
  }
}
