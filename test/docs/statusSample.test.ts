import { expect, test } from 'vitest';
import { EdgeWorld } from '../support/EdgeWorld.js';
import { page } from './page.js';

/** What differs from run to run. */
const timeless = (text: string) =>
  text
    .replace(/up \d+ s/, 'up N s')
    .replace(/pid \d+/, 'pid N')
    .replace(/since \d+ s ago/, 'since N s ago')
    .replace(/\s*\n\s*/g, ' ')
    .trim();

test('the status that the README shows is that of a real agent with a wrong secret', async (context) => {
  const [, sample = ''] = /## Check its health[\s\S]*?```\n([\s\S]*?)```/.exec(page('README.md')) ?? [];
  const world = await EdgeWorld.open(context, { secret: 'another-secret' });
  const daemon = await world.startDegraded();
  await daemon.statusUntil(({ snapshot }) => snapshot?.problems[0]?.code === 'backend_unauthorised');
  const { exitCode, stdout } = await world.cli('status');
  expect(exitCode).toBe(4);
  const [head = ''] = stdout.split(/\n {2}(?=reads|can |agent id|\w+ {3,})/);
  expect(timeless(head)).toContain(timeless(sample));
});
