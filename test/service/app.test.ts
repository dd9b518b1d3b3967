import { execFileSync, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { rollback } from '../../src/service/control.js';
import { FLAGS, fatMachO, NODEJS_ORG, SYSTEM_LIBRARIES, thinMachO } from '../support/buildMachO.js';
import { ServiceBench } from '../support/ServiceBench.js';

const PRIVATE = { runtime: 'private' } as const;

/** By python's plistlib, which knows nothing of ours. */
function parsed(path: string): Record<string, unknown> {
  const script = 'import json, plistlib, sys; print(json.dumps(plistlib.load(open(sys.argv[1], "rb"))))';
  return JSON.parse(execFileSync('python3', ['-c', script, path], { encoding: 'utf8' }));
}

const hasPlistutil = existsSync('/usr/bin/plistutil');
const hasPython = spawnSync('python3', ['-c', 'import plistlib']).status === 0;

describe('the app around the agent’s copy of node', { concurrent: true }, () => {
  test.skipIf(!hasPython)(
    'has a name, an icon and a sentence for the dialogs of macOS, by a parser that is not ours',
    async (context) => {
      const bench = await ServiceBench.open(context);
      await bench.install('one', PRIVATE);
      const bundleId = `local.edge-agent.${userInfo().uid}`;
      expect(parsed(join(bench.places.app, 'Contents/Info.plist'))).toMatchObject({
        CFBundleIdentifier: bundleId,
        CFBundleExecutable: 'edge-agent',
        CFBundlePackageType: 'APPL',
        CFBundleDisplayName: 'Edge Agent',
        CFBundleIconFile: 'AppIcon',
        LSUIElement: true,
        NSAppleEventsUsageDescription: expect.stringContaining('Messages'),
        NSLocalNetworkUsageDescription: expect.stringContaining('network'),
      });
      const icon = readFileSync(join(bench.places.app, 'Contents/Resources/AppIcon.icns'));
      expect([icon.toString('latin1', 0, 4), icon.readUInt32BE(4)]).toEqual(['icns', icon.length]);
      expect(parsed(bench.places.plist)).toMatchObject({
        Label: 'edge-agent',
        AssociatedBundleIdentifiers: bundleId,
        ProgramArguments: expect.arrayContaining([bench.places.executable]),
        EnvironmentVariables: { LC_CTYPE: 'UTF-8' },
      });
    },
  );

  test.skipIf(!hasPlistutil)('is taken by libplist, as its LaunchAgent is', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one', PRIVATE);
    for (const path of [join(bench.places.app, 'Contents/Info.plist'), bench.places.plist]) {
      const binary = execFileSync('/usr/bin/plistutil', ['-i', path, '-f', 'bin', '-o', '-']);
      expect(binary.toString('latin1', 0, 8)).toBe('bplist00');
    }
  });

  test('is signed ad hoc, not hardened, after what the Finder noted of it is gone, and checked', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one', PRIVATE);
    const calls = bench.launchd.codesign.calls.map((call) => call.replace(/ \/.*/, ''));
    expect(calls).toEqual([
      'xattr -cr',
      'codesign --force --sign - --timestamp=none',
      'codesign --verify --strict',
    ]);
  });

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
    ['that is asked for', { renew: true }, /a new copy is wanted/, () => undefined],
    [
      'by a version that needs a newer one',
      {},
      /this version needs Node 99\.1, the one that there was is \d+/,
      (bench: ServiceBench) => manifest(bench.program('two'), { engines: { node: '>=99.1' } }),
    ],
    [
      'that was changed since it was signed',
      {},
      /the one that there was had been changed: .*a sealed resource is missing or invalid/,
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
  ] as const)('is made anew in place of one %s', async ([, wishes, why, change], context) => {
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

  test('that a version does not run with is made anew, and says why', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one', PRIVATE);
    const root = bench.program('two');
    const onlyAnew = `if (!process.execPath.includes('unfinished') || process.env.HOME === undefined) throw new Error('x');
import { existsSync } from 'node:fs';
if (!existsSync(process.env.HOME + '/fits')) { await import('node:fs').then((fs) => fs.writeFileSync(process.env.HOME + '/fits', '')); throw new Error('NODE_MODULE_VERSION 115 is not 127'); }
export const openDatabase = () => ({ close() {} });\n`;
    writeFileSync(join(root, 'dist/store/sqlite.js'), onlyAnew);
    await bench.upgrade('two', PRIVATE);
    expect(bench.said.join('\n')).toMatch(
      /does not run with the one that there was: .*NODE_MODULE_VERSION 115/,
    );
    await bench.answers('two');
  });

  test('is signed with the certificate that was given, also when it is made anew later', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one', { ...PRIVATE, identity: 'Somebody' });
    const again = await bench.install('two', { ...PRIVATE, renew: true });
    expect(again).toMatchObject({ isSameSigner: true });
    const signed = bench.launchd.codesign.calls.filter((call) => call.includes('--sign'));
    expect(signed.map((call) => /--sign (\S+)/.exec(call)?.[1])).toEqual(['Somebody', 'Somebody']);
    const adHoc = await bench.install('three', { ...PRIVATE, identity: '-' });
    expect(adHoc).toMatchObject({ runtimeChanged: true, isSameSigner: false });
  });

  test('of one user is not that of another one', async (context) => {
    const bench = await ServiceBench.open(context);
    const ids = [501, 502].map((uid) => bench.serviceOf('one', { uid }).bundleId);
    expect(ids).toEqual(['local.edge-agent.501', 'local.edge-agent.502']);
  });
});

function manifest(root: string, more: object): void {
  const path = join(root, 'package.json');
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...more }));
}

describe('what stands in the way of a copy', { concurrent: true }, () => {
  const HOMEBREW = [
    '@rpath/libnode.127.dylib',
    '/opt/homebrew/opt/libuv/lib/libuv.1.dylib',
    '/opt/homebrew/opt/openssl@3/lib/libcrypto.3.dylib',
    ...SYSTEM_LIBRARIES,
  ];

  test.for([
    [
      'a node of Homebrew',
      { libraries: HOMEBREW, minimum: { macOs: [13, 0, 0] }, signature: { flags: FLAGS.adHoc } },
      /needs 3 libraries that are not of macOS, such as @rpath\/libnode\.127\.dylib/,
      /nodejs\.org.*--runtime current/,
    ],
    ['a node for another processor', { cpu: 18 }, /is for another processor \(cpu-18\)/, /nodejs\.org/],
    [
      'a node for a newer macOS',
      { minimum: { macOs: [99, 0, 0] } },
      /is for macOS 99\.0 and newer; this is 13\.2/,
      /Upgrade macOS, or install an older Node/,
    ],
    ['a damaged node', thinMachO().subarray(0, 300), /it is damaged: /, /nodejs\.org/],
    ['a damaged universal node', fatMachO([thinMachO()]).subarray(0, 200), /it is damaged: /, /nodejs\.org/],
    [
      'a node that is no program',
      Buffer.from('#!/bin/sh\n'.repeat(8)),
      /it is no program of macOS/,
      /nodejs\.org/,
    ],
  ] as const)(
    'is refused with the reason and the remedy, and the old one runs on: %s',
    async ([, node, why, remedy], context) => {
      const bench = await ServiceBench.open(context);
      const { running } = await bench.install('one', PRIVATE);
      bench.playProgram('sw_vers', 'echo 13.2');
      bench.launchd.codesign.lay('edge-agent', { minimum: { macOs: [11, 0, 0] }, signature: {} });
      bench.launchd.codesign.lay('node', node);
      await expect(bench.install('two', { ...PRIVATE, renew: true })).rejects.toMatchObject({
        code: 'install_failed',
        message: expect.stringMatching(why),
        remedy: expect.stringMatching(remedy),
      });
      expect((await bench.answers('one')).pid).toBe(running.pid);
      expect(bench.launchd.job()?.pid).toBe(running.pid);
    },
  );

  test('leaves the kept copy to upgrades, whatever node runs them', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one', PRIVATE);
    bench.launchd.codesign.lay('node', { libraries: HOMEBREW });
    await bench.install('two', PRIVATE);
    expect((await bench.answers('two')).runtime).toBe(bench.places.executable);
  });

  test('does not keep an operator from linking to it, who is warned of both', async (context) => {
    const bench = await ServiceBench.open(context);
    bench.launchd.codesign.lay('node', { libraries: HOMEBREW, signature: NODEJS_ORG });
    await bench.install('one');
    expect((await bench.answers('one')).runtime).toBe(realpathSync(process.execPath));
    expect(bench.said.join('\n')).toMatch(/makes macOS refuse every text[\s\S]*When Homebrew upgrades them/);
  });

  test.for([
    ['noTools', '-', /the Command Line Tools are missing/, /xcode-select --install/],
    ['noIdentity', 'Somebody', /as "Somebody": there is no certificate of that name/, /find-identity/],
    ['locked', 'Somebody', /the Keychain is locked/, /unlock-keychain/],
  ] as const)(
    'of codesign is explained, and the old one runs on: %s',
    async ([refusal, identity, why, remedy], context) => {
      const bench = await ServiceBench.open(context);
      const { running } = await bench.install('one', PRIVATE);
      bench.launchd.codesign.refusal = refusal;
      await expect(bench.install('two', { ...PRIVATE, renew: true, identity })).rejects.toMatchObject({
        code: 'install_failed',
        message: expect.stringMatching(why),
        remedy: expect.stringMatching(remedy),
      });
      expect((await bench.answers('one')).pid).toBe(running.pid);
      expect(readdirSync(bench.places.versions).length).toBe(1);
    },
  );

  test.for([
    ['nothing', null, /not signed at all/],
    ['a hardened one', { flags: FLAGS.adHoc | FLAGS.hardened }, /it has the hardened runtime/],
    ['another one', { flags: 0, hasCertificate: true }, /it is signed otherwise \(signed\)/],
  ] as const)(
    'of a codesign that signed %s is found before anything is switched',
    async ([, makes, why], context) => {
      const bench = await ServiceBench.open(context);
      bench.launchd.codesign.makes = makes;
      await expect(bench.install('one', PRIVATE)).rejects.toMatchObject({
        code: 'install_failed',
        message: expect.stringMatching(why),
      });
      expect(existsSync(bench.places.app)).toBe(false);
      expect(existsSync(bench.places.plist)).toBe(false);
    },
  );

  test('is an app that was put elsewhere, with a link in its place', async (context) => {
    const bench = await ServiceBench.open(context);
    const { running } = await bench.install('one', PRIVATE);
    const elsewhere = join(bench.home, 'elsewhere.app');
    renameSync(bench.places.app, elsewhere);
    symlinkSync(elsewhere, bench.places.app);
    await expect(bench.install('two', PRIVATE)).rejects.toMatchObject({
      code: 'install_failed',
      message: expect.stringContaining('is a link, or no folder'),
      remedy: expect.stringContaining('Move it away'),
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

  test('becomes an app at the next installation, and can be gone back to', async (context) => {
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

  test('runs again, with its own node, if launchd does not take the app', async (context) => {
    const bench = await ServiceBench.open(context);
    await old(bench);
    bench.launchd.fail('bootstrap', 119, 1);
    await expect(bench.install('two', PRIVATE)).rejects.toMatchObject({ code: 'launchd_refused' });
    expect((await bench.answers('one')).runtime).toBe(bench.places.runtime);
    expect(lstatSync(bench.places.runtime).isFile()).toBe(true);
  });
});
