import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { EXIT } from '../../src/cli/exitCodes.js';
import type { Exit, Place, StartedProgram } from './program.js';
import { cleanEnvironment, runCli, runFreshCli } from './runCli.js';
import { temporaryDirectory } from './temporaryStore.js';
import { startWarm } from './WarmProgram.js';

/** A directory of its own, with such a configuration. */
function placeWith(config: string): Place {
  const cwd = temporaryDirectory();
  writeFileSync(join(cwd, 'config.yaml'), config);
  return { cwd, env: cleanEnvironment(cwd) };
}

const GOOD = 'edge:\n  user_phone: "+13105550100"\nbackend:\n  url: http://127.0.0.1:9\n';

test.each([
  ['a result', ['config', 'get', 'backend.url'], GOOD, EXIT.ok],
  ['a mistake in the configuration', ['config', 'check'], 'nonsense: true\n', EXIT.invalidConfig],
  ['a verb that needs an agent', ['status', '--json'], GOOD, EXIT.notRunning],
  ['an unknown verb', ['stat'], GOOD, EXIT.usage],
] as const)(
  'a reused process prints for %s what a process of its own prints',
  async (_what, verb, config, exitCode) => {
    const place = placeWith(config);
    await runCli(['--version'], place);
    const fresh = await runFreshCli(verb, place);
    expect(await runCli(verb, place)).toEqual(fresh);
    expect(fresh.exitCode).toBe(exitCode);
  },
);

test('a once-only message of one run is printed again in the next one', async () => {
  const place = placeWith(GOOD);
  const usual = join(place.cwd, '.config', 'edge-agent');
  mkdirSync(usual, { recursive: true });
  writeFileSync(join(usual, 'config.yaml'), GOOD);
  const first = await runCli(['config', 'path'], place);
  expect(first.stderr).toContain('not the config.yaml here');
  expect(await runCli(['config', 'path'], place)).toEqual(first);
});

test('a run that is killed ends by the signal, and the next one has another process', async () => {
  const place = placeWith(GOOD);
  const doomed = await started(place);
  doomed.program.kill('SIGKILL');
  expect(await doomed.ended).toEqual({ code: null, signal: 'SIGKILL' });
  const next = await started(place);
  expect(next.program.pid).not.toBe(doomed.program.pid);
  next.program.kill('SIGTERM');
  expect(await next.ended).toEqual({ code: EXIT.ok, signal: null });
});

test('an option that node reads at its start gets a process of its own', async () => {
  const { cwd, env } = placeWith(GOOD);
  const place = { cwd, env: { ...env, NODE_OPTIONS: '--throw-deprecation' } };
  const warm = await started(place);
  warm.program.kill('SIGKILL');
  await warm.ended;
  const again = await started({ cwd, env });
  expect(again.program.pid).not.toBe(warm.program.pid);
  again.program.kill('SIGTERM');
  await again.ended;
});

/** Resolves once the agent has started. */
function started(place: Place): Promise<{ program: StartedProgram; ended: Promise<Exit> }> {
  return new Promise((resolve, reject) => {
    let output = '';
    let end: (exit: Exit) => void = () => undefined;
    const ended = new Promise<Exit>((settle) => {
      end = settle;
    });
    const program = startWarm(['run'], place, {
      stdout(text) {
        output += text;
        if (/edge-agent \S+ started/.test(output)) resolve({ program, ended });
      },
      stderr(text) {
        output += text;
      },
      failed: reject,
      ended(exit) {
        reject(new Error(output));
        end(exit);
      },
    });
  });
}
