import { describe, expect, type TestContext, test } from 'vitest';
import { findMessage } from '../../src/gateway/ledger/messages.js';
import { AGENT_ID, EdgeWorld, PERSON } from '../support/EdgeWorld.js';
import { sized } from '../support/size.js';
import { untilIdle } from '../support/statusOf.js';
import { GATEWAY_STEPS, type GatewayKill, GatewayProcess } from './GatewayProcess.js';
import { settingsOn } from './GatewayWorld.js';
import { type GatewayEngine, gatewayEngines } from './gatewayEngines.js';
import { admitAgent, order, untilAcked } from './texting.js';

const engines = gatewayEngines('SQLite');
const PHASES = sized<readonly GatewayKill['phase'][]>(['after'], ['before', 'after']);
const POINTS = engines.flatMap((engine) =>
  Object.entries(GATEWAY_STEPS).flatMap(([step, statement]) =>
    PHASES.map(
      (phase) => [`${phase} ${step}, on ${engine.name}`, engine, { statement, phase, nth: 1 }] as const,
    ),
  ),
);

/** A gateway with a known agent and a key for applications; it is killed at `killAt`, and restarted then. */
async function open(context: TestContext, engine: GatewayEngine, killAt: GatewayKill | undefined) {
  const empty = await settingsOn(engine, {}, context);
  const place = empty.storage.kind === 'sqlite' ? empty.storage.path : empty.storage.url;
  const key = await admitAgent(empty.key, await engine.open(place, context));
  const doomed = await GatewayProcess.start(context, empty, killAt);
  const settings = { ...empty, port: doomed.port };
  const next =
    killAt === undefined
      ? Promise.resolve(doomed)
      : doomed.exited.then(() => GatewayProcess.start(context, settings));
  const world = await EdgeWorld.open(context, { settings: { 'backend.url': doomed.url } });
  return { world, place, url: doomed.url, key, doomed, next };
}

async function tellStory(context: TestContext, engine: GatewayEngine, killAt: GatewayKill | undefined) {
  const { world, place, url, key, doomed, next } = await open(context, engine, killAt);
  const agent = await world.startDegraded();
  await order(url, key, 'first');
  world.mac.chatDb.receive({ from: PERSON, text: 'hello' });
  world.receiveImage({ from: PERSON, text: 'my cat' }, 'at_0_CAFE');
  await order(url, key, 'second');
  if (killAt !== undefined) expect(await doomed.exited).toBe('SIGKILL');
  const gateway = await next;
  await world.sent(2);
  await untilAcked(url, key);
  await untilIdle(world.state);
  await agent.dispose();
  gateway.kill();
  await gateway.exited;
  return { world, place };
}

describe('a gateway that is killed with a real agent attached loses nothing and repeats nothing', {
  concurrent: true,
}, () => {
  test.for(POINTS)('%s', async ([, engine, killAt], context) => {
    const { world, place } = await tellStory(context, engine, killAt);
    expect(world.texts).toEqual(['first', 'second']);
    const database = await engine.open(place, context);
    for (const id of ['cmd_first', 'cmd_second']) {
      const message = await findMessage(database, AGENT_ID, id);
      expect(message).toMatchObject({ outcome: 'sent', history: [{ status: 'queued' }, { status: 'sent' }] });
    }
    const inbox = await database.query('SELECT answer FROM inbox');
    expect(inbox).toEqual([1, 2].map(() => ({ answer: '{"should_respond":false}' })));
    const events = await database.query("SELECT type FROM event_log WHERE type LIKE 'message.%'");
    expect(events.map(({ type }) => type).toSorted()).toEqual([
      'message.received',
      'message.received',
      'message.status',
      'message.status',
    ]);
    expect(await database.query('SELECT guid FROM uploads')).toEqual([{ guid: 'at_0_CAFE' }]);
    expect(await database.query('SELECT command_id FROM commands WHERE acked_at IS NULL')).toEqual([]);
  });
});
