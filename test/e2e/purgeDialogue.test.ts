import { existsSync } from 'node:fs';
import { spawn } from '@lydell/node-pty';
import { describe, expect, test } from 'vitest';
import { MacWorld } from '../support/MacWorld.js';
import { CLI } from '../support/program.js';

/** Answers the question of `uninstall --purge` at a terminal; resolves with what was shown and the exit code. */
function purgeAt(world: MacWorld, answer: string): Promise<{ shown: string; exitCode: number }> {
  const { cwd, env } = world.place;
  const args = [CLI, 'uninstall', '--purge', '--config', world.edge.configPath];
  const terminal = spawn(process.execPath, args, { cwd, env: env as Record<string, string> });
  let shown = '';
  let hasAnswered = false;
  terminal.onData((data) => {
    shown += data;
    if (hasAnswered || !shown.includes('Type yes:')) return;
    hasAnswered = true;
    terminal.write(answer);
  });
  return new Promise((resolve) => terminal.onExit(({ exitCode }) => resolve({ shown, exitCode })));
}

describe('the question of uninstall --purge', { concurrent: true }, () => {
  test.for([
    ['no', 'no\r'],
    ['y, which is not enough', 'y\r'],
    ['Ctrl-C', '\u0003'],
    ['Ctrl-D', '\u0004'],
  ])('removes nothing at %s', async ([, answer], context) => {
    const world = await MacWorld.open(context);
    const { shown, exitCode } = await purgeAt(world, answer ?? '');
    expect(exitCode).toBe(0);
    expect(shown).toContain(world.edge.configPath);
    expect(shown).toContain('Nothing was removed.');
    expect(existsSync(world.edge.configPath)).toBe(true);
    expect(existsSync(world.edge.envPath)).toBe(true);
  });

  test('removes what was listed at yes', async (context) => {
    const world = await MacWorld.open(context);
    expect((await purgeAt(world, 'yes\r')).exitCode).toBe(0);
    expect(existsSync(world.edge.configPath)).toBe(false);
    expect(existsSync(world.edge.envPath)).toBe(false);
  });
});
