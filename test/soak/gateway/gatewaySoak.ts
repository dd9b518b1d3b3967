import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { GatewaySettings } from '../../../src/gateway/gatewaySettings.js';
import { addAgent } from '../../../src/gateway/ledger/agents.js';
import { createApiKey } from '../../../src/gateway/ledger/apiKeys.js';
import { SecretBox } from '../../../src/gateway/ledger/SecretBox.js';
import { openGatewayDatabase } from '../../../src/gateway/openGatewayDatabase.js';
import { agentIdOf } from '../../../src/model/agentId.js';
import type { OutgoingMessage } from '../../../src/model/gatewayMessages.js';
import { systemClock } from '../../../src/system/clock.js';
import { systemRandom } from '../../../src/system/random.js';
import { gatewaySettings } from '../../gateway/gatewaySettings.js';
import { type Cleanup, EdgeWorld, SECRET } from '../../support/EdgeWorld.js';
import { PostgresServer } from '../../support/PostgresServer.mjs';
import { postgresPlace } from '../../support/postgresPlace.js';
import { RecordingLog } from '../../support/RecordingLog.js';
import { untilIdle } from '../../support/statusOf.js';
import { until } from '../../support/until.js';
import { copyTree } from '../copyTree.js';
import { Seeded } from '../Seeded.js';
import { AgentLife } from './AgentLife.js';
import { Application } from './Application.js';
import { Bot } from './Bot.js';
import { DatabaseFaults } from './DatabaseFaults.js';
import { EventFollower } from './EventFollower.js';
import { type GatewayEvidence, type GatewayIntents, messageGuidIn } from './intents.js';
import { judgeGateway } from './judgeGateway.js';
import { type BalancerName, LoadBalancer } from './LoadBalancer.js';
import { Replica } from './Replica.js';
import { Talk } from './Talk.js';

export interface GatewaySoakOptions {
  seed: number;
  /** How many ends of agents, replicas and connections to the database. */
  kills: number;
  /** No further one after so many minutes. */
  minutes: number;
  balancer: BalancerName;
  /** Keeps everything in any case, not only where a promise was broken. */
  keep: boolean;
  /** Called with the progress. */
  say?: (line: string) => void;
}

export interface GatewaySoakReport {
  kills: number;
  deaths: Readonly<Record<string, number>>;
  counts: Readonly<Record<string, number>>;
  violations: readonly string[];
  artefacts: string | undefined;
}

const PHONES = ['+13105550100', '+13105550101', '+13105550102'];
const KEY_NAME = 'the soak';
const WEBHOOKS = ['bot', 'archive'];
/** Shorter than a bot may take: a late answer is an answer too. */
const ANSWER_MS = 5_000;
const PAUSE_MS = { least: 300, most: 2_500 };
/** So many events come between two kills, unless that takes too long. */
const EVENTS_BETWEEN = 2;
const STANDSTILL_MS = 8_000;
const STILL_AFTER_MS = 400_000;
const TELL_EVERY = 25;

/**
 * Runs agents behind a load balancer before two gateways on one PostgreSQL while people and an application write, ends agents, gateways
 * and connections at random, lets everything settle, and judges by what Messages, the webhooks and REST show whether every promise was kept.
 */
export async function gatewaySoak(options: GatewaySoakOptions): Promise<GatewaySoakReport> {
  const cleanups: (() => void | Promise<void>)[] = [];
  const cleanup: Cleanup = { onTestFinished: (clean) => cleanups.unshift(clean) };
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'edge-gateway-soak-')));
  try {
    const stage = await open(options, directory, cleanup);
    return await play(stage, options, directory);
  } finally {
    for (const clean of cleanups) await clean();
    rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }
}

interface Stage {
  replicas: readonly Replica[];
  database: DatabaseFaults;
  agents: readonly AgentLife[];
  bot: Bot;
  webhookIds: readonly string[];
  application: Application;
  follower: EventFollower;
  talks: readonly Talk[];
}

async function open(
  { seed, balancer }: GatewaySoakOptions,
  directory: string,
  cleanup: Cleanup,
): Promise<Stage> {
  const random = new Seeded(seed);
  const server = await PostgresServer.start(postgresPlace());
  cleanup.onTestFinished(() => server.end());
  const url = server.urlOf();
  const uploads = join(directory, 'uploads');
  mkdirSync(uploads);
  const settings = {
    ...gatewaySettings({ kind: 'postgres', url }, uploads),
    answerMs: ANSWER_MS,
    rate: { perSecond: 100, burst: 200 },
    storage: { kind: 'postgres' as const, url },
  };
  const key = await admit(settings);
  const replicas = [];
  for (const name of ['a', 'b'])
    replicas.push(await Replica.start(`replica-${name}`, settings, random.fork(), directory, cleanup));
  for (const replica of replicas) cleanup.onTestFinished(() => replica.end());
  const proxy = await LoadBalancer.start(
    balancer,
    directory,
    replicas.map(({ port }) => port),
  );
  cleanup.onTestFinished(() => proxy.end());
  const bot = await Bot.start(random.fork());
  cleanup.onTestFinished(() => bot.end());
  const application = new Application(proxy.url, key, random.fork());
  const webhookIds = [];
  for (const name of WEBHOOKS) {
    const { id, secret } = await application.createWebhook(bot.urlOf(name));
    bot.trust(name, secret);
    webhookIds.push(id);
  }
  const talks: Talk[] = [];
  const follower = new EventFollower(proxy.url, key, (event) => {
    for (const talk of talks) talk.hear(event);
  });
  cleanup.onTestFinished(() => follower.end());
  await until(
    () => follower.connects > 0,
    () => 'the stream of events',
  );
  const agents = [];
  for (const phone of PHONES) {
    const world = await EdgeWorld.open(cleanup, {
      settings: {
        'edge.user_phone': phone,
        'backend.url': proxy.url,
        'backend.request_timeout_seconds': 15,
        'backend.safety_sync_seconds': 3,
        'outgoing.max_per_minute': 0,
        'outgoing.pause_on_loop': false,
      },
    });
    const agent = new AgentLife(agentIdOf(phone), world, random.fork());
    agents.push(agent);
    cleanup.onTestFinished(() => agent.end());
    talks.push(new Talk(agent.agentId, world, application, random.fork()));
    await agent.begin();
  }
  const database = new DatabaseFaults(
    server,
    replicas.map(({ proxy: way }) => way),
    random.fork(),
  );
  return { replicas, database, agents, bot, webhookIds, application, follower, talks };
}

/** The agents with their secret, and a key that may do everything. */
async function admit(settings: GatewaySettings): Promise<string> {
  const surroundings = { clock: systemClock, random: systemRandom, log: new RecordingLog() };
  const database = await openGatewayDatabase(settings.storage, surroundings);
  try {
    return await database.transaction(async (transaction) => {
      const box = new SecretBox(settings.key);
      for (const phone of PHONES) {
        const agent = { id: agentIdOf(phone), name: null, isInvited: false, secret: SECRET };
        await addAgent(transaction, box, agent, Date.now());
      }
      const wanted = { name: KEY_NAME, scopes: ['admin'], agents: null } as const;
      return (await createApiKey(transaction, wanted, Date.now())).secret;
    });
  } finally {
    await database.close();
  }
}

async function play(
  stage: Stage,
  options: GatewaySoakOptions,
  directory: string,
): Promise<GatewaySoakReport> {
  await torment(stage, options);
  options.say?.(`${killsOf(stage)} kills; now it is left in peace`);
  const left = await settle(stage);
  const shown = (
    await Promise.all(stage.agents.map(({ agentId }) => stage.application.messagesOf(agentId)))
  ).flat();
  const { evidence, intents } = gather(stage, shown);
  const violations = [...(left === undefined ? [] : [left]), ...judgeGateway(intents, evidence)];
  const isKept = options.keep || violations.length > 0;
  return {
    kills: killsOf(stage),
    deaths: deathsOf(stage),
    counts: countsOf(stage, intents, evidence),
    violations,
    artefacts: isKept ? keep(stage, directory, options.seed, { intents, evidence, violations }) : undefined,
  };
}

/** Everything at the same time; resolves after the last kill. */
async function torment(stage: Stage, { seed, kills, minutes, say }: GatewaySoakOptions): Promise<void> {
  const { talks, agents, replicas, database } = stage;
  const random = new Seeded(~seed);
  for (const victim of [...agents, ...replicas]) victim.torment();
  let going = true;
  const talking = talks.map(async (talk) => {
    while (going) {
      talk.step();
      await pause(random.int(100, 700));
    }
  });
  const end = performance.now() + minutes * 60_000;
  let told = 0;
  try {
    while (killsOf(stage) < kills && performance.now() < end) {
      await pause(random.int(PAUSE_MS.least, PAUSE_MS.most));
      await advance(stage.follower);
      const victim = random.weighted({ agent: 4, replica: 3, database: 4 });
      if (victim === 'agent') random.pick(agents).strike();
      else if (victim === 'replica') random.pick(replicas).strike();
      else await database.strike();
      if (killsOf(stage) >= told + TELL_EVERY) {
        told = killsOf(stage);
        say?.(`${told} kills`);
      }
    }
  } finally {
    going = false;
    await Promise.all(talking);
  }
}

/** Resolves once something more has happened, or nothing did for a while: with everything dead all the time nothing would be soaked. */
async function advance({ events }: EventFollower): Promise<void> {
  const before = events.length;
  const end = performance.now() + STANDSTILL_MS;
  while (events.length < before + EVENTS_BETWEEN && performance.now() < end) await pause(50);
}

/** Lets everything come to its end in peace. Returns what did not. */
async function settle(stage: Stage): Promise<string | undefined> {
  const { agents, replicas, database, talks } = stage;
  await database.end();
  for (const replica of replicas) await replica.spare();
  for (const agent of agents) await agent.spare();
  try {
    await Promise.all(talks.map((talk) => talk.accepted()));
    let before = '';
    for (let stillSince = performance.now(); ; await pause(500)) {
      const left = await openWork(stage);
      if (left === '') break;
      if (left !== before) stillSince = performance.now();
      before = left;
      if (performance.now() - stillSince > STILL_AFTER_MS) throw new Error(left);
    }
    for (const { world } of agents) await untilIdle(world.state, STILL_AFTER_MS);
    await until(
      async () => (await openWork(stage)) === '',
      () => 'the last events to be delivered',
      STILL_AFTER_MS,
    );
    return undefined;
  } catch (error) {
    return `does not settle: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** What is still to be done, as text; empty if nothing is. */
async function openWork({ talks, agents, application, webhookIds, bot, follower }: Stage): Promise<string> {
  const heard = new Set(follower.events.flatMap(({ data }) => messageGuidIn(data) ?? []));
  const unheard = talks.flatMap(({ messages }) => messages).filter(({ guid }) => !heard.has(guid));
  const waiting = await Promise.all(agents.map(({ agentId }) => application.waitingOf(agentId)));
  const undelivered = await Promise.all(webhookIds.map((id) => application.undelivered(id)));
  const streamed = new Set(follower.events.map(({ id }) => id));
  const ahead = bot.attempts.filter(({ event }) => !streamed.has(event.id));
  const counts = {
    'messages that no application has': unheard.length,
    'texts that wait': waiting.reduce((sum, count) => sum + count, 0),
    'events that wait for the bot': undelivered[0] ?? 0,
    'events that wait for the archive': undelivered[1] ?? 0,
    'events that are not in the stream': ahead.length,
  };
  return Object.entries(counts)
    .flatMap(([what, count]) => (count === 0 ? [] : [`${count} ${what}`]))
    .join(', ');
}

function gather(
  { talks, agents, replicas, bot, follower, application }: Stage,
  shown: readonly OutgoingMessage[],
): { intents: GatewayIntents; evidence: GatewayEvidence } {
  const dispatches = new Map(
    agents.map(({ agentId, world }) => [
      agentId,
      world.mac.sent().map(({ text, target }) => ({ text, target })),
    ]),
  );
  const intents = {
    texts: application.texts,
    messages: talks.flatMap(({ messages }) => messages),
    targets: new Map(talks.flatMap(({ targets }) => [...targets])),
  };
  const seen = [...agents, ...replicas, bot, application].flatMap(({ offences }) => offences);
  const evidence = { dispatches, attempts: bot.attempts, events: follower.events, shown, offences: seen };
  return { intents, evidence };
}

const victimsOf = ({ agents, replicas, database }: Stage) => [...agents, ...replicas, database];

const killsOf = (stage: Stage) => victimsOf(stage).reduce((sum, { kills }) => sum + kills, 0);

function deathsOf(stage: Stage): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { deaths } of victimsOf(stage))
    for (const [way, count] of Object.entries(deaths)) counts[way] = (counts[way] ?? 0) + count;
  return counts;
}

function countsOf(
  { follower, application }: Stage,
  { texts, messages }: GatewayIntents,
  { attempts, events, dispatches, shown }: GatewayEvidence,
): Record<string, number> {
  const taken = new Set(attempts.map(({ webhook, event }) => `${webhook} ${event.id}`));
  const ofStatus = (wanted: string) => shown.filter(({ status }) => status === wanted).length;
  return {
    'messages of people': messages.length,
    'texts accepted': texts.length,
    ...application.counts,
    'late answers sent as messages': shown.length - texts.length,
    'texts sent': [...dispatches.values()].flat().length,
    unknown: ofStatus('unknown'),
    failed: ofStatus('failed'),
    events: events.length,
    'webhook requests': attempts.length,
    'events that came again': attempts.length - taken.size,
    'streams opened': follower.connects,
  };
}

/** Copies everything to where it outlives the run. */
function keep(
  { agents }: Stage,
  from: string,
  seed: number,
  {
    intents,
    evidence,
    violations,
  }: { intents: GatewayIntents; evidence: GatewayEvidence; violations: readonly string[] },
): string {
  const directory = mkdtempSync(join(tmpdir(), `edge-gateway-soak-${seed}-kept-`));
  copyTree(from, directory);
  for (const { agentId, world } of agents) copyTree(world.directory, join(directory, agentId));
  const lines = (list: readonly unknown[]) => list.map((entry) => `${JSON.stringify(entry)}\n`).join('');
  const texts = intents.texts.map((text) => ({ ...text, ids: [...text.ids] }));
  writeFileSync(join(directory, 'texts.jsonl'), lines(texts));
  writeFileSync(join(directory, 'messages.jsonl'), lines(intents.messages));
  writeFileSync(join(directory, 'attempts.jsonl'), lines(evidence.attempts));
  writeFileSync(join(directory, 'events.jsonl'), lines(evidence.events));
  writeFileSync(join(directory, 'shown.jsonl'), lines(evidence.shown));
  writeFileSync(join(directory, 'violations.txt'), `${violations.join('\n')}\n`);
  return directory;
}
