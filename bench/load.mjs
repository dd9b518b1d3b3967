import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { openDurableDatabase } from '../dist/store/sqlite.js';
import { bounded, median, nowMs, percentile } from './figures.mjs';
import { SimulatedAgents } from './SimulatedAgents.mjs';

const SECRET = 'the-secret-of-the-bench';
const CLI = join(dirname(fileURLToPath(import.meta.url)), '../dist/cli/main.js');

/** 2 000 agents on one reference backend, as `edge-agent dev-backend` runs it, with its commands in SQLite. */
export async function run() {
  const load = await measureLoad({ agents: 2_000, perSecond: 200, seconds: 30 });
  if (load.acked !== load.sent || load.strays > 0) {
    throw new Error(`${load.sent} commands were sent, ${load.acked} acked, ${load.strays} went astray`);
  }
  const reference = { name: 'bare commit', value: load.commitMs };
  const row = (what, measured) => bounded({ what, measured, reference, unit: 'ms' });
  return [
    row('push → ack, p50', load.pushToAck.p50),
    row('push → ack, p99', load.pushToAck.p99),
    row('push → ack, longest', load.pushToAck.longest),
    row('request to send → frame at the agent, p99', load.requestToFrame.p99),
  ];
}

/**
 * Connects so many agents, has so many commands a second sent through POST /api/send-message, each to another agent in turn,
 * and waits until the backend has every ack. `pushToAck` is the backend's own figure; all times in ms.
 */
export async function measureLoad({ agents: count, perSecond, seconds }) {
  const directory = mkdtempSync(join(tmpdir(), 'edge-agent-load-'));
  const commitMs = bareCommit(join(directory, 'bare.db'));
  const backend = await startBackend(join(directory, 'commands.sqlite'));
  const keepAlive = new Agent({ keepAlive: true, maxSockets: 256 });
  const agents = new SimulatedAgents(backend.url, SECRET, count);
  try {
    const dialled = nowMs();
    await agents.connect();
    const connectMs = nowMs() - dialled;
    const sent = await sendSteadily({ url: backend.url, keepAlive, agents, perSecond, seconds });
    const stats = await until(
      () => ask(keepAlive, backend.url, '/edge/websocket/stats'),
      ({ commands_pending }) => commands_pending === 0,
      60_000,
    );
    const toFrame = [...sent].map(([id, at]) => (agents.arrivals.get(id) ?? Number.NaN) - at);
    return {
      connectMs,
      commitMs,
      connected: stats.total_connections,
      sent: sent.size,
      acked: stats.commands_acked,
      strays: agents.strays,
      pongs: agents.pongs,
      pushToAck: stats.ack_latency_ms,
      requestToFrame: { p50: median(toFrame), p99: percentile(toFrame, 0.99) },
    };
  } finally {
    await agents.close();
    keepAlive.destroy();
    await backend.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Each command at its own moment, whether or not those before it were answered: a slow backend gets no rest. */
async function sendSteadily({ url, keepAlive, agents, perSecond, seconds }) {
  const sent = new Map();
  const answers = [];
  const began = nowMs();
  for (let number = 0; number < perSecond * seconds; number++) {
    const wait = began + (number * 1_000) / perSecond - nowMs();
    if (wait > 1) await new Promise((resolve) => setTimeout(resolve, wait));
    const agentId = agents.ids[number % agents.ids.length];
    const command_id = `${agentId}:${number}`;
    sent.set(command_id, nowMs());
    const text = { thread_id: '+13105551234', message: `command ${number}` };
    answers.push(ask(keepAlive, url, '/api/send-message', { edge_agent_id: agentId, command_id, ...text }));
  }
  await Promise.all(answers);
  return sent;
}

async function startBackend(data) {
  const options = ['--port', '0', '--rate', '0', '--persona', 'silent', '--data', data];
  const child = spawn(process.execPath, [CLI, 'dev-backend', ...options], {
    env: { ...process.env, EDGE_SECRET: SECRET },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const url = await new Promise((resolve, reject) => {
    // Read to the end: a pipe that is full would stop it.
    createInterface({ input: child.stdout }).on('line', (line) => {
      const found = /http:\/\/[\d.]+:\d+/.exec(line)?.[0];
      if (found !== undefined) resolve(found);
    });
    ended.then(([code]) => reject(new Error(`the backend ended with ${code}`)));
  });
  const stop = () => {
    child.kill('SIGTERM');
    return ended;
  };
  return { url, stop };
}

function ask(agent, url, path, body) {
  const text = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const headers = { 'X-Admin-Key': SECRET, ...(text && { 'Content-Length': Buffer.byteLength(text) }) };
    const asked = request(url + path, { agent, method: text ? 'POST' : 'GET', headers }, async (response) => {
      const chunks = await response.toArray();
      if (response.statusCode === 200) resolve(JSON.parse(Buffer.concat(chunks)));
      else reject(new Error(`${path}: ${response.statusCode}`));
    });
    asked.on('error', reject);
    asked.end(text);
  });
}

async function until(look, isGood, withinMs) {
  const deadline = nowMs() + withinMs;
  for (;;) {
    const seen = await look();
    if (isGood(seen)) return seen;
    if (nowMs() > deadline)
      throw new Error(`not within ${withinMs} ms: ${JSON.stringify(seen).slice(0, 300)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function bareCommit(path) {
  const database = openDurableDatabase(path);
  database.exec('CREATE TABLE rows (text TEXT)');
  const insert = database.prepare('INSERT INTO rows VALUES (?)');
  const times = Array.from({ length: 200 }, () => {
    const began = nowMs();
    insert.run('a command of usual length, or thereabouts');
    return nowMs() - began;
  });
  database.close();
  return median(times);
}
