import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { automation } from '../../../src/diagnostics/checks/macos.js';
import { runtimeLibraries, runtimeSignature } from '../../../src/diagnostics/doctor/runtime.js';
import { CPU, FLAGS, NODEJS_ORG, SYSTEM_LIBRARIES } from '../../support/buildMachO.js';
import { TestContext } from '../checks/TestContext.js';

async function see(context: TestContext) {
  const { checks } = await context.examine([runtimeSignature, runtimeLibraries]);
  const [signature, libraries] = checks;
  return { signature, libraries };
}

/** What launchd starts is in a bundle, for which codesign prints this. */
function bundled(context: TestContext, codesign: string): string {
  const executable = join(context.homeDir, 'Edge Agent.app/Contents/MacOS/edge-agent');
  mkdirSync(dirname(executable), { recursive: true });
  writeFileSync(executable, '');
  context.launchAgent(executable);
  context.program('codesign', codesign);
  return executable;
}

describe('the signature of the program that launchd starts', () => {
  test('passes where macOS asks, and shows who signed it', async () => {
    const context = new TestContext();
    expect((await see(context)).signature).toMatchObject({ verdict: 'PASS', evidence: 'signed ad hoc' });
    context.runtime = { signature: { team: 'ABCDE12345', flags: 0, hasCertificate: true } };
    expect((await see(context)).signature).toMatchObject({
      verdict: 'PASS',
      evidence: 'signed by team ABCDE12345',
    });
    bundled(context, 'exit 0');
    expect((await see(context)).signature?.evidence).toContain('unchanged since');
    expect(context.standIns.calls('codesign')[0]).toMatch(/^--verify --strict \S+.*Edge Agent\.app$/);
  });

  test.for([
    ['by Node’s makers', NODEJS_ORG],
    ['ad hoc, under the hardened runtime', { flags: FLAGS.adHoc | FLAGS.hardened }],
  ] as const)('fails where macOS refuses every text without asking: %s', async ([, signature]) => {
    const context = new TestContext();
    context.runtime = { signature };
    expect((await see(context)).signature).toMatchObject({
      verdict: 'FAIL',
      evidence: expect.stringContaining('without asking'),
      remedy: expect.stringContaining('edge-agent install'),
    });
  });

  test('passes under the hardened runtime with the entitlement', async () => {
    const context = new TestContext();
    context.runtime = {
      signature: { ...NODEJS_ORG, entitlements: ['com.apple.security.automation.apple-events'] },
    };
    expect((await see(context)).signature?.verdict).toBe('PASS');
  });

  test('fails where there is none, and where the app was changed', async () => {
    const context = new TestContext();
    context.runtime = { signature: null };
    expect((await see(context)).signature).toMatchObject({
      verdict: 'FAIL',
      evidence: expect.stringContaining('not signed'),
    });
    context.runtime = { signature: {} };
    bundled(context, 'echo "$3: a sealed resource is missing or invalid" >&2; exit 1');
    expect((await see(context)).signature).toMatchObject({
      verdict: 'FAIL',
      evidence: expect.stringContaining('a sealed resource is missing or invalid'),
    });
  });
});

test('the permission of an app is looked up by its bundle id, and its list entry by its name', async () => {
  const context = new TestContext();
  const executable = bundled(context, 'exit 0');
  const info = '<dict><key>CFBundleIdentifier</key><string>local.edge-agent.501</string></dict>';
  writeFileSync(join(dirname(executable), '..', 'Info.plist'), info);
  context.permission(2, 'local.edge-agent.501');
  const see = async () => (await context.examine([automation])).checks[0];
  expect(await see()).toMatchObject({ verdict: 'PASS', evidence: 'granted to local.edge-agent.501' });
  context.permission(null);
  expect(await see()).toMatchObject({
    verdict: 'WARN',
    remedy: expect.stringContaining('below Edge Agent.'),
  });
});

describe('the libraries of the program that launchd starts', () => {
  test('pass if they are those of macOS, for this one', async () => {
    expect((await see(new TestContext())).libraries).toMatchObject({
      verdict: 'PASS',
      evidence: 'only those of macOS 13.5 and newer',
    });
  });

  test('are a warning if they can be upgraded, and fail if they are gone', async () => {
    const context = new TestContext();
    const library = join(context.homeDir, 'libuv.1.dylib');
    context.runtime = {
      libraries: [...SYSTEM_LIBRARIES, '@rpath/libnode.127.dylib', library],
      signature: {},
    };
    expect((await see(context)).libraries).toMatchObject({
      verdict: 'FAIL',
      evidence: expect.stringContaining(library.replace(context.homeDir, '')),
    });
    writeFileSync(library, '');
    expect((await see(context)).libraries).toMatchObject({
      verdict: 'WARN',
      evidence: expect.stringContaining(
        '2 libraries that an upgrade may replace, such as @rpath/libnode.127.dylib',
      ),
      remedy: expect.stringContaining('nodejs.org'),
    });
  });

  test('are a warning where they and the program are for Intel, and the Mac is not', async () => {
    const context = new TestContext();
    const judged = async (cpu: number, processor: string) => {
      context.runtime = { cpu, signature: {} };
      context.changes = { processor };
      return (await see(context)).libraries;
    };
    const told = await judged(CPU.x64, 'VirtualApple @ 2.50GHz');
    expect(told).toMatchObject({
      verdict: 'WARN',
      evidence: expect.stringContaining('is for Intel and runs under Rosetta'),
      remedy: expect.stringContaining('edge-agent install --node'),
    });
    expect((await judged(CPU.arm64, 'Apple M4'))?.verdict).toBe('PASS');
    expect((await judged(CPU.x64, 'Intel(R) Core(TM) i7'))?.verdict).toBe('PASS');
  });

  test('fail on a macOS that is too old for them', async () => {
    const context = new TestContext();
    context.program('sw_vers', 'echo 13.4.1');
    expect((await see(context)).libraries).toMatchObject({
      verdict: 'FAIL',
      evidence: expect.stringMatching(/13\.5 and newer, this is 13\.4\.1$/),
    });
    context.program('sw_vers', 'echo 13.5');
    expect((await see(context)).libraries?.verdict).toBe('PASS');
  });
});

test('a damaged program, and a missing one, are reported', async () => {
  const context = new TestContext();
  context.changes = { inspect: () => ({ kind: 'damaged', why: 'the file ends too early' }) };
  for (const found of Object.values(await see(context)))
    expect(found).toMatchObject({
      verdict: 'FAIL',
      evidence: expect.stringContaining('it is damaged: the file ends'),
    });
  context.launchAgent(join(context.homeDir, 'gone'));
  for (const found of Object.values(await see(context))) expect(found?.verdict).toBe('FAIL');
});
