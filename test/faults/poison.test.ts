import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { INPUT_LIMITS } from '../../src/system/inputLimits.js';
import { EdgeWorld, PERSON } from '../support/EdgeWorld.js';
import { sized } from '../support/size.js';

const STRANGERS = Array.from({ length: 6 }, (_, index) => `+1310555400${index}`);
const PRELOAD = fileURLToPath(new URL('../support/dieAtWord.mjs', import.meta.url));

/** Lists within lists, as JSON. */
const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;

describe('one message', () => {
  test.each([
    ['numbers in twos, each with an address', '31 a@b.c '.repeat(400_000)],
    ['1 300 000 letters of three bytes', 'あ'.repeat(1_300_000)],
    ...sized(
      [],
      [
        ['4 000 000 digits', '7'.repeat(4_000_000)],
        ['4 MB of dashes', '- '.repeat(2_000_000)],
        ['brackets and dots', '(1).a.b'.repeat(400_000)],
      ],
    ),
  ])(
    'of %s is posted as far as it is readable, ends nothing, and the next one is answered',
    async (_name, text) => {
      const world = await EdgeWorld.open(
        { onTestFinished: (clean) => void cleanups.push(clean) },
        { settings: { 'privacy.redact': ['phone', 'email', 'ssn', 'credit_card'] } },
      );
      const daemon = await world.start();
      world.mac.chatDb.receive({ from: STRANGERS[0] ?? '', text });
      world.mac.chatDb.receive({ from: PERSON, text: 'are you there?' });
      await world.backend.until(() => world.backend.messages.length >= 2);
      const long = world.backend.messages.find(({ body }) => body.sender !== PERSON)?.body;
      expect(long).toMatchObject({ truncated: true, original_length: expect.any(Number) });
      expect(String(long?.filtered_text).length).toBeLessThanOrEqual(2 * INPUT_LIMITS.messageText);
      const { code } = await daemon.kill('SIGTERM');
      expect(code).toBe(0);
      await Promise.all(cleanups.splice(0).map((clean) => clean()));
    },
  );
});

/** CPU time of a process until now, in ms: on Linux in ticks of 10 ms (proc_pid_stat), on macOS as ps prints it. */
function cpuMs(pid: number): number {
  if (existsSync(`/proc/${pid}/stat`)) {
    const [, , , , , , , , , , , user, system] = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return (Number(user) + Number(system)) * 10;
  }
  const said = execFileSync('ps', ['-o', 'time=', '-p', String(pid)], { encoding: 'utf8' });
  return said.split(':').reduce((sum, part) => sum * 60 + Number(part), 0) * 1_000;
}

test('six strangers with 3 MB each, with the shipped settings, cost little more work than short messages, and the next one is answered', async () => {
  const world = await EdgeWorld.open({ onTestFinished: (clean) => void cleanups.push(clean) });
  const daemon = await world.start();
  /** What the agent works until a person is answered who writes behind these. */
  const workFor = async (texts: readonly string[], words: string) => {
    const before = cpuMs(daemon.pid);
    for (const [index, text] of texts.entries())
      world.mac.chatDb.receive({ from: STRANGERS[index] ?? '', text });
    world.mac.chatDb.receive({ from: PERSON, text: words });
    await world.backend.until(() => world.backend.messages.some(({ body }) => body.filtered_text === words));
    return cpuMs(daemon.pid) - before;
  };
  const short = await workFor(
    STRANGERS.map(() => 'hello'),
    'are you there?',
  );
  const long = await workFor(
    STRANGERS.map((_, index) => `${index} 310-555-1234 - a@b.c ありがとう `.repeat(90_000)),
    'and now?',
  );
  expect(world.backend.messages.filter(({ body }) => body.truncated === true)).toHaveLength(STRANGERS.length);
  // It was 17 s.
  expect(short).toBeGreaterThan(0);
  expect(long).toBeLessThan(short + 2_000);
  expect((await daemon.kill('SIGTERM')).code).toBe(0);
  await Promise.all(cleanups.splice(0).map((clean) => clean()));
});

const cleanups: (() => void | Promise<void>)[] = [];

describe('a command', () => {
  test.each([
    // The simulated backend cannot write deeper ones; test/backend/endlessFrames.test.ts has them.
    ['6 KB of brackets', `{"text":"x","extra":${nested(3_000)}}`],
    ['lists in the place of the text', `{"text":${nested(2_000)}}`],
    ['a thread id of 1 MB', `{"thread_id":"${'9'.repeat(1_000_000)}x","text":"hi"}`],
    [
      'a million attachments',
      `{"thread_id":"${PERSON}","text":"hi","attachments":[${'1,'.repeat(999_999)}1]}`,
    ],
    ['a text of 8 MB', `{"thread_id":"${PERSON}","text":"${'y '.repeat(4_000_000)}"}`],
  ])('with %s fails alone: it is acked, and those behind it are executed', async (_name, payload) => {
    const world = await EdgeWorld.open({ onTestFinished: (clean) => void cleanups.push(clean) });
    const daemon = await world.start();
    const bad = world.backend.pushCommand({
      command_type: 'send_message_now',
      payload: JSON.parse(payload) as Record<string, unknown>,
    }).commandId;
    const good = world.command('behind it');
    expect(await world.acked(bad)).toMatchObject({ status: 'failed' });
    expect(await world.acked(good)).toMatchObject({ status: 'completed' });
    expect((await daemon.kill('SIGTERM')).code).toBe(0);
    await Promise.all(cleanups.splice(0).map((clean) => clean()));
  });
});

test('an item that ends the agent at every start is set aside after three, shown in the status, and those behind it are answered', async (context) => {
  const world = await EdgeWorld.open(context);
  const first = await world.start();
  await first.kill('SIGTERM');
  Object.assign(world.place.env, { NODE_OPTIONS: `--import ${PRELOAD}`, DIE_AT: 'poisonous word' });
  world.mac.chatDb.receive({ from: STRANGERS[1] ?? '', text: 'a poisonous word' });
  world.mac.chatDb.receive({ from: PERSON, text: 'after it' });
  let deaths = 0;
  let daemon = world.spawn();
  while ((await Promise.race([daemon.exited, answered(world)])) !== 'answered') {
    deaths += 1;
    expect(deaths).toBeLessThanOrEqual(4);
    daemon = world.spawn();
  }
  expect(deaths).toBe(4);
  const { snapshot } = await daemon.statusUntil(({ snapshot }) => (snapshot?.problems.length ?? 0) > 0);
  expect(snapshot?.problems).toMatchObject([
    { code: 'item_set_aside', remedy: expect.stringContaining('Report') },
  ]);
  expect((await daemon.kill('SIGTERM')).code).toBe(0);
});

async function answered(world: EdgeWorld): Promise<'answered'> {
  await world.backend.until(() => world.backend.messages.some(({ body }) => body.sender === PERSON));
  return 'answered';
}
