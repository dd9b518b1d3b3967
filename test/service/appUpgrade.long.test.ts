import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  lstatSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { rollback } from '../../src/service/control.js';
import { ServiceBench } from '../support/ServiceBench.js';

const PRIVATE = { runtime: 'private' } as const;

function manifest(root: string, more: object): void {
  const path = join(root, 'package.json');
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...more }));
}

describe('an existing app', { concurrent: true }, () => {
  test('stays as it is over upgrades, so that macOS asks once', async (context) => {
    const bench = await ServiceBench.open(context);
    const { running } = await bench.install('one', PRIVATE);
    const { ino } = lstatSync(bench.places.executable);
    const since = bench.launchd.calls.length;
    const upgraded = await bench.install('two', PRIVATE);
    expect(upgraded).toMatchObject({ runtimeChanged: false });
    expect(upgraded.running.pid).not.toBe(running.pid);
    expect(bench.verbs(since)).toEqual(['enable', 'kill', 'kickstart']);
    expect(lstatSync(bench.places.executable).ino).toBe(ino);
    expect(bench.said.join('\n')).toContain('Keeping the copy of node that the agent has');
    expect(bench.launchd.codesign.calls.filter((call) => call.includes('--sign')).length).toBe(1);
  });

  test.for([
    ['that is asked for', { renew: true }, /a new copy was requested/, () => undefined],
    [
      'by a version that needs a newer one',
      {},
      /this version needs Node 99\.1, the existing one is \d+/,
      (bench: ServiceBench) => manifest(bench.program('two'), { engines: { node: '>=99.1' } }),
    ],
    [
      'that was changed since it was signed',
      {},
      /the existing one was changed: .*a sealed resource is missing or invalid/,
      ({ places }: ServiceBench) => writeFileSync(join(places.app, 'Contents/MacOS/more'), 'of somebody'),
    ],
    [
      'for another processor, as after moving to another Mac',
      {},
      /is for another processor \(cpu-18\)/,
      ({ launchd }: ServiceBench) => launchd.codesign.lay('edge-agent', { cpu: 18, signature: {} }),
    ],
    [
      'for a newer macOS',
      {},
      /is for macOS 13\.5 and newer; this is 12\.7/,
      (bench: ServiceBench) => {
        bench.playProgram('sw_vers', 'echo 12.7');
        bench.launchd.codesign.lay('node', { minimum: { macOs: [11, 0, 0] } });
      },
    ],
  ] as const)('is recreated in place of one %s', async ([, wishes, why, change], context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one', PRIVATE);
    const signings = () => bench.launchd.codesign.calls.filter((call) => call.includes('--sign')).length;
    expect(signings()).toBe(1);
    change(bench);
    await bench.upgrade('two', { ...PRIVATE, ...wishes });
    expect(bench.said.join('\n')).toMatch(why);
    expect(signings()).toBe(2);
    expect((await bench.answers('two')).runtime).toBe(bench.places.executable);
    expect(readdirSync(join(bench.places.app, 'Contents/MacOS'))).toEqual(['edge-agent']);
    expect(readdirSync(bench.places.root).toSorted()).toEqual([
      'Edge Agent.app',
      'current',
      'edge-agent',
      'install.lock',
      'versions',
    ]);
  });

  test('that a version does not run with is recreated, and says why', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one', PRIVATE);
    const root = bench.program('two');
    const onlyAnew = `if (!process.execPath.includes('unfinished') || process.env.HOME === undefined) throw new Error('x');
import { existsSync } from 'node:fs';
if (!existsSync(process.env.HOME + '/fits')) { await import('node:fs').then((fs) => fs.writeFileSync(process.env.HOME + '/fits', '')); throw new Error('NODE_MODULE_VERSION 115 is not 127'); }
export const openDatabase = () => ({ close() {} });\n`;
    writeFileSync(join(root, 'dist/store/sqlite.js'), onlyAnew);
    await bench.upgrade('two', PRIVATE);
    expect(bench.said.join('\n')).toMatch(/does not run with the existing one: .*NODE_MODULE_VERSION 115/);
    await bench.answers('two');
  });

  test('is signed with the certificate that was given, also when it is recreated later', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one', { ...PRIVATE, identity: 'Somebody' });
    const again = await bench.install('two', { ...PRIVATE, renew: true });
    expect(again).toMatchObject({ isSameSigner: true });
    const signed = bench.launchd.codesign.calls.filter((call) => call.includes('--sign'));
    expect(signed.map((call) => /--sign (\S+)/.exec(call)?.[1])).toEqual(['Somebody', 'Somebody']);
    const adHoc = await bench.install('three', { ...PRIVATE, identity: '-' });
    expect(adHoc).toMatchObject({ runtimeChanged: true, isSameSigner: false });
  });

  test('is kept whatever node runs the upgrade', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one', PRIVATE);
    bench.launchd.codesign.lay('node', { libraries: ['/opt/homebrew/opt/libuv/lib/libuv.1.dylib'] });
    await bench.install('two', PRIVATE);
    expect((await bench.answers('two')).runtime).toBe(bench.places.executable);
  });

  test('is not replaced where it was moved elsewhere, with a link in its place', async (context) => {
    const bench = await ServiceBench.open(context);
    const { running } = await bench.install('one', PRIVATE);
    const elsewhere = join(bench.home, 'elsewhere.app');
    renameSync(bench.places.app, elsewhere);
    symlinkSync(elsewhere, bench.places.app);
    await expect(bench.install('two', PRIVATE)).rejects.toMatchObject({
      code: 'install_failed',
      message: expect.stringContaining('is a link, or no folder'),
      remedy: expect.stringContaining('without an app that is a link'),
    });
    expect((await bench.answers('one')).pid).toBe(running.pid);
    rmSync(bench.places.app);
    await bench.install('two', PRIVATE);
    expect((await bench.answers('two')).runtime).toBe(bench.places.executable);
  });
});

describe('an installation from before there was an app', { concurrent: true }, () => {
  /** As it was: a bare copy of node at `program/edge-agent`, which the LaunchAgent names. */
  async function old(bench: ServiceBench): Promise<void> {
    await bench.install('one');
    for (const path of [bench.places.runtime, join(bench.places.current, 'runtime')]) {
      rmSync(path);
      execFileSync('cp', [process.execPath, path]);
      appendFileSync(path, 'another node');
    }
    bench.launchd.job()?.kill('SIGKILL');
    expect((await bench.answers('one')).runtime).toBe(bench.places.runtime);
  }

  test('becomes an app at the next installation, and can be rolled back to', async (context) => {
    const bench = await ServiceBench.open(context);
    await old(bench);
    expect(await bench.install('two', PRIVATE)).toMatchObject({ runtimeChanged: true });
    expect((await bench.answers('two')).runtime).toBe(bench.places.executable);
    expect(realpathSync(bench.places.runtime)).toBe(realpathSync(bench.places.executable));
    await rollback(bench.service);
    expect((await bench.answers('one')).runtime).toBe(bench.places.runtime);
    expect(lstatSync(bench.places.runtime).isFile()).toBe(true);
    await rollback(bench.service);
    expect((await bench.answers('two')).runtime).toBe(bench.places.executable);
  });

  test('runs again, with its own node, if launchd does not accept the app', async (context) => {
    const bench = await ServiceBench.open(context);
    await old(bench);
    bench.launchd.fail('bootstrap', 119, 1);
    await expect(bench.install('two', PRIVATE)).rejects.toMatchObject({ code: 'launchd_refused' });
    expect((await bench.answers('one')).runtime).toBe(bench.places.runtime);
    expect(lstatSync(bench.places.runtime).isFile()).toBe(true);
  });
});
