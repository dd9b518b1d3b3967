import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { StatusSnapshot } from '../../src/model/status.js';
import { Store } from '../../src/store/Store.js';
import { systemClock } from '../../src/system/clock.js';
import { EdgeWorld } from '../support/EdgeWorld.js';
import { FakeBackend } from '../support/FakeBackend.js';
import { FakeMessages } from '../support/FakeMessages.js';
import { outgoingOn } from '../support/outgoingOn.js';
import { RecordingLog } from '../support/RecordingLog.js';
import { sized } from '../support/size.js';
import { statusOf } from '../support/statusOf.js';
import { until } from '../support/until.js';

/** What is queued at a start; what comes at once. */
const QUEUED = 100_000;
const MANY = sized(20_000, 100_000);
const PEOPLE = 500;
const MOST_MB = 250;
const MOST_MB_OF_A_BURST = sized(200, 250);
/**
 * A reply (25 MB at its full size) is read completely: its text and its objects exist at the same time, and V8
 * collects late.
 */
const MOST_MB_OF_A_REPLY = sized(220, 400);
const NO_LINES = { 'logging.level': 'warn' };

const commands = Array.from({ length: MANY }, (_, number) => ({
  command_id: `cmd_${number}_0123456789abcdef0123456789abcdef`,
  command_type: 'schedule_message',
  payload: { thread_id: personOf(number), message_text: `Number ${number}`, send_at: '2126-01-01T00:00:00Z' },
  priority: 'normal',
  timestamp: new Date().toISOString(),
}));

describe('very many commands', () => {
  test('in one sync reply are stored, in bounded memory, while the agent keeps answering', async (context) => {
    const { fake, world } = await open(context);
    fake.refuse(503);
    const replies = [JSON.stringify({ commands })];
    fake.on('/edge/sync', () => ({ body: replies.shift() ?? '{"commands":[]}' }));
    await running(world);
    await takenIn(world, MOST_MB_OF_A_REPLY);
  });

  test('in one burst of frames are stored, in bounded memory, while the agent keeps answering', async (context) => {
    const { fake, world } = await open(context);
    await running(world);
    await fake.until(() => fake.sockets.size > 0, 'a socket');
    for (const command of commands) fake.push(command);
    await takenIn(world, MOST_MB_OF_A_BURST);
  });

  test('of an earlier run do not slow the start: the agent answers and sends while they wait', async (context) => {
    const world = await EdgeWorld.open(context, { settings: NO_LINES });
    mkdirSync(world.state, { mode: 0o700 });
    storeTexts(join(world.state, 'edge-agent.db'));
    await running(world);
    await world.sent(3);
    const status = await statusOf(world.state);
    expect(status?.sends_queued).toBeGreaterThan(QUEUED - 1000);
    expect(status?.memory_usage_mb).toBeLessThan(MOST_MB);
    expect(world.texts.slice(0, 3)).toEqual(['Number 0', 'Number 1', 'Number 2']);
  });
});

async function open(context: Parameters<typeof EdgeWorld.open>[0]) {
  const fake = await FakeBackend.start();
  context.onTestFinished(() => fake.stop());
  const settings = { ...NO_LINES, 'backend.url': fake.url };
  return { fake, world: await EdgeWorld.open(context, { settings }) };
}

/** Resolves when all are stored; status requests meanwhile were answered, and reported no more memory than allowed. */
async function takenIn(world: EdgeWorld, mostMb: number): Promise<void> {
  const seen: (StatusSnapshot | undefined)[] = [];
  await until(
    async () => {
      const status = await statusOf(world.state);
      seen.push(status);
      return status?.scheduled_messages === MANY;
    },
    () => `all commands; there are ${seen.at(-1)?.scheduled_messages}`,
  );
  const answers = seen.flatMap((status) => status ?? []);
  const meanwhile = answers.filter(({ scheduled_messages: taken }) => taken > 0 && taken < MANY);
  expect(meanwhile).not.toEqual([]);
  expect(Math.max(...answers.map((status) => status.memory_usage_mb))).toBeLessThan(mostMb);
}

/** What an agent leaves that was stopped with so many texts in its lanes. */
function storeTexts(path: string): void {
  const clock = systemClock;
  const log = new RecordingLog();
  const store = Store.open(path, { clock, log });
  const messages = new FakeMessages();
  const outgoing = outgoingOn(store, messages, clock, {}, { log });
  const text = { role: 'message', priority: 2, pauseMs: 0 } as const;
  store.write(() => {
    for (let number = 0; number < QUEUED; number++) {
      const [conversation, commandId] = [personOf(number), `cmd_${number}`];
      store.commands.add({
        commandId,
        commandType: 'send_message_now',
        body: '{}',
        bodyHash: '',
        via: 'http',
      });
      const id = `command:${commandId}`;
      outgoing.enqueue({
        ...text,
        id,
        conversation,
        threadId: conversation,
        commandId,
        text: `Number ${number}`,
      });
    }
  });
  store.close();
}

/** Starts the daemon; resolves when it answers. */
async function running(world: EdgeWorld): Promise<void> {
  world.spawn();
  await until(
    async () => (await statusOf(world.state)) !== undefined,
    () => 'an answer',
  );
}

function personOf(number: number): string {
  return `+1310555${1000 + (number % PEOPLE)}`;
}
