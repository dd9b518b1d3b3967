import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import type { ErrorCode } from '../../src/model/errorCodes.js';
import { systemClock } from '../../src/system/clock.js';
import { MutantBackend, type Pair, type PassingReply } from '../kit/conformance/MutantBackend.js';
import { EdgeWorld } from '../support/EdgeWorld.js';
import { until } from '../support/until.js';

const CLOCK = pathToFileURL(join(import.meta.dirname, '../support/shiftedClock.mjs')).href;
const person = (number: number) => `+1310555${2000 + number}`;

/** What the test may do to the posts of messages; undefined: they go through. */
let wrong: ((text: string) => PassingReply | undefined) | undefined;

test('what is broken for real is told by its code in the status, /ready, the log and as the last error, and is over once it is mended', {
  timeout: 180_000,
}, async (context) => {
  let aheadMs = 0;
  const backendClock = { ...systemClock, now: () => systemClock.now() + aheadMs };
  const world = await EdgeWorld.open(context, { backendClock });
  const clockFile = join(world.directory, 'clock');
  writeFileSync(clockFile, '0');
  Object.assign(world.place.env, { NODE_OPTIONS: `--import ${CLOCK}`, CLOCK_FILE: clockFile });
  /** Both clocks go on by so much at once. */
  const later = (ms: number) => {
    aheadMs += ms;
    writeFileSync(clockFile, String(aheadMs));
  };
  const pairs: Pair[] = [];
  const mutant = await MutantBackend.start(world.backend.url, {
    request({ path, body }) {
      if (path !== '/edge/message') return undefined;
      return wrong?.((JSON.parse(body) as { filtered_text: string }).filtered_text);
    },
    joined: (pair) => pairs.push(pair),
  });
  context.onTestFinished(() => mutant.stop());
  world.writeConfig({ 'backend.url': mutant.url, 'health.enabled': true, 'health.port': 0 });
  const daemon = await world.start();
  const url = /url=(\S+)/.exec(await daemon.line('Health is served'))?.[1] ?? '';
  let codes: ErrorCode[] = [];
  const codesOf = async () => {
    codes = (await daemon.statusUntil(() => true)).snapshot?.problems.map(({ code }) => code) ?? [];
    return codes;
  };
  const has = (code: ErrorCode, isThere = true) =>
    until(
      async () => (await codesOf()).includes(code) === isThere,
      () => `${code} to ${isThere ? 'come' : 'go'}; there are ${JSON.stringify(codes)}`,
      60_000,
    );
  const ready = async () => (await fetch(`${url}/ready`)).json() as Promise<Record<string, unknown>>;
  const told = (line: string) =>
    until(
      () => world.log().some((one) => one.includes(line)),
      () => `the line ${line}`,
      30_000,
    );

  const fresh = (await daemon.statusUntil(() => true)).snapshot;
  expect(fresh?.vital_signs.is_answered.state).toBe('not_yet_known');

  // Everything that a message is posted to answers 404.
  wrong = () => ({ status: 404, body: {} });
  world.mac.chatDb.receive({ from: person(1), text: 'hello' });
  await until(
    () => world.log().some((line) => line.includes('could not be delivered to the backend')),
    () => 'the first failure',
  );
  expect(await codesOf()).not.toContain('messages_not_taken');
  later(70_000);
  await has('messages_not_taken');
  const { snapshot } = await daemon.statusUntil(() => true);
  expect(snapshot?.vital_signs.is_answered).toMatchObject({
    state: 'failing',
    codes: ['messages_not_taken'],
  });
  expect(await ready()).toMatchObject({
    ready: false,
    problems: expect.arrayContaining([expect.objectContaining({ code: 'messages_not_taken' })]),
    vital_signs: { is_answered: 'failing' },
  });
  await told('code=messages_not_taken');
  expect((await daemon.statusUntil(() => true)).snapshot?.last_error).toContain('takes no message');
  wrong = undefined;
  await world.cli('kick');
  await has('messages_not_taken', false);
  await told('This is over code=messages_not_taken');
  const mended = await daemon.statusUntil((answer) => answer.snapshot?.vital_signs.can_send.state === 'ok');
  expect(mended.snapshot?.vital_signs.is_answered.state).toBe('ok');

  // One message is refused for good, in the backend's own words.
  wrong = (text) =>
    text === 'refused' ? { status: 422, body: { error: 'no such tenant\u001b[31m' } } : undefined;
  world.mac.chatDb.receive({ from: person(2), text: 'refused' });
  await has('messages_set_aside');
  const withNotice = await ready();
  expect(withNotice).toMatchObject({
    problems: expect.not.arrayContaining([expect.objectContaining({ code: 'messages_set_aside' })]),
    notices: expect.arrayContaining([expect.objectContaining({ code: 'messages_set_aside' })]),
  });
  await told('code=messages_set_aside');
  const listed = JSON.parse((await world.cli('queue', 'list', '--json')).stdout) as {
    parked: { guid: string; error: string }[];
  };
  expect(listed.parked[0]?.error).toContain('no such tenant');
  expect(world.log().join('\n')).not.toContain('no such tenant');
  wrong = undefined;
  expect((await world.cli('queue', 'retry', listed.parked[0]?.guid ?? '')).exitCode).toBe(0);
  await has('messages_set_aside', false);

  // The link drops soon after each connect.
  for (let drop = 0; drop < 3; drop += 1) {
    const before = pairs.length;
    pairs.at(-1)?.agent.terminate();
    await until(
      () => pairs.length > before,
      () => 'a fresh socket',
      60_000,
    );
    await daemon.statusUntil((answer) => answer.snapshot?.link === 'realtime');
  }
  await has('link_unstable');
  expect(await ready()).toMatchObject({ ready: false, vital_signs: { link_stable: 'failing' } });
  await told('code=link_unstable');
  later(91_000);
  await has('link_unstable', false);
});
