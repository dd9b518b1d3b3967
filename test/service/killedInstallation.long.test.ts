import { type ChildProcess, spawn } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT } from '../docs/page.js';
import { ServiceBench } from '../support/ServiceBench.js';

interface Attempt {
  edition: string;
  runtime: 'private' | 'current';
  config: string;
  killAt?: number;
}

function spawnInstaller(bench: ServiceBench, { edition, runtime, config, killAt }: Attempt): ChildProcess {
  const settings = {
    home: bench.home,
    program: bench.program(edition),
    config: join(bench.home, config),
    mac: bench.launchd.directory,
    dist: join(ROOT, 'dist'),
    runtime,
    killAt,
  };
  const installer = join(ROOT, 'test/support/launchd/installer.mjs');
  return spawn(process.execPath, [installer, JSON.stringify(settings)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

function ended(child: ChildProcess): Promise<NodeJS.Signals | number | null> {
  return new Promise((resolve) => child.on('exit', (code, signal) => resolve(signal ?? code)));
}

/** Whichever edition it is: it answers, and with the node that belongs to it. */
async function isWell(bench: ServiceBench): Promise<string> {
  const answer = await bench.answers(/one|two/);
  const runtime = answer.edition === 'two' ? bench.places.runtime : realpathSync(process.execPath);
  expect(answer.runtime, answer.edition).toBe(runtime);
  return answer.edition;
}

const OLD: Attempt = { edition: 'one', runtime: 'current', config: 'config.yaml' };
const NEW: Attempt = { edition: 'two', runtime: 'private', config: 'other.yaml' };

describe('an installation that is killed', { concurrent: true, timeout: 240_000 }, () => {
  test('before any of its changes leaves what runs, or starts at the next login, whole', async (context) => {
    const bench = await ServiceBench.open(context);
    await ended(spawnInstaller(bench, OLD));
    const editions: string[] = [];
    for (let killAt = 1; ; killAt += 1) {
      const end = await ended(spawnInstaller(bench, { ...NEW, killAt }));
      if (end !== 'SIGKILL') {
        expect(end).toBe(0);
        break;
      }
      await bench.launchd.login();
      editions.push(await isWell(bench));
      if (editions.at(-1) === 'two') await ended(spawnInstaller(bench, OLD));
    }
    expect(editions.length).toBeGreaterThan(5);
    expect(new Set(editions)).toEqual(new Set(['one', 'two']));
    expect(editions.toSorted()).toEqual(editions);
  });

  test('while only the program is upgraded never takes the running one away', async (context) => {
    const bench = await ServiceBench.open(context);
    await ended(spawnInstaller(bench, OLD));
    const { pid } = await bench.answers('one');
    for (let killAt = 1; ; killAt += 1) {
      const attempt = { ...OLD, edition: 'two', killAt };
      if ((await ended(spawnInstaller(bench, attempt))) !== 'SIGKILL') break;
      expect((await bench.answers('one')).pid).toBe(pid);
    }
    expect((await bench.answers('two')).pid).not.toBe(pid);
  });

  test.for(['bootout', 'enable', 'bootstrap', 'kickstart'] as const)(
    'when launchd is asked for %s is whole after the next login, and after the same command again',
    async (verb, context) => {
      const bench = await ServiceBench.open(context);
      await ended(spawnInstaller(bench, OLD));
      const installer = spawnInstaller(bench, NEW);
      bench.launchd.onCall = (call) => void (call.startsWith(verb) && installer.kill('SIGKILL'));
      expect(await ended(installer)).toBe('SIGKILL');
      bench.launchd.onCall = () => undefined;
      await bench.launchd.login();
      await isWell(bench);
      expect(await ended(spawnInstaller(bench, NEW))).toBe(0);
      expect(await isWell(bench)).toBe('two');
    },
  );

  test.for(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'by %s while it switches ends only when the new version is loaded',
    async (signal, context) => {
      const bench = await ServiceBench.open(context);
      await ended(spawnInstaller(bench, OLD));
      const installer = spawnInstaller(bench, NEW);
      bench.launchd.onCall = (call) => void (call.startsWith('bootout') && installer.kill(signal));
      expect(await ended(installer)).toBe(signal);
      expect((await bench.answers('two')).runtime).toBe(bench.places.runtime);
    },
  );
});
