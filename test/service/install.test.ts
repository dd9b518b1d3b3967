import {
  appendFileSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
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

describe('a first installation', { concurrent: true }, () => {
  test('does what launchd wants in its order, and ends when the very process of the job answers', async (context) => {
    const bench = await ServiceBench.open(context);
    const { running, version, previous, runtimeChanged } = await bench.install('one');
    expect(bench.verbs()).toEqual(['enable', 'bootout', 'bootstrap', 'kickstart']);
    expect(running.pid).toBe(bench.launchd.job()?.pid);
    expect({ version, previous, runtimeChanged }).toEqual({
      version: expect.stringMatching(/^\d+\.\d+\.\d+-1$/),
      previous: undefined,
      runtimeChanged: true,
    });
    const { args, env } = await bench.answers('one');
    expect(args).toEqual(['run', '--service', '--config', join(bench.home, 'config.yaml')]);
    expect(env).toMatchObject({ HOME: bench.home, PATH: '/usr/bin:/bin:/usr/sbin:/sbin' });
    expect(statSync(bench.places.plist).mode & 0o777).toBe(0o600);
    expect(statSync(bench.places.errorLog).mode & 0o777).toBe(0o600);
  });

  test('has launchd run a copy of node under the agent’s name, at a path that is not the version’s', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one', { runtime: 'private' });
    const { runtime } = await bench.answers('one');
    expect(runtime).toBe(join(bench.places.root, 'edge-agent'));
    expect(lstatSync(runtime).isFile()).toBe(true);
    expect(statSync(runtime).size).toBe(statSync(process.execPath).size);
    expect(bench.launchd.job()?.definition.ProgramArguments[0]).toBe(runtime);
  });

  test('uses a link under the agent’s name to the node that is there, when that is asked for', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one');
    expect(bench.launchd.job()?.definition.ProgramArguments[0]).toBe(bench.places.runtime);
    expect(readlinkSync(bench.places.runtime)).toBe(realpathSync(process.execPath));
  });

  test('does not link the runtime to itself when its own copy installs', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one', { runtime: 'private' });
    const service = bench.serviceOf('one', { node: bench.places.runtime });
    const configPath = join(bench.home, 'config.yaml');
    await expect(install(service, { configPath, runtime: 'current' })).rejects.toEqual(
      code('install_failed'),
    );
    await install(service, { configPath, runtime: 'private' });
    expect(lstatSync(bench.places.runtime).isFile()).toBe(true);
  });

  test('falls back to that link for a node that needs libraries beside it, and says what it means', async (context) => {
    const bench = await ServiceBench.open(context);
    const cellar = join(bench.home, 'Cellar/bin');
    mkdirSync(cellar, { recursive: true });
    const needsLibrary = `[ -e "$(dirname "$0")/Homebrew" ] || [ -L "$0" ] || { echo "dyld: Library not loaded: @rpath/libnode.127.dylib" >&2; exit 134; }`;
    writeFileSync(join(cellar, 'node'), `#!/bin/sh\n${needsLibrary}\nexec '${process.execPath}' "$@"\n`, {
      mode: 0o755,
    });
    writeFileSync(join(cellar, 'Homebrew'), '');
    bench.program('one');
    const service = bench.serviceOf('one', { node: join(cellar, 'node') });
    await install(service, { configPath: join(bench.home, 'config.yaml'), runtime: 'private' });
    expect(readlinkSync(bench.places.runtime)).toBe(join(cellar, 'node'));
    expect(bench.said.join('\n')).toContain(
      'does not run by itself (dyld: Library not loaded: @rpath/libnode.127.dylib)',
    );
    expect(bench.said.join('\n')).toContain('nodejs.org');
  });

  test('takes paths that XML or a comment could not hold as they are', async (context) => {
    const bench = await ServiceBench.open(context);
    const config = join(bench.home, 'a & b <--> "c"', 'config.yaml');
    await bench.install('one', { config });
    expect((await bench.answers('one')).args.at(-1)).toBe(config);
    expect(bench.service.configPath()).toBe(config);
  });

  test('takes back a record that the job is disabled, which outlives every plist', async (context) => {
    const bench = await ServiceBench.open(context);
    bench.launchd.disabled.add('edge-agent');
    await bench.install('one');
    expect(bench.launchd.disabled.size).toBe(0);
  });

  test('tries again when launchd answers with error 5', async (context) => {
    const bench = await ServiceBench.open(context);
    bench.launchd.fail('bootstrap', 5, 2);
    await bench.install('one');
    expect(bench.verbs()).toEqual(['enable', 'bootout', 'bootstrap', 'bootstrap', 'bootstrap', 'kickstart']);
  });

  test.for([17, 37])('takes out what somebody else has loaded meanwhile (%s)', async (exitCode, context) => {
    const bench = await ServiceBench.open(context);
    bench.launchd.fail('bootstrap', exitCode);
    await bench.install('one');
    expect(bench.verbs()).toEqual(['enable', 'bootout', 'bootstrap', 'bootout', 'bootstrap', 'kickstart']);
  });

  test('waits where an earlier bootout is still in progress (36)', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one', { manner: 'slow' });
    bench.launchd.job()?.remove();
    expect((await bench.install('two')).running.pid).toBe(bench.launchd.job()?.pid);
  });

  test.for([
    ['bootstrap', 5, 4, 'launchd_refused', /input\/output error.*not quite gone/, /log out and in/],
    ['bootstrap', 119, 1, 'launchd_refused', /disabled/, /Login Items/],
    ['bootstrap', 122, 1, 'launchd_refused', /owner or mode/, /chmod go-w/],
    ['bootstrap', 125, 1, 'no_desktop_session', /desktop session/, /Screen Sharing/],
    ['bootstrap', 134, 1, 'no_desktop_session', /desktop session/, /Screen Sharing/],
    ['bootstrap', 155, 1, 'launchd_refused', /quarantine/, /xattr -dr/],
    ['bootstrap', 99, 1, 'launchd_refused', /failed with 99/, /launchctl error 99/],
    ['kickstart', 113, 1, 'launchd_refused', /Login Items/, /edge-agent install/],
  ] as const)(
    'explains that %s fails with %s',
    async ([verb, exitCode, times, fault, why, remedy], context) => {
      const bench = await ServiceBench.open(context);
      bench.launchd.fail(verb, exitCode, times);
      await expect(bench.install('one')).rejects.toMatchObject({
        code: fault,
        message: expect.stringMatching(why),
        remedy: expect.stringMatching(remedy),
      });
    },
  );

  test('touches nothing where nobody is logged in at the desktop, as over SSH, and says what to do', async (context) => {
    const bench = await ServiceBench.open(context);
    bench.launchd.hasSession = false;
    await expect(bench.install('one')).rejects.toMatchObject({
      code: 'no_desktop_session',
      message: expect.stringContaining('no desktop session'),
      remedy: expect.stringContaining('Screen Sharing'),
    });
    expect(existsSync(bench.places.plist)).toBe(false);
    expect(existsSync(bench.places.root)).toBe(false);
  });

  test('says that the job was dropped where it is switched off under Login Items', async (context) => {
    const bench = await ServiceBench.open(context, { patience: { answerMs: 0, againMs: 10 } });
    bench.launchd.onCall = (call) => {
      if (call.startsWith('kickstart')) bench.launchd.job()?.remove();
    };
    await expect(bench.install('one')).rejects.toMatchObject({
      message: expect.stringContaining('launchd does not know the job'),
      remedy: expect.stringContaining('Allow in the Background'),
    });
  });

  test('does not take another LaunchAgent of the same name for its own', async (context) => {
    const bench = await ServiceBench.open(context);
    bench.launchd.shownPath = '/Library/LaunchAgents/edge-agent.plist';
    await expect(bench.install('one')).rejects.toMatchObject({
      message: expect.stringContaining('/Library/LaunchAgents/edge-agent.plist'),
    });
  });

  test.for([
    ['mute', 1_500, /does not answer on its status socket/],
    ['dying', 10_000, /does not stay up. Its last end: 1/],
  ] as const)(
    'says how it is with a program that is %s, and where to look',
    async ([manner, answerMs, why], context) => {
      const bench = await ServiceBench.open(context, { patience: { answerMs, againMs: 10 } });
      await expect(bench.install('one', { manner })).rejects.toMatchObject({
        code: 'service_not_answering',
        message: expect.stringMatching(why),
        remedy: expect.stringContaining('launchd.err.log'),
      });
    },
  );

  test('is refused while another command changes the installation', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.service.alone(async () => {
      await expect(bench.install('one')).rejects.toEqual(code('install_failed'));
    });
    await bench.install('one');
  });
});

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

  test('gives up on a job that does not go, and says so', async (context) => {
    const bench = await ServiceBench.open(context, { patience: { goneMs: 300, againMs: 10 } });
    await bench.install('one', { manner: 'stubborn' });
    await expect(bench.install('two', { config: join(bench.home, 'other.yaml') })).rejects.toMatchObject({
      code: 'launchd_refused',
      message: expect.stringContaining('still there'),
    });
  });

  test('keeps the runtime where it is and as it is unless node is another one', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one', { runtime: 'private' });
    const { ino } = statSync(bench.places.runtime);
    expect((await bench.install('two', { runtime: 'private' })).runtimeChanged).toBe(false);
    expect(statSync(bench.places.runtime).ino).toBe(ino);
    const older = `${bench.places.root}/older`;
    copyFileSync(bench.places.runtime, older);
    appendFileSync(older, 'of an older node');
    renameSync(older, bench.places.runtime);
    expect((await bench.install('three', { runtime: 'private' })).runtimeChanged).toBe(true);
    expect(statSync(bench.places.runtime).size).toBe(statSync(process.execPath).size);
    expect((await bench.answers('three')).runtime).toBe(bench.places.runtime);
  });

  test('keeps one version to go back to, and nothing else', async (context) => {
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

  test('that launchd will not enable leaves the old one running, untouched', async (context) => {
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

  test('has the old one running in the end where launchd does not tell for a moment whether it is gone', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one');
    bench.launchd.onCall = (call) => {
      if (call.startsWith('bootout')) bench.launchd.fail('print', 5);
    };
    expect((await otherAgent(bench)).running.pid).toBe(bench.launchd.job()?.pid);
    await bench.answers('two');
  });

  test('puts the old one in again where launchd does not tell at all whether it is gone, and says so', async (context) => {
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

  test('that launchd does not let begin, for it does not take the old one out, leaves that one running', async (context) => {
    const bench = await ServiceBench.open(context);
    const { running } = await bench.install('one');
    bench.launchd.fail('bootout', 1);
    await expect(otherAgent(bench)).rejects.toMatchObject({
      message: expect.stringMatching(/^launchctl bootout failed with 1(?!.*runs again)/),
    });
    expect((await bench.answers('one')).pid).toBe(running.pid);
  });

  test('says that nothing runs where launchd takes the old one no more either, and start mends it', async (context) => {
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

  test('to a program that does not answer says how to go back, and going back works', async (context) => {
    const bench = await ServiceBench.open(context, { patience: { answerMs: 1_500, againMs: 10 } });
    await bench.install('one');
    await expect(bench.install('two', { manner: 'mute' })).rejects.toMatchObject({
      remedy: expect.stringContaining('edge-agent rollback'),
    });
    await rollback(bench.serviceOf('one', { patience: {} }));
    await bench.answers('one');
  });
});
