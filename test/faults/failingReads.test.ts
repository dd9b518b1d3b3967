import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { MINUTE, person, Rig } from './VitalRig.js';

const FAIL_READS = pathToFileURL(join(import.meta.dirname, '..', 'support', 'failingReads.mjs')).href;

test('a disk that returns nothing of the store for minutes ends no agent, whichever timer meets that, and all continues after', {
  timeout: 600_000,
}, async (context) => {
  const rig = await Rig.start(context, [FAIL_READS]);
  const { world, daemon, time } = rig;
  const readsFail = join(world.directory, 'reads-fail');
  await rig.converse(() => world.mac.chatDb.receive({ from: person(1), text: 'before' }));
  await rig.converse(() => world.receiveImage({ from: person(2), text: 'look' }, 'image-1'));
  world.mac.chatDb.receive({ from: person(1), text: 'meanwhile' });
  writeFileSync(readsFail, '');
  world.command('asked meanwhile');
  await time.advance(10 * MINUTE);
  rmSync(readsFail);
  await rig.settles();
  expect(daemon.complaints()).toBe('');
});
