import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { openDurableDatabase } from '../dist/store/sqlite.js';
import { openPlaces, startAgent } from './AgentWorld.mjs';
import { difference, median, percentile } from './figures.mjs';
import { RawSocket } from './RawSocket.mjs';
import { StampProgram } from './StampProgram.mjs';

const ROUNDS = 220;
const WARM_UP = 20;
const PERSON = '+13105551234';

/**
 * From the moment the backend writes a command to its socket to the moment at which osascript runs, the command and the
 * attempt being on the disk: against the three things that cannot be done without, each done bare and in turns with it.
 */
export async function run() {
  const places = await openPlaces();
  const stamp = new StampProgram(places.directory);
  places.mac.chatDb.directChat(PERSON);
  const agent = await startAgent(places, { EDGE_IMESSAGE_OSASCRIPT_PATH: stamp.path });
  const raw = await RawCost.open(places.directory, stamp);
  const samples = { agent: [], socket: [], commit: [], spawn: [], sum: [] };
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    const frame = commandFrame(round);
    const bare = await raw.measure(frame);
    const whole = await sendThrough(places, stamp, frame, round);
    if (round < 0) continue;
    samples.agent.push(whole);
    for (const [name, value] of Object.entries(bare)) samples[name].push(value);
    samples.sum.push(bare.socket + bare.commit + bare.spawn);
  }
  await agent.stop();
  await raw.close();
  stamp.close();
  await places.close();
  const parts = ['socket', 'commit', 'spawn'].map((name) => `${name} ${median(samples[name]).toFixed(2)}`);
  const row = (name, share, most) =>
    difference({
      what: `frame sent → osascript runs, ${name}`,
      measured: percentile(samples.agent, share),
      reference: {
        name: share === 0.5 ? `bare ${parts.join(' + ')} =` : 'bare',
        value: percentile(samples.sum, share),
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

/** A frame over a bare socket, a commit of a bare row, a bare spawn of the same program with the same kind of stdio. */
class RawCost {
  static async open(directory, stamp) {
    const database = openDurableDatabase(join(directory, 'raw.db'));
    database.exec('CREATE TABLE commands (id INTEGER PRIMARY KEY, body TEXT NOT NULL)');
    return new RawCost(directory, stamp, database, await RawSocket.open());
  }

  constructor(directory, stamp, database, socket) {
    Object.assign(this, { directory, stamp, database, socket });
    this.insert = database.prepare('INSERT INTO commands (body) VALUES (?)');
  }

  async measure(frame) {
    const { stamp } = this;
    const socket = await this.socket.oneWay(frame);
    const began = stamp.now();
    this.insert.run(frame);
    const commit = stamp.now() - began;
    await pause(2);
    return { socket, commit, spawn: await this.spawn() };
  }

  async spawn() {
    const { stamp } = this;
    const input = openSync('/dev/null', 'r');
    const output = openSync(join(this.directory, 'raw.log'), 'a');
    const args = ['-l', 'AppleScript', '-', 'On my way', `any;-;${PERSON}`, '60', '', 'tag-of-the-attempt'];
    const env = { PATH: process.env.PATH, HOME: this.directory };
    const started = stamp.next();
    const began = stamp.now();
    const child = spawn(stamp.path, args, { detached: true, stdio: [input, output, output], env });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    closeSync(input);
    closeSync(output);
    const took = (await started) - began;
    await ended;
    return took;
  }

  async close() {
    this.database.close();
    await this.socket.close();
  }
}
