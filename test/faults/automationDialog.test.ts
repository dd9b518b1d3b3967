import { expect, test } from 'vitest';
import { noteAutomation } from '../../src/kit/messages/automationDialog.js';
import { readCalls } from '../../src/kit/messages/osascriptLog.js';
import { StandIns } from '../support/StandIns.js';
import { MINUTE, Rig } from './VitalRig.js';

test('a dialog that is not answered for ten minutes loses no text: status, /ready and page show what waits, and all is sent in order', {}, async (context) => {
  const rig = await Rig.start(context, [], ({ place, mac }) => {
    place.env.STAND_IN_PROGRAMS = new StandIns().directory;
    noteAutomation(mac.osascriptDirectory, 'undecided');
  });
  const { world, time } = rig;
  rig.areTextsHeld = true;
  const ids = ['one', 'two', 'three'].map((text) => world.command(text));
  await rig.comes('automation_pending');
  await time.advance(10 * MINUTE);
  const { snapshot } = await rig.daemon.status();
  expect(snapshot).toMatchObject({ state: 'degraded', sends_queued: 3 });
  expect(snapshot?.problems).toMatchObject([
    { code: 'automation_pending', remedy: expect.stringContaining('dialog') },
  ]);
  expect(await rig.ready()).toMatchObject({ ready: false, problems: [{ code: 'automation_pending' }] });
  expect(await rig.onPage()).toEqual(['automation_pending']);
  expect(readCalls(world.mac.osascriptDirectory)).toEqual([]);
  expect(ids.flatMap((id) => world.acksOf(id))).toEqual([]);

  noteAutomation(world.mac.osascriptDirectory, 'granted');
  await rig.passes(
    () => world.texts.length === ids.length,
    () => 'the texts',
  );
  rig.areTextsHeld = false;
  for (const id of ids)
    expect(await world.acked(id)).toMatchObject({ status: 'completed', result: { outcome: 'sent' } });
  expect(world.texts).toEqual(['one', 'two', 'three']);
  await rig.settles();
});
