import { existsSync, lstatSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { install } from '../../src/service/install.js';
import { ServiceBench } from '../support/ServiceBench.js';
import { sized } from '../support/size.js';

const code = (exitCode: string) => expect.objectContaining({ code: exitCode });

describe('a first installation', { concurrent: true }, () => {
  test('does what launchd requires in order, and ends when the process of the job itself answers', async (context) => {
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

  test('has launchd run a copy of node in an app, at a path that is not the version’s', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one', { runtime: 'private' });
    const { runtime, env } = await bench.answers('one');
    expect(runtime).toBe(join(bench.places.root, 'Edge Agent.app/Contents/MacOS/edge-agent'));
    expect(lstatSync(runtime).isFile()).toBe(true);
    expect(statSync(runtime).size).toBe(statSync(process.execPath).size);
    expect(bench.launchd.job()?.definition.ProgramArguments[0]).toBe(runtime);
    expect(env.LC_CTYPE).toBe('UTF-8');
    expect(realpathSync(bench.places.runtime)).toBe(runtime);
  });

  test('uses a link under the agent’s name to the existing node, on request', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one');
    expect(bench.launchd.job()?.definition.ProgramArguments[0]).toBe(bench.places.runtime);
    expect(readlinkSync(bench.places.runtime)).toBe(realpathSync(process.execPath));
  });

  test('does not link the runtime to itself when its own copy installs', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one', { runtime: 'private' });
    const service = bench.serviceOf('one', { node: bench.places.executable });
    const configPath = join(bench.home, 'config.yaml');
    await expect(install(service, { configPath, runtime: 'current' })).rejects.toEqual(
      code('install_failed'),
    );
    await install(service, { configPath, runtime: 'private' });
    expect(lstatSync(bench.places.executable).isFile()).toBe(true);
  });

  test('accepts paths that XML or a comment could not contain literally', async (context) => {
    const bench = await ServiceBench.open(context);
    const config = join(bench.home, 'a & b <--> "c"', 'config.yaml');
    await bench.install('one', { config });
    expect((await bench.answers('one')).args.at(-1)).toBe(config);
    expect(bench.service.configPath()).toBe(config);
  });

  test('clears a record that the job is disabled, which survives every plist', async (context) => {
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

  test.for([17, 37])('unloads what another process has loaded meanwhile (%s)', async (exitCode, context) => {
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

  type Refusal = readonly ['bootstrap' | 'kickstart', number, number, string, RegExp, RegExp];
  /** The texts for each exit code are tested with launchctl; here is one of each kind. */
  const REFUSALS: readonly Refusal[] = [
    ['bootstrap', 5, 4, 'launchd_refused', /input\/output error.*still ending/, /log out and in/],
    ['bootstrap', 125, 1, 'no_desktop_session', /desktop session/, /Screen Sharing/],
    ['kickstart', 113, 1, 'launchd_refused', /Login Items/, /edge-agent install/],
    ...sized<readonly Refusal[]>(
      [],
      [
        ['bootstrap', 119, 1, 'launchd_refused', /disabled/, /Login Items/],
        ['bootstrap', 122, 1, 'launchd_refused', /owner or mode/, /chmod go-w/],
        ['bootstrap', 134, 1, 'no_desktop_session', /desktop session/, /Screen Sharing/],
        ['bootstrap', 155, 1, 'launchd_refused', /quarantine/, /xattr -dr/],
        ['bootstrap', 99, 1, 'launchd_refused', /failed with 99/, /launchctl error 99/],
      ],
    ),
  ];
  test.for(REFUSALS)(
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

  test('changes nothing where no one is logged in at the desktop, as over SSH, and says what to do', async (context) => {
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
      message: expect.stringContaining('the job is not loaded'),
      remedy: expect.stringContaining('Allow in the Background'),
    });
  });

  test('does not treat another LaunchAgent of the same name as its own', async (context) => {
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
    'reports the state of a program that is %s, and where to look',
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
