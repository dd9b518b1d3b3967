import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { restart, rollback, start } from '../../src/service/control.js';
import { install } from '../../src/service/install.js';
import { CPU, FLAGS, fatMachO, NODEJS_ORG, SYSTEM_LIBRARIES, thinMachO } from '../support/buildMachO.js';
import { ServiceBench } from '../support/ServiceBench.js';

const PRIVATE = { runtime: 'private' } as const;

/** By python's plistlib, which knows nothing of ours. */
function parsed(path: string): Record<string, unknown> {
  const script = 'import json, plistlib, sys; print(json.dumps(plistlib.load(open(sys.argv[1], "rb"))))';
  return JSON.parse(execFileSync('python3', ['-c', script, path], { encoding: 'utf8' }));
}

/** A place that is not where the tests have their homes; undefined if this machine has one volume. */
const OTHER_VOLUME = ['/dev/shm', '/var/tmp'].find(
  (path) => existsSync(path) && statSync(path).dev !== statSync(tmpdir()).dev,
);
const hasPlistutil = existsSync('/usr/bin/plistutil');
const hasPython = spawnSync('python3', ['-c', 'import plistlib']).status === 0;

describe('the app around the agent’s copy of node', { concurrent: true }, () => {
  test.skipIf(!hasPython)(
    'has a name, an icon and a sentence for the dialogs of macOS, checked by another parser',
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

  test.skipIf(!hasPlistutil)('is accepted by libplist, as its LaunchAgent is', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one', PRIVATE);
    for (const path of [join(bench.places.app, 'Contents/Info.plist'), bench.places.plist]) {
      const binary = execFileSync('/usr/bin/plistutil', ['-i', path, '-f', 'bin', '-o', '-']);
      expect(binary.toString('latin1', 0, 8)).toBe('bplist00');
    }
  });

  test('is signed ad hoc, not hardened, after what the Finder stored with it is removed, and checked', async (context) => {
    const bench = await ServiceBench.open(context);
    await bench.install('one', PRIVATE);
    const calls = bench.launchd.codesign.calls.map((call) => call.replace(/ \/.*/, ''));
    expect(calls).toEqual([
      'xattr -cr',
      'codesign --force --sign - --timestamp=none',
      'codesign --verify --strict',
    ]);
  });

  test('of one user is not that of another one', async (context) => {
    const bench = await ServiceBench.open(context);
    const ids = [501, 502].map((uid) => bench.serviceOf('one', { uid }).bundleId);
    expect(ids).toEqual(['local.edge-agent.501', 'local.edge-agent.502']);
  });
});

describe('an obstacle to copying node', { concurrent: true }, () => {
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
      /needs 3 libraries that are not part of macOS, such as @rpath\/libnode\.127\.dylib/,
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
      /it is not a macOS program/,
      /nodejs\.org/,
    ],
  ] as const)(
    'is refused with the reason and the remedy, and the old one keeps running: %s',
    async ([, node, why, remedy], context) => {
      const bench = await ServiceBench.open(context);
      const { running } = await bench.install('one');
      bench.playProgram('sw_vers', 'echo 13.2');
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

  test.skipIf(OTHER_VOLUME === undefined)(
    'is a program that is on another volume than the home directory',
    async (context) => {
      const bench = await ServiceBench.open(context);
      const elsewhere = mkdtempSync(join(OTHER_VOLUME ?? '', 'edge-'));
      context.onTestFinished(() => rmSync(elsewhere, { recursive: true, force: true }));
      const support = dirname(bench.places.root);
      mkdirSync(dirname(support), { recursive: true });
      symlinkSync(elsewhere, support);
      await expect(bench.install('one')).rejects.toMatchObject({
        code: 'install_failed',
        message: expect.stringContaining('is on another volume than the home directory'),
        remedy: expect.stringContaining('state.directory'),
      });
      expect(existsSync(bench.places.plist)).toBe(false);
    },
  );

  test('is not that a node is for Intel on a Mac that is not, as after a migration: of that an operator is warned', async (context) => {
    const bench = await ServiceBench.open(context, { processor: 'VirtualApple @ 2.50GHz' });
    const warnings = () => bench.said.filter((line) => line.includes('is for Intel and runs under Rosetta'));
    bench.launchd.codesign.lay('node', { cpu: CPU.x64, signature: NODEJS_ORG });
    bench.launchd.codesign.lay('edge-agent', { cpu: CPU.x64, signature: { flags: FLAGS.adHoc } });
    await bench.install('one');
    expect(warnings()).toEqual([expect.stringContaining('edge-agent install --node')]);
  });

  test('does not stop an operator who links to it instead, with a warning of both', async (context) => {
    const bench = await ServiceBench.open(context);
    bench.launchd.codesign.lay('node', { libraries: HOMEBREW, signature: NODEJS_ORG });
    await bench.install('one');
    expect((await bench.answers('one')).runtime).toBe(realpathSync(process.execPath));
    expect(bench.said.join('\n')).toMatch(/makes macOS refuse every text[\s\S]*When Homebrew upgrades them/);
  });

  test('is, after a brew upgrade, that the linked node is gone: start and restart report it and end nothing, and install repairs it', async (context) => {
    const bench = await ServiceBench.open(context);
    const cellar = join(bench.home, 'Cellar/node/25.9.0_2/bin');
    mkdirSync(cellar, { recursive: true });
    const node = join(cellar, 'node');
    writeFileSync(node, `#!/bin/sh\nexec '${process.execPath}' "$@"\n`, { mode: 0o755 });
    bench.program('one');
    const configPath = join(bench.home, 'config.yaml');
    const { running } = await install(bench.serviceOf('one', { node }), { configPath, runtime: 'current' });
    rmSync(join(bench.home, 'Cellar'), { recursive: true });
    for (const verb of [start, restart]) {
      await expect(verb(bench.service)).rejects.toMatchObject({
        code: 'not_installed',
        message: expect.stringContaining('Cellar/node/25.9.0_2/bin/node'),
        remedy: expect.stringContaining('edge-agent install'),
      });
    }
    expect((await bench.answers('one')).pid).toBe(running.pid);
    await bench.install('two', PRIVATE);
    const { pid } = await bench.answers('two');
    await expect(rollback(bench.service)).rejects.toMatchObject({ code: 'not_installed' });
    expect((await bench.answers('two')).pid).toBe(pid);
  });

  test.for([
    ['noTools', '-', /the Command Line Tools are missing/, /xcode-select --install/],
    ['noIdentity', 'Somebody', /as "Somebody": there is no certificate of that name/, /find-identity/],
    ['locked', 'Somebody', /the Keychain is locked/, /unlock-keychain/],
  ] as const)(
    'of codesign is explained, and the old one keeps running: %s',
    async ([refusal, identity, why, remedy], context) => {
      const bench = await ServiceBench.open(context);
      const { running } = await bench.install('one');
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

  test('is a missing codesign: no other node, which could never send, is recommended', async (context) => {
    const bench = await ServiceBench.open(context);
    const { running } = await bench.install('one');
    rmSync(join(bench.launchd.directory, 'codesign'));
    await expect(bench.install('two', PRIVATE)).rejects.toMatchObject({
      code: 'install_failed',
      message: expect.stringContaining('there is no '),
      remedy: expect.not.stringContaining('--runtime current'),
    });
    expect((await bench.answers('one')).pid).toBe(running.pid);
  });

  test.for([
    ['nothing', null, /not signed at all/],
    ['a hardened one', { flags: FLAGS.adHoc | FLAGS.hardened }, /it has the hardened runtime/],
    ['another one', { flags: 0, hasCertificate: true }, /it has another signature \(signed\)/],
  ] as const)(
    'of a codesign that signed %s is found before anything is switched',
    async ([, makes, why], context) => {
      const bench = await ServiceBench.open(context);
      const { running } = await bench.install('one');
      const plist = bench.plist();
      bench.launchd.codesign.makes = makes;
      await expect(bench.install('two', PRIVATE)).rejects.toMatchObject({
        code: 'install_failed',
        message: expect.stringMatching(why),
      });
      expect(existsSync(bench.places.app)).toBe(false);
      expect(bench.plist()).toBe(plist);
      expect((await bench.answers('one')).pid).toBe(running.pid);
    },
  );
});
