import { expect, type TestContext, test } from 'vitest';
import { readCalls } from '../../src/kit/messages/osascriptLog.js';
import { EdgeWorld, PERSON } from '../support/EdgeWorld.js';
import { StandIns } from '../support/StandIns.js';
import { until } from '../support/until.js';

const CANARY = { textIncludes: 'edge-agent canary' };
/** Of a silence or a canary, so that a test need not wait for the hours that people set. */
const THREE_SECONDS = 0.05;

/** The real daemon on a simulated Mac: Messages is a process that it opens, asks to quit, and opens again. */
async function mac(context: TestContext, settings: Readonly<Record<string, unknown>>) {
  const standIns = new StandIns();
  standIns.messages();
  const world = await EdgeWorld.open(context);
  world.place.env.STAND_IN_PROGRAMS = standIns.directory;
  const send = `exec '${world.mac.osascriptPath}' "$@"`;
  world.writeConfig({
    'supervisor.enabled': true,
    'imessage.stall_minutes': 0,
    'imessage.osascript_path': standIns.write(
      'osascript',
      `[ "$1" = -e ] || ${send}\nkill "$(cat "$D/pid")"`,
    ),
    ...settings,
  });
  const stalls = () =>
    world.backend.events
      .filter(({ body }) => body.event_type === 'inbound_stalled')
      .map(({ body }) => body.details);
  return { standIns, world, stalls };
}

test('a canary that comes back is a sign of life; one that does not is reported, and cleared by a message', async (context) => {
  const { standIns, world, stalls } = await mac(context, { 'imessage.canary_minutes': THREE_SECONDS });
  world.behave({ kind: 'ok', row: { kind: 'echoed' } }, CANARY);
  world.behave({ kind: 'ok', row: { kind: 'sent' } }, { ...CANARY, times: 'always' });
  const daemon = await world.start();
  await world.sent(1);
  await world.sent(2);
  expect(stalls()).toEqual([]);
  expect(world.backend.messages).toEqual([]);
  expect((await daemon.status()).snapshot?.problems).toEqual([]);
  expect(await daemon.line('No messages seem to arrive')).toContain('cause=canary_not_received');
  const { exitCode, snapshot } = await daemon.statusUntil(({ snapshot: now }) => now?.problems.length === 1);
  expect(exitCode).toBe(4);
  expect(snapshot?.problems).toMatchObject([{ code: 'inbound_stalled' }]);
  await world.backend.until(() => stalls().length > 0);
  expect(stalls()).toMatchObject([{ cause: 'canary_not_received' }]);
  await until(
    () => standIns.calls('open').length >= 2,
    () => 'the nudge',
  );
  world.mac.chatDb.receive({ from: PERSON, text: 'are you there?' });
  await daemon.line('Messages writes to chat.db again');
  expect(world.texts.filter((text) => !text.startsWith('edge-agent canary'))).toHaveLength(0);
});

test('a chat.db that stays silent is reported and Messages is nudged, which is no fault', async (context) => {
  const { standIns, world, stalls } = await mac(context, { 'imessage.stall_minutes': THREE_SECONDS });
  const daemon = await world.start();
  expect(await daemon.line('No messages seem to arrive')).toContain('cause=no_rows');
  await world.backend.until(() => stalls().length > 0);
  await until(
    () => standIns.calls('open').length >= 2,
    () => 'the nudge',
  );
  expect((await daemon.status()).snapshot?.problems).toEqual([]);
  expect(readCalls(world.mac.osascriptDirectory)).toEqual([]);
});

test('after two timeouts in a row Messages is restarted, and the next text waits for it', async (context) => {
  const { standIns, world } = await mac(context, {});
  world.behave({ kind: 'error', number: -1712, when: 'after' }, { times: 2 });
  const daemon = await world.start();
  await daemon.line('Messages is running');
  const before = standIns.pid;
  const ids = ['one', 'two', 'three'].map((text) => world.command(text));
  await daemon.line('Messages timed out repeatedly; restarting it');
  for (const id of ids) expect(await world.acked(id)).toMatchObject({ status: 'completed' });
  expect(standIns.pid).not.toBe(before);
  expect(standIns.calls('osascript').filter((call) => call.startsWith('-e'))).toHaveLength(1);
  expect(world.texts).toEqual(['one', 'two', 'three']);
});
