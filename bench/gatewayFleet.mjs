import { fork, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { WebSocketServer } from 'ws';
import { addAgent } from '../dist/gateway/ledger/agents.js';
import { createApiKey } from '../dist/gateway/ledger/apiKeys.js';
import { SecretBox } from '../dist/gateway/ledger/SecretBox.js';
import { openGatewayDatabase } from '../dist/gateway/openGatewayDatabase.js';
import { openDurableDatabase } from '../dist/store/sqlite.js';
import { systemClock } from '../dist/system/clock.js';
import { systemRandom } from '../dist/system/random.js';
import { bounded, median, nowMs, ratio } from './figures.mjs';

const AGENTS = 2_000;
const FIRST_AGENTS = 200;
const PER_SECOND = 200;
const SECONDS = 15;
const SECRET = 'the-secret-of-the-bench';
const GATEWAY = fileURLToPath(new URL('../test/support/gatewayChild.mjs', import.meta.url));
const FLEET = fileURLToPath(new URL('./fleetChild.mjs', import.meta.url));
/** An agent that is idle may cost so much memory of the gateway. */
const KILOBYTES = 30;
const COMMITS = 200;
const CALLERS = 64;
const SATURATED_MS = 6_000;
const STORM_MS = 20_000;
const TICKS_PER_SECOND = 100;
const COLLECTED_MS = 1_000;

const nothing = () => undefined;
const SURROUNDINGS = {
  clock: systemClock,
  random: systemRandom,
  log: { debug: nothing, info: nothing, warn: console.error, error: console.error },
};

/** One gateway on SQLite, and two on this PostgreSQL, with 2 000 agents that ack at once. */
export async function fleetRows(server) {
  const directory = join(process.env.TMPDIR, 'fleet');
  mkdirSync(directory);
  const path = join(directory, 'gateway.sqlite');
  const one = {
    name: 'SQLite',
    storage: { kind: 'sqlite', path },
    replicas: 1,
    commitMs: () => sqliteCommitMs(directory),
  };
  const url = await emptyDatabase(server);
  const commitMs = () => postgresCommitMs(url);
  const two = { name: 'PostgreSQL, two replicas', storage: { kind: 'postgres', url }, replicas: 2, commitMs };
  return [
    ...(await loadRows(one, directory)),
    ...(await loadRows(two, directory)),
    ...(await growthRows(two, directory)),
  ];
}

/** A steady load; what an idle agent costs; and, where there is another replica, the death of one. */
async function loadRows({ name, storage, replicas, commitMs }, directory) {
  const stage = await Stage.open(storage, replicas, directory);
  try {
    const { fleet, gateways } = stage;
    await fleet.ask('connect', {
      urls: stage.urls,
      secret: SECRET,
      count: FIRST_AGENTS,
      isPersistent: false,
    });
    const bytesBefore = await stage.memoryBytes();
    await fleet.ask('close');
    const dialled = nowMs();
    const { ids } = await fleet.ask('connect', {
      urls: stage.urls,
      secret: SECRET,
      count: AGENTS,
      isPersistent: true,
    });
    const connectMs = nowMs() - dialled;
    const perAgent = ((await stage.memoryBytes()) - bytesBefore) / (AGENTS - FIRST_AGENTS) / 1024;
    // With all sockets open, before the load and behind it: the faster the reference, the stricter the budget.
    const referenceMs = async () => (await commitMs()) + (await stage.roundTripMs());
    const before = await referenceMs();
    const [accepted, beside] = await Promise.all([
      stage.sendSteadily(ids),
      pause((SECONDS * 1_000) / 2).then(referenceMs),
    ]);
    await stage.acked(accepted.length);
    const after = await referenceMs();
    const { arrivals, strays, p50, p99 } = await fleet.ask('report');
    if (arrivals !== accepted.length || strays > 0)
      throw new Error(
        `${accepted.length} commands were accepted, ${arrivals} arrived, ${strays} went astray`,
      );
    const both = { name: 'bare commit + WebSocket round trip', value: (before + after) / 2 };
    const rows = [
      ratio({
        what: `${name}: push → ack stored, p50`,
        measured: p50,
        reference: both,
        unit: 'ms',
        most: 3,
      }),
      ratio({
        what: `${name}: push → ack stored, p99`,
        measured: p99,
        reference: both,
        unit: 'ms',
        most: 10,
      }),
      bounded({
        what: `${name}: a bare commit and a round trip beside the load`,
        measured: beside,
        reference: both,
        unit: 'ms',
      }),
      bounded({
        what: `${name}: POST → 202, median`,
        measured: median(accepted),
        reference: both,
        unit: 'ms',
      }),
      bounded({
        what: `${name}: memory of one idle agent`,
        measured: perAgent,
        reference: { name: 'gateway', value: bytesBefore / 1024 / replicas },
        unit: 'KB',
        most: KILOBYTES,
      }),
      bounded({
        what: `${name}: ${AGENTS} agents connect`,
        measured: connectMs,
        reference: both,
        unit: 'ms',
      }),
    ];
    if (gateways.length > 1) rows.push(...(await stormRows(stage, name)));
    return rows;
  } finally {
    await stage.close();
  }
}

/** One replica dies: its agents reconnect to the other one, after their usual waits. */
async function stormRows(stage, name) {
  const [dead, ...alive] = stage.gateways;
  await stage.fleet.ask('lead', { urls: alive.map(({ url }) => url) });
  const began = nowMs();
  dead.child.kill('SIGKILL');
  await once(dead.child, 'exit');
  let state = { connected: 0, refused: 0 };
  while (state.connected < AGENTS && nowMs() - began < 6 * STORM_MS) {
    await pause(50);
    state = await stage.fleet.ask('connected');
  }
  const took = nowMs() - began;
  const reference = { name: 'first pause of an agent', value: 2_000 };
  return [
    bounded({
      what: `${name}: all agents back after the death of one`,
      measured: took,
      reference,
      unit: 'ms',
      most: STORM_MS,
    }),
    bounded({
      what: `${name}: most refusals that one of them met`,
      measured: state.refused,
      reference: { name: 'agents', value: AGENTS / 2 },
      unit: '×',
      most: 1,
    }),
  ];
}

/** How many messages a second are accepted by one replica and by two, and what was busy meanwhile. */
async function growthRows({ storage }, directory) {
  const rates = [];
  for (const replicas of [1, 2]) {
    const stage = await Stage.open(storage, replicas, directory);
    try {
      await stage.saturate(1_000);
      const cpu = stage.cpu();
      const began = nowMs();
      const count = await stage.saturate(SATURATED_MS);
      const seconds = (nowMs() - began) / 1_000;
      rates.push({
        perSecond: count / seconds,
        gateway: stage.cpu().map((now, index) => (now - cpu[index]) / seconds),
        machine: stage.machineShare(),
      });
    } finally {
      await stage.close();
    }
  }
  const [one, two] = rates;
  const busy = two.gateway.map((share) => `${Math.round(share * 100)} %`).join(' and ');
  return [
    bounded({
      what: `PostgreSQL: messages accepted by two replicas (each had ${busy} of a core, the machine was ${Math.round(two.machine * 100)} % busy)`,
      measured: two.perSecond,
      reference: {
        name: `one replica (${Math.round(one.gateway[0] * 100)} % of a core)`,
        value: one.perSecond,
      },
      unit: '/s',
    }),
  ];
}

/** Gateways in separate processes, the agents in another, and an application here. */
class Stage {
  constructor(storage, gateways, fleet, echo, key) {
    this.storage = storage;
    this.gateways = gateways;
    this.fleet = fleet;
    this.echo = echo;
    this.key = key;
    this.keepAlive = new Agent({ keepAlive: true, maxSockets: 256 });
    this.count = 0;
  }

  static async open(storage, replicas, directory) {
    const key = randomBytes(32);
    const ids = Array.from({ length: AGENTS }, (_, index) => `edge_1310555${String(index).padStart(4, '0')}`);
    const secret = await admit(storage, key, ids);
    const gateways = [];
    for (let replica = 0; replica < replicas; replica++)
      gateways.push(await startGateway(storage, key, directory));
    const echo = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
    echo.on('connection', (socket) => socket.on('message', (data) => socket.send(data.toString())));
    await once(echo, 'listening');
    return new Stage(storage, gateways, new Fleet(), echo, secret);
  }

  get urls() {
    return this.gateways.map(({ url }) => url);
  }

  /** What the gateways hold once they have collected their garbage. */
  async memoryBytes() {
    for (const { child } of this.gateways) child.kill('SIGUSR2');
    await pause(COLLECTED_MS);
    return this.gateways.reduce((sum, { child }) => sum + residentBytes(child.pid), 0);
  }

  /** Seconds of a core that each gateway has used. */
  cpu() {
    this.machineBefore = this.machineNow;
    this.machineNow = machineTicks();
    return this.gateways.map(({ child }) => cpuSeconds(child.pid));
  }

  /** How busy the whole machine was between the last two looks at the gateways, 0 to 1. */
  machineShare() {
    const [busy, all] = this.machineNow.map((ticks, index) => ticks - this.machineBefore[index]);
    return busy / all;
  }

  async roundTripMs() {
    const { port } = this.echo.address();
    return (await this.fleet.ask('roundTrip', { url: `ws://127.0.0.1:${port}` })).ms;
  }

  /** Each message at its own moment, whether or not those before it were answered. Gives the times to the answers, ms. */
  async sendSteadily(ids) {
    const times = [];
    const answers = [];
    const began = nowMs();
    for (let number = 0; number < PER_SECOND * SECONDS; number++) {
      const wait = began + (number * 1_000) / PER_SECOND - nowMs();
      if (wait > 1) await pause(wait);
      answers.push(this.send(ids[number % ids.length], number).then((ms) => times.push(ms)));
    }
    await Promise.all(answers);
    return times;
  }

  /** As many messages at a time as there are callers. Gives how many were accepted. */
  async saturate(ms) {
    const end = nowMs() + ms;
    let accepted = 0;
    const caller = async () => {
      while (nowMs() < end) {
        this.count += 1;
        await this.send(`edge_1310555${String(this.count % AGENTS).padStart(4, '0')}`, this.count);
        accepted += 1;
      }
    };
    await Promise.all(Array.from({ length: CALLERS }, caller));
    return accepted;
  }

  /** Resolves once every command is acked. */
  async acked(count) {
    const end = nowMs() + 120_000;
    for (;;) {
      const stats = await Promise.all(
        this.urls.map((url) => this.request(url, 'GET', '/edge/websocket/stats')),
      );
      if (stats[0].commands_pending === 0 && stats[0].commands_acked >= count) return;
      if (nowMs() > end) throw new Error(`${stats[0].commands_pending} commands are not acked`);
      await pause(500);
    }
  }

  async close() {
    await this.fleet.close();
    this.keepAlive.destroy();
    this.echo.close();
    for (const { child } of this.gateways) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }

  async send(agentId, number) {
    const began = nowMs();
    const url = this.urls[number % this.urls.length];
    await this.request(url, 'POST', '/v1/messages', {
      agent: agentId,
      to: '+13105551234',
      text: `Message ${number} of many`,
    });
    return nowMs() - began;
  }

  request(url, method, path, body) {
    const text = body === undefined ? '' : JSON.stringify(body);
    const headers = {
      Authorization: `Bearer ${this.key}`,
      'X-Admin-Key': this.key,
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(text),
    };
    return new Promise((resolve, reject) => {
      const asked = request(url + path, { agent: this.keepAlive, method, headers }, async (response) => {
        const answer = Buffer.concat(await response.toArray()).toString();
        if (response.statusCode < 300) resolve(JSON.parse(answer));
        else reject(new Error(`${path}: ${response.statusCode} ${answer.slice(0, 300)}`));
      });
      asked.on('error', reject);
      asked.end(text);
    });
  }
}

/** The process of the agents. */
class Fleet {
  constructor() {
    this.child = fork(FLEET, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.waiting = new Map();
    this.child.on('message', ({ id, answer, error }) => {
      const { resolve, reject } = this.waiting.get(id);
      this.waiting.delete(id);
      if (error === undefined) resolve(answer);
      else reject(new Error(error));
    });
    this.count = 0;
  }

  ask(order, more = {}) {
    this.count += 1;
    const id = this.count;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.child.send({ id, order, ...more });
    });
  }

  async close() {
    const ended = once(this.child, 'exit');
    this.child.disconnect();
    await ended;
  }
}

/** Agents that have the secret of the bench, and a key that may do everything. */
async function admit(storage, key, ids) {
  const database = await openGatewayDatabase(storage, SURROUNDINGS);
  try {
    const box = new SecretBox(key);
    for (const id of ids) {
      const agent = { id, name: null, isInvited: false, secret: SECRET };
      await database.transaction((tx) => renewed(tx, box, agent));
    }
    const wanted = { name: 'bench', scopes: ['admin'], agents: null };
    return (await database.transaction((tx) => createApiKey(tx, wanted, Date.now()))).secret;
  } finally {
    await database.close();
  }
}

/** One of a stage before was sealed under another key. */
async function renewed(tx, box, agent) {
  await tx.query('DELETE FROM agent_secrets WHERE agent_id = $1', [agent.id]);
  await tx.query('DELETE FROM agents WHERE agent_id = $1', [agent.id]);
  await addAgent(tx, box, agent, Date.now());
}

async function startGateway(storage, key, directory) {
  const settings = {
    host: '127.0.0.1',
    port: 0,
    storage,
    key: key.toString('base64'),
    keysBefore: [],
    uploads: { kind: 'directory', path: join(directory, 'uploads') },
    uploadBytes: 64 * 1024 * 1024,
    plainSecrets: false,
    silenceMs: 60_000,
    closesPerSecond: 1_000,
    answerMs: 25_000,
    allowPrivateWebhooks: true,
    network: { noProxy: '' },
    keepDays: 90,
  };
  const child = spawn(process.execPath, ['--expose-gc', GATEWAY, JSON.stringify({ settings })], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const [port] = await Promise.race([
    once(createInterface({ input: child.stdout }), 'line'),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`the gateway ended with ${code}`))),
  ]);
  return { child, url: `http://127.0.0.1:${port}` };
}

async function sqliteCommitMs(directory) {
  const database = openDurableDatabase(join(directory, `bare-${randomBytes(4).toString('hex')}.sqlite`));
  database.exec('CREATE TABLE rows (text TEXT)');
  const insert = database.prepare('INSERT INTO rows VALUES (?)');
  const ms = await medianMs(async () => insert.run('a command of usual length, or thereabouts'));
  database.close();
  return ms;
}

async function emptyDatabase(server) {
  const client = new pg.Client({ connectionString: server.urlOf() });
  await client.connect();
  await client.query('CREATE DATABASE fleet');
  await client.end();
  return server.urlOf('fleet');
}

async function postgresCommitMs(connectionString) {
  const client = new pg.Client({ connectionString });
  await client.connect();
  await client.query('CREATE TABLE IF NOT EXISTS bare_rows (text TEXT)');
  const text = 'INSERT INTO bare_rows VALUES ($1)';
  const ms = await medianMs(() =>
    client.query({ name: 'bare', text, values: ['a command of usual length, or thereabouts'] }),
  );
  await client.end();
  return ms;
}

async function medianMs(work) {
  const times = [];
  for (let count = 0; count < COMMITS; count++) {
    const began = nowMs();
    await work();
    times.push(nowMs() - began);
    // Beside the load others have their turn between two of them.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return median(times);
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const residentBytes = (pid) =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;

/** User and system time of a process. */
function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Ticks in which the machine was busy, and all. */
function machineTicks() {
  const [first = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
  const ticks = first.split(/\s+/).slice(1, 9).map(Number);
  const all = ticks.reduce((sum, one) => sum + one, 0);
  return [all - ticks[3] - ticks[4], all];
}
