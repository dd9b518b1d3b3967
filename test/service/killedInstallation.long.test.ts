import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, copyFileSync, mkdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT } from '../docs/page.js';
import { ServiceBench } from '../support/ServiceBench.js';

interface Attempt {
  edition: string;
  runtime: 'private' | 'current';
  config: string;
  /** Whether it has a node of its own, another one than this. */
  isOtherNode?: boolean;
  killAt?: number;
}

function spawnInstaller(
  bench: ServiceBench,
  { edition, runtime, config, isOtherNode, killAt }: Attempt,
): ChildProcess {
  const settings = {
    home: bench.home,
    program: bench.program(edition),
    config: join(bench.home, config),
    mac: bench.launchd.directory,
    dist: join(ROOT, 'dist'),
    runtime,
    renew: true,
    node: isOtherNode === true ? otherNode(bench) : process.execPath,
    killAt,
  };
  const installer = join(ROOT, 'test/support/launchd/installer.mjs');
  return spawn(process.execPath, [installer, JSON.stringify(settings)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

/** A node that is longer than ours by a few bytes. */
function otherNode(bench: ServiceBench): string {
  const path = join(bench.home, 'other', 'node');
  mkdirSync(join(bench.home, 'other'), { recursive: true });
  copyFileSync(process.execPath, path);
  appendFileSync(path, 'another node');
  return path;
}

function ended(child: ChildProcess): Promise<NodeJS.Signals | number | null> {
  return new Promise((resolve) => child.on('exit', (code, signal) => resolve(signal ?? code)));
}

/** Whichever edition it is: it answers, and with the node that belongs to it. */
async function isWell(bench: ServiceBench, attempts: readonly Attempt[] = [OLD, NEW]): Promise<string> {
  const { edition, runtime } = await bench.answers(/one|two/);
  const attempt = attempts.find((one) => one.edition === edition);
  const isPrivate = attempt?.runtime === 'private';
  expect(runtime, edition).toBe(isPrivate ? bench.places.executable : realpathSync(process.execPath));
  const more = attempt?.isOtherNode === true ? 'another node'.length : 0;
  expect(statSync(runtime).size, edition).toBe(statSync(process.execPath).size + more);
  return edition;
}

const OLD: Attempt = { edition: 'one', runtime: 'current', config: 'config.yaml' };
const NEW: Attempt = { edition: 'two', runtime: 'private', config: 'other.yaml' };

describe('an installation that is killed', { concurrent: true, timeout: 560_000 }, () => {
  const APP: Attempt = { ...OLD, runtime: 'private' };
  test.for([
    ['a linked node becomes an app', OLD, NEW],
    ['an app becomes a linked node', APP, { ...NEW, runtime: 'current' }],
    ['an app gets another node', APP, { ...NEW, isOtherNode: true }],
  ] as const)(
    'before any of its changes leaves what runs, or starts at the next login, complete: %s',
    async ([, old, next], context) => {
      const bench = await ServiceBench.open(context);
      await ended(spawnInstaller(bench, old));
      const editions: string[] = [];
      for (let killAt = 1; ; killAt += 1) {
        const end = await ended(spawnInstaller(bench, { ...next, killAt }));
        if (end !== 'SIGKILL') {
          expect(end).toBe(0);
          break;
        }
        await bench.launchd.login();
        editions.push(await isWell(bench, [old, next]));
        if (editions.at(-1) === 'two') await ended(spawnInstaller(bench, old));
      }
      expect(editions.length).toBeGreaterThan(5);
      expect(new Set(editions)).toEqual(new Set(['one', 'two']));
      expect(editions.toSorted()).toEqual(editions);
    },
  );

  test('while only the program is upgraded never removes the running one', async (context) => {
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
    'when launchd is asked for %s is complete after the next login, and after the same command again',
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
      expect((await bench.answers('two')).runtime).toBe(bench.places.executable);
    },
  );
});
