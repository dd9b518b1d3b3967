import { expect, test, vi } from 'vitest';
import type { Report } from '../../src/diagnostics/checks/runChecks.js';
import {
  type AutomationNote,
  dialogsRaised,
  noteAutomation,
} from '../../src/kit/messages/automationDialog.js';
import { readCalls } from '../../src/kit/messages/osascriptLog.js';
import { type Cleanup, EdgeWorld } from '../support/EdgeWorld.js';
import { StandIns } from '../support/StandIns.js';
import { until } from '../support/until.js';

vi.setConfig({ testTimeout: 120_000 });

/** An agent on a simulated Mac where it is decided, or not yet, whether it may control Messages. */
async function macThat(context: Cleanup, note: AutomationNote) {
  const world = await EdgeWorld.open(context);
  world.place.env.STAND_IN_PROGRAMS = new StandIns().directory;
  const directory = world.mac.osascriptDirectory;
  noteAutomation(directory, note);
  const raised = (count: number) =>
    until(
      () => dialogsRaised(directory) >= count,
      () => `${count} dialogs`,
    );
  return { world, raised, decide: (answer: AutomationNote) => noteAutomation(directory, answer) };
}

test('killed while the dialog waits, the agent loses no text, sends none twice, and no outcome is unknown', async (context) => {
  const { world, raised, decide } = await macThat(context, 'undecided');
  const daemon = await world.start();
  const ids = ['one', 'two'].map((text) => world.command(text));
  await raised(1);
  const { snapshot } = await daemon.statusUntil(
    (answer) => answer.snapshot?.problems[0]?.code === 'automation_pending',
  );
  expect(snapshot?.vital_signs.can_send).toMatchObject({ state: 'failing', codes: ['automation_pending'] });
  await daemon.kill('SIGKILL');
  const next = await world.start();
  await raised(2);
  expect(readCalls(world.mac.osascriptDirectory)).toEqual([]);
  decide('granted');
  for (const id of ids) expect(await world.acked(id)).toMatchObject({ status: 'completed' });
  expect(world.texts).toEqual(['one', 'two']);
  await next.statusUntil((answer) => answer.snapshot?.problems.length === 0);
});

test('an Apple event that times out before the marker leaves the outcome unknown until the selftest has proven the marker, and fails after', async (context) => {
  const { world } = await macThat(context, 'granted');
  const daemon = await world.start();
  world.behave(
    { kind: 'error', number: -1712, when: 'before' },
    { textIncludes: 'timed out', times: 'always' },
  );
  expect(await world.acked(world.command('timed out at first'))).toMatchObject({
    status: 'failed',
    error: expect.stringMatching(/^outcome_unknown/),
  });
  const { stdout } = await world.cli('selftest', '--json');
  const { checks } = JSON.parse(stdout) as Report;
  expect(checks.find(({ id }) => id === 'marker')).toMatchObject({
    verdict: 'PASS',
    evidence: expect.stringContaining('proven by the running agent'),
  });
  await daemon.kill('SIGTERM');
  await world.start();
  expect(await world.acked(world.command('timed out again'))).toMatchObject({
    status: 'failed',
    error: expect.not.stringMatching(/^outcome_unknown/),
    result: { outcome: 'not_sent' },
  });
  expect(world.texts).toEqual([]);
});

test('denied in the dialog a text fails with the remedy, and the next one after it was granted is sent', async (context) => {
  const { world, raised, decide } = await macThat(context, 'undecided');
  const daemon = await world.start();
  const refused = world.command('one');
  await raised(1);
  decide('denied');
  const ack = await world.acked(refused);
  expect(ack).toMatchObject({ status: 'failed', result: { outcome: 'not_sent' } });
  expect(ack.error).toMatch(/^automation_denied/);
  const { snapshot } = await daemon.statusUntil(
    (answer) => answer.snapshot?.problems[0]?.code === 'automation_denied',
  );
  expect(snapshot?.problems).toHaveLength(1);
  decide('granted');
  expect(await world.acked(world.command('two'))).toMatchObject({ status: 'completed' });
  await daemon.statusUntil((answer) => answer.snapshot?.problems.length === 0);
  expect(world.texts).toEqual(['two']);
});
