import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { rollback, start } from '../../src/service/control.js';
import { install } from '../../src/service/install.js';
import { ServiceBench } from '../support/ServiceBench.js';

const code = (exitCode: string) => expect.objectContaining({ code: exitCode });

describe('an upgrade', { concurrent: true }, () => {
  test('that changes only the program leaves launchd its job, and waits for the old process to end', async (context) => {
    const bench = await ServiceBench.open(context);
    const { running: old } = await bench.install('one', { manner: 'slow' });
    const since = bench.launchd.calls.length;
    const { running, previous, version } = await bench.install('two');
    expect(bench.verbs(since)).toEqual(['enable', 'kill', 'kickstart']);
    expect(running.pid).not.toBe(old.pid);
    expect((await bench.answers('two')).pid).toBe(running.pid);
    expect([previous, version].map((name) => name?.split('-')[1])).toEqual(['1', '2']);
    expect(() => process.kill(old.pid, 0)).toThrow();
  });

  test('that changes the LaunchAgent waits until the job is gone, and only then writes it', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one', { manner: 'held' });
    const before = bench.plist();
    const writtenWhileLeaving: boolean[] = [];
    bench.launchd.onCall = () => {
      if (bench.launchd.job()?.isLeaving !== true) return;
      writtenWhileLeaving.push(bench.plist() !== before);
      if (writtenWhileLeaving.length === 3) writeFileSync(join(bench.home, 'may-end'), '');
    };
    const since = bench.launchd.calls.length;
    await bench.install('two', { config: join(bench.home, 'other.yaml') });
    expect(bench.verbs(since)).toEqual(['enable', 'bootout', 'bootstrap', 'kickstart']);
    expect(writtenWhileLeaving.slice(0, 3)).toEqual([false, false, false]);
    expect((await bench.answers('two')).args.at(-1)).toBe(join(bench.home, 'other.yaml'));
  });

  test('gives up on a job that does not end, and says so', async (context) => {
    const bench = await ServiceBench.open(context, { patience: { goneMs: 300, againMs: 10 } });
    await bench.install('one', { manner: 'stubborn' });
    await expect(bench.install('two', { config: join(bench.home, 'other.yaml') })).rejects.toMatchObject({
      code: 'launchd_refused',
      message: expect.stringContaining('still running'),
    });
  });

  test('keeps the runtime where it is and as it is unless node is another one', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one', { runtime: 'private' });
    const { ino } = statSync(bench.places.executable);
    expect((await bench.install('two', { runtime: 'private' })).runtimeChanged).toBe(false);
    expect(statSync(bench.places.executable).ino).toBe(ino);
    const older = `${bench.places.root}/older`;
    copyFileSync(bench.places.executable, older);
    appendFileSync(older, 'of an older node');
    renameSync(older, bench.places.executable);
    expect((await bench.install('three', { runtime: 'private' })).runtimeChanged).toBe(true);
    expect(statSync(bench.places.executable).size).toBe(statSync(process.execPath).size);
    expect((await bench.answers('three')).runtime).toBe(bench.places.executable);
  });

  test('keeps one version to return to, and nothing else', async (context) => {
    const bench = await ServiceBench.open(context);
    for (const edition of ['one', 'two', 'three']) await bench.install(edition);
    expect(readdirSync(bench.places.versions).map((name) => name.split('-')[1])).toEqual(['2', '3']);
    expect(readdirSync(bench.places.root).toSorted()).toEqual([
      'current',
      'edge-agent',
      'install.lock',
      'versions',
    ]);
  });

  test('to a program that does not start is refused before anything is changed', async (context) => {
    const bench = await ServiceBench.open(context);
    const { running } = await bench.install('one');
    const root = bench.program('broken');
    writeFileSync(
      join(root, 'dist/store/sqlite.js'),
      "throw new Error('NODE_MODULE_VERSION 115 is not 127');",
    );
    const since = bench.launchd.calls.length;
    await expect(
      install(bench.serviceOf('broken'), {
        configPath: bench.service.configPath() ?? '',
        runtime: 'current',
      }),
    ).rejects.toMatchObject({
      code: 'install_failed',
      message: expect.stringContaining('NODE_MODULE_VERSION'),
    });
    expect(bench.verbs(since)).toEqual([]);
    expect((await bench.answers('one')).pid).toBe(running.pid);
    expect(readdirSync(dirname(bench.places.current)).includes('current')).toBe(true);
  });

  test('whose LaunchAgent cannot be written is refused while the old one runs', async (context) => {
    const bench = await ServiceBench.open(context);
    const { running } = await bench.install('one');
    mkdirSync(`${bench.places.plist}.new`);
    const since = bench.launchd.calls.length;
    await expect(bench.install('two', { config: join(bench.home, 'other.yaml') })).rejects.toEqual(
      code('install_failed'),
    );
    expect(bench.verbs(since)).toEqual([]);
    expect((await bench.answers('one')).pid).toBe(running.pid);
  });

  const otherAgent = (bench: ServiceBench) =>
    bench.install('two', { config: join(bench.home, 'other.yaml'), runtime: 'private' });

  test('that launchd will not enable leaves the old one running, unchanged', async (context) => {
    const bench = await ServiceBench.open(context);
    const { running } = await bench.install('one');
    bench.launchd.fail('enable', 1);
    await expect(otherAgent(bench)).rejects.toEqual(code('launchd_refused'));
    expect((await bench.answers('one')).pid).toBe(running.pid);
    expect(bench.launchd.job()?.pid).toBe(running.pid);
  });

  test.for([
    [119, 1],
    [5, 4],
  ] as const)(
    'that launchd does not load (%s) ends with the old one running again, and says so',
    async ([exitCode, times], context) => {
      const bench = await ServiceBench.open(context);
      const { version } = await bench.install('one');
      const before = bench.plist();
      bench.launchd.fail('bootstrap', exitCode, times);
      await expect(otherAgent(bench)).rejects.toMatchObject({
        code: 'launchd_refused',
        message: expect.stringMatching(new RegExp(`failed with ${exitCode}.* ${version} runs again`)),
      });
      const { runtime } = await bench.answers('one');
      expect(runtime).toBe(realpathSync(process.execPath));
      expect(bench.plist()).toBe(before);
      expect((await otherAgent(bench)).running.pid).toBe(bench.launchd.job()?.pid);
    },
  );

  test('leaves the old one running where launchd cannot say for a moment whether it is gone', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one');
    bench.launchd.onCall = (call) => {
      if (call.startsWith('bootout')) bench.launchd.fail('print', 5);
    };
    expect((await otherAgent(bench)).running.pid).toBe(bench.launchd.job()?.pid);
    await bench.answers('two');
  });

  test('loads the old one again where launchd cannot say at all whether it is gone, and reports that', async (context) => {
    const bench = await ServiceBench.open(context, { patience: { goneMs: 300, againMs: 50 } });
    await bench.install('one');
    bench.launchd.onCall = (call) => {
      if (call.startsWith('bootout')) bench.launchd.fail('print', 5, Number.POSITIVE_INFINITY);
    };
    await expect(otherAgent(bench)).rejects.toMatchObject({
      code: 'launchd_refused',
      message: expect.stringMatching(/print failed with 5.*It said: .*\. \S+-1 runs again\.$/),
    });
    await bench.answers('one');
  });

  test('that fails because launchd does not unload the old one leaves that one running', async (context) => {
    const bench = await ServiceBench.open(context);
    const { running } = await bench.install('one');
    bench.launchd.fail('bootout', 1);
    await expect(otherAgent(bench)).rejects.toMatchObject({
      message: expect.stringMatching(/^launchctl bootout failed with 1(?!.*runs again)/),
    });
    expect((await bench.answers('one')).pid).toBe(running.pid);
  });

  test('says that nothing runs where launchd no longer loads the old one either, and start repairs it', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one');
    bench.launchd.fail('bootstrap', 119, 2);
    await expect(otherAgent(bench)).rejects.toMatchObject({
      message: expect.stringContaining('The agent does not run now'),
      remedy: expect.stringMatching(/Login Items.*edge-agent start/),
    });
    expect(bench.launchd.job()).toBeUndefined();
    await start(bench.service);
    await bench.answers('one');
  });

  test('to a program that does not answer says how to roll back, and the rollback works', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one');
    const patience = { answerMs: 1_500, againMs: 10 };
    await expect(bench.install('two', { manner: 'mute', patience })).rejects.toMatchObject({
      remedy: expect.stringContaining('edge-agent rollback'),
    });
    await rollback(bench.service);
    await bench.answers('one');
  });
});
