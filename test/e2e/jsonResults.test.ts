import { expect, test } from 'vitest';
import { page, tableUnder } from '../docs/page.js';
import { EdgeWorld, PERSON } from '../support/EdgeWorld.js';

const ROWS = tableUnder('## Output for programs', page('docs/operating.md'));

test('verbs with a result print it as JSON, with the documented keys', async (context) => {
  const world = await EdgeWorld.open(context, { settings: { 'monitor.enabled': true, 'monitor.port': 0 } });
  await world.start();
  const sent = await world.cli('send', PERSON, 'later', '--at', '23:59', '--json');
  const { command_id: id } = JSON.parse(sent.stdout) as { command_id: string };
  for (const words of [
    ['pause', PERSON],
    ['resume'],
    ['resume', 'all'],
    ['kick'],
    ['schedule', 'cancel', id.slice(0, -4)],
    ['queue', 'retry', 'all'],
    ['queue', 'drop', 'all'],
    ['config', 'path'],
    ['config', 'reset-remote'],
    ['monitor', 'open'],
    ['monitor', 'token'],
    ['monitor', 'rotate'],
  ]) {
    const { stdout, stderr, exitCode } = await world.cli(...words, '--json');
    expect(exitCode, stderr).toBe(0);
    const { schema, ...result } = JSON.parse(stdout) as Record<string, unknown>;
    expect(schema).toBe(1);
    const verb = words.filter((word) => /^[a-z-]+$/.test(word) && word !== 'all').join(' ');
    const [, described = ''] = ROWS.find(([verbs]) => verbs?.includes(`\`${verb}\``)) ?? [];
    expect(Object.keys(result), verb).not.toEqual([]);
    for (const key of Object.keys(result)) expect(described, `${verb}: ${key}`).toContain(`\`${key}\``);
  }
});
